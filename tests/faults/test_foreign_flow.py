"""A foreign implementation from its file to the table, in four forms of log; no network needed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import results
from harness.errors import BadInput
from harness.experiment.data import open_dataset
from harness.experiment.profile import load
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.parity import judge
from harness.runs import train
from harness.runs.attempt import Limits
from harness.runs.folder import Run, RunsFolder, read
from harness.runs.manifest import Status
from harness.runs.origins.taking import copy_run
from harness.runs.progress import Plain
from tests.conftest import use_fake, write_small_data
from tests.faults.comparison import Comparison
from tests.helpers import foreign


class Said(Plain):
    """All that a watcher is told."""

    text = ""

    def say(self, text: str = "") -> None:
        self.text += text + "\n"


ITERATIONS = 20
NAME = "40-seed0-mine"


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch, tmp_path):
    use_fake(monkeypatch, tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


class Flow(Comparison):
    """A comparison with the foreign implementation that `content` describes.

    `train()` trains and judges its run and no more; `run()` is the whole comparison.
    """

    def __init__(self, place: Path, content: dict[str, Any], **options: Any) -> None:
        self.file = foreign.write(place / "mine", content)
        data = place / "data set"
        if not data.exists():
            write_small_data(data)
        self.name = registry.enter(str(self.file))
        given = {"implementations": [self.name], "iterations": ITERATIONS}
        super().__init__(place / "results", data, **(given | options))
        self.run_folder = self.folder / "runs" / NAME

    def train(self, iterations: int = ITERATIONS, retries: int = 0) -> str:
        """What is said of it."""
        profile = load("quick", iterations)
        dataset = open_dataset("mnist5k", self.data_dir)
        side = registry.create(self.name)
        request = side.asked(Request(profile, dataset, 40, 0, "cpu"))
        planned = RunsFolder(self.folder / "runs").planned(side, request)
        watcher = Said()
        train.train(planned, watcher, Limits(retries, backoff=0.01))
        judge.judge(planned, watcher.say)
        return watcher.text

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = self.manifest(NAME)["facts"]
        return facts

    @property
    def levels(self) -> dict[int, tuple[str, str]]:
        return {one["rung"]: (one["level"], one["text"]) for one in self.facts["proof"]}


@pytest.mark.parametrize("form", foreign.LOGS)
def test_from_its_file_to_a_judged_run(tmp_path, monkeypatch, form):
    checkpoint = "{out}/out/last.pt" if form == "csv" else "out/last.pt"  # either will do
    flow = Flow(tmp_path, foreign.described(form, judge__checkpoint=checkpoint))
    monkeypatch.chdir(tmp_path)  # as RESULTS is given: from where the command is
    flow.folder = flow.folder.relative_to(tmp_path)
    assert "done in" in flow.train()
    manifest = flow.manifest(NAME)
    points = read(flow.folder / "runs")[0].points
    assert (manifest["status"], manifest["evaluations"]) == ("done", 10)
    assert manifest["judged_top1"] == pytest.approx(points[-1].top1, abs=0.005)
    levels = flow.levels
    assert levels[1][0] == levels[2][0] == levels[4][0] == "shown"
    assert "the same set, in an order of its own" in levels[2][1]
    assert levels[3][0] == "departs" and "its own" in levels[3][1]
    assert manifest["facts"]["split_sha256"] == manifest["settings"]["split_sha256"]
    assert manifest["facts"]["data_sha256"] == manifest["settings"]["data_sha256"]
    assert manifest["facts"]["shims"] == ["cuda-on-cpu", "data-sums"]
    assert [point.iteration for point in points] == list(range(2, 21, 2))
    assert all(point.loss is not None and point.seconds is not None for point in points)
    # The data were a copy, and are gone; the file is kept with its sum.
    assert not list(flow.run_folder.rglob("cifar-10-batches-py"))
    assert (flow.run_folder / "compare.yaml").read_text() == flow.file.read_text()
    assert manifest["spec_sha256"]
    if form == "text":
        _read_where_it_is_not_installed(flow)


def _read_where_it_is_not_installed(flow: Flow) -> None:
    """Its results alone are read: by what is kept with each run."""
    registry._FURTHER.pop("mine")
    registry._IMPLEMENTATIONS.pop("mine")
    flow.file.unlink()
    (run,) = read(flow.folder / "runs")
    assert run.status is Status.DONE and len(run.points) == 10
    assert run.settings["lr"].value == 0.03
    assert registry.create("mine").unavailable() is not None
    assert registry.entered()["mine"].title == "Mine"
    _copied_it_names_no_folder_of_this_machine(flow, run)
    sums = results.read(flow.folder).sums
    assert "compare.yaml" in sums and "out/log.txt" in sums
    kept = flow.run_folder / "compare.yaml"
    kept.write_text(kept.read_text().replace("Mine", "Other"))
    with pytest.raises(BadInput, match=r"compare.yaml is not what the run was trained by; restore"):
        read(flow.folder / "runs")


def _copied_it_names_no_folder_of_this_machine(flow: Flow, run: Run) -> None:
    """As when it is published, or taken from another results folder."""
    elsewhere = flow.file.parents[1] / "elsewhere"
    elsewhere.mkdir()
    copy_run(flow.folder / "runs" / NAME, elsewhere / NAME)
    (copied,) = read(elsewhere)
    assert (copied.points, copied.settings) == (run.points, run.settings)
    place = str(flow.file.parents[1]).encode()
    files = [path for path in elsewhere.rglob("*") if path.is_file()]
    assert [path.name for path in files if place in path.read_bytes()] == []


def test_without_a_judge_what_was_seen_to_be_predicted_counts(tmp_path):
    flow = Flow(tmp_path, foreign.described(judge=None))
    flow.train(iterations=4)
    top1 = read(flow.folder / "runs")[0].points[-1].top1
    assert flow.manifest(NAME)["judged_top1"] == pytest.approx(top1, abs=0.005)


def test_weights_handed_out_to_a_network_of_the_same_tensors(tmp_path):
    """What our builder draws does not fit the small network: the difference is named."""
    content = foreign.described(network={"build": "network:build", "initial": {}})
    flow = Flow(tmp_path, content)
    assert "network.initial: " in flow.train(iterations=4)
    assert flow.manifest(NAME)["status"] == "failed"


def test_the_labelled_set_that_its_function_draws_is_replaced(tmp_path):
    """It would draw another one; and the proof is still what its loader holds."""
    content = foreign.described(mode="other-split", split={"inject": "drawing:draw"})
    flow = Flow(tmp_path, content)
    assert "done in" in flow.train(iterations=4)
    level, text = flow.levels[2]
    assert (level, text.partition(": ")[2]) == ("shown", "the same set, in an order of its own")
    manifest = flow.manifest(NAME)
    assert manifest["facts"]["split_sha256"] == manifest["settings"]["split_sha256"]


@pytest.mark.parametrize(
    ("inject", "says"),
    [
        ("drawing:drew", "split.inject: module drawing has no function drew; correct the key"),
        ("network:build", "split.inject: network:build returns no indices, and no tuple that"),
    ],
)
def test_a_function_that_draws_no_labelled_set(tmp_path, inject, says):
    flow = Flow(tmp_path, foreign.described(split={"inject": inject}))
    assert says in flow.train(iterations=4)
    assert flow.manifest(NAME)["status"] == "failed"


def test_nothing_of_the_environment_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a-secret-key")
    flow = Flow(tmp_path, foreign.described(run__environment={"MY_MODE": "a-mode"}))
    flow.train(iterations=4)
    kept = [path for path in flow.run_folder.rglob("*") if path.is_file()]
    assert kept and not any(b"a-secret-key" in path.read_bytes() for path in kept)
    assert "a-mode" not in json.dumps(flow.manifest(NAME))


def test_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    """It fails half way and goes on: two event files, one curve, all steps counted."""
    monkeypatch.setenv("FOREIGN_ONCE", str(tmp_path / "once"))
    content = foreign.described(
        "tensorboard", "crash", run__resume={**foreign.RESUME, "loses": ["the order of the data"]}
    )
    flow = Flow(tmp_path, content)
    said = flow.train(retries=1)
    assert "going on from iteration" in said and "done in" in said
    manifest = flow.manifest(NAME)
    assert manifest["starts"][1]["not_restored"] == ["the order of the data"]
    events = list(flow.run_folder.glob("attempt-1/out/events*"))
    assert len(events) == 2
    points = read(flow.folder / "runs")[0].points
    assert [point.iteration for point in points] == list(range(2, 21, 2))
    counted = json.loads((flow.run_folder / "attempt-1" / "counted.json").read_text())
    assert counted["steps"] == ITERATIONS
    noted = [int(step) for step, _ in counted["rates"]]
    assert noted == sorted(set(noted)) and noted[0] == 0 and noted[-1] == ITERATIONS - 1


@pytest.mark.skipif("OLDEST_PYTHON" not in os.environ, reason="OLDEST_PYTHON names no interpreter")
def test_in_the_oldest_environment(tmp_path):
    """OLDEST_PYTHON=<Python 3.8 with torch 1.12, torchvision 0.13 and NumPy 1>."""
    flow = Flow(tmp_path, foreign.described(python=os.environ["OLDEST_PYTHON"]))
    assert "done in" in flow.train(iterations=4)
    assert flow.facts["torch_version"].startswith("1.12")
    levels = flow.levels
    assert levels[1][0] == levels[2][0] == levels[4][0] == "shown"
    assert flow.manifest(NAME)["judged_top1"] is not None


def test_a_correction_of_how_it_is_read_needs_no_training(tmp_path):
    """Nor does one of what it declares to differ in: its file is kept anew with the run."""
    blind = r"step (?P<iteration>\d+): accuracy (?P<top1>[\d.]+)"
    flow = Flow(tmp_path, foreign.described(log__pattern=blind, differs={}))
    flow.run()
    before = flow.manifest(NAME)
    assert [point.loss for point in read(flow.folder / "runs")[0].points] == [None] * 10

    corrected = foreign.described()
    text = _with_file(flow, corrected)
    assert f"{NAME}: read as its file says now, which trains as before" in text
    assert "Nothing to do: all 1 runs are done." in text
    (run,) = read(flow.folder / "runs")
    assert all(point.loss is not None for point in run.points)
    assert run.differs == corrected["differs"]
    after = flow.manifest(NAME)
    assert after["starts"] == before["starts"] and after["judged_top1"] == before["judged_top1"]
    assert (flow.run_folder / "compare.yaml").read_text() == flow.file.read_text()

    text = _with_file(flow, foreign.described(log__pattern=r"accuracy: (?P<top1>[\d.]+)"))
    assert f"{NAME}: its file has changed, and does not read it: " in text
    assert read(flow.folder / "runs")[0].points == run.points


def _with_file(flow: Flow, content: dict[str, Any]) -> str:
    foreign.write(flow.file.parent, content)
    registry._BY_FILE.pop("mine")
    registry._FURTHER.pop("mine")
    registry._IMPLEMENTATIONS.pop("mine")
    registry.enter(str(flow.file))
    return flow.run()
