"""make study, with a stand-in child: what is trained, kept, told, and when it fails."""

from __future__ import annotations

import _thread
import io
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from harness.commands import cli
from harness.commands.console.terminal import Terminal
from harness.commands.study import StudyQuestion as Question
from harness.commands.study import study
from harness.errors import BadInput, Incomplete
from harness.experiment import study as definition
from harness.report.study import outputs as files
from harness.runs.attempt import Limits
from tests.faults.comparison import wait_for
from tests.helpers import studied

LOSS = (
    "own_impl: the loss is nan at iteration 30: labelled nan, unlabelled 0.25, learning rate 9; a "
    "smaller --lr, a --warmup or --precision fp32 may help"
)


class Case:
    """A study in a temporary folder, and what it printed."""

    def __init__(self, results: Path, data_dir: Path) -> None:
        self.folder = definition.place(results, "trial")
        self.question: dict[str, Any] = {
            "name": "trial",
            "results": results,
            "labels": [40],
            "seeds": [0, 1],
            "iterations": 20,
            "data_dir": data_dir,
            "limits": Limits(retries=0),
            "implementation": "fake",
        }
        self.text = ""

    def study(self, **options: Any) -> None:
        out = io.StringIO()
        try:
            terminal = Terminal(Console(file=out, soft_wrap=True))
            study(Question(**(self.question | options)), terminal)
        finally:
            self.text = out.getvalue()

    def manifest(self, variant: str, seed: int = 0) -> dict[str, Any]:
        path = self.folder / "runs" / variant / f"40-seed{seed}-fake" / "manifest.json"
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    def attempts(self) -> int:
        return len(list(self.folder.glob("runs/*/*/attempt-*")))

    @property
    def readme(self) -> str:
        return (self.folder / "README.md").read_text("utf-8")


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Case:
    studied.define(monkeypatch, tmp_path / "configs", seeds=[0, 1])
    return Case(tmp_path / "results", data_dir)


def test_every_variant_is_trained_on_the_same_terms(case: Case) -> None:
    case.study()
    table = pd.read_csv(case.folder / "table.csv")
    assert table["variant"].tolist() == [v for v in ("b08", "b16", "no-ema", "hot") for _ in "01"]
    assert set(table["status"]) == {"done"}
    for seed in (0, 1):  # the same images and initial weights, whatever is varied
        of_seed = table[table["seed"] == seed]
        for column in ("data_sha256", "split_sha256", "initial_weights_sha256"):
            assert of_seed[column].nunique() == 1, column
    assert case.manifest("no-ema")["settings"]["use_ema"] is False
    assert case.manifest("b08")["settings"]["use_ema"] is True
    large = case.manifest("b16")["settings"]
    assert (large["batch_size"], large["lr"], large["iterations"]) == (16, 0.06, 10)
    assert "b16/40-seed1-fake: done in" in case.text
    assert "At 40 labels, against `b08` (50.00% top-1, last evaluation)" in case.text
    assert sorted(p.name for p in case.folder.iterdir() if p.name[0] != ".") == sorted(
        [*files.NAMES, "runs"]
    )


def test_what_is_finished_is_not_trained_again(case: Case) -> None:
    case.study()
    before = {path: path.stat().st_mtime_ns for path in case.folder.glob("runs/**/*")}
    readme = case.readme
    case.study()
    assert "Nothing to do: all 8 runs are done." in case.text
    assert {path: path.stat().st_mtime_ns for path in case.folder.glob("runs/**/*")} == before
    assert case.readme == readme


def test_a_loss_that_is_not_finite_is_a_result(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE_WHERE", "lr=9.0 says")
    monkeypatch.setenv("FAKE_SAYS", LOSS)
    case.study()  # and raises nothing: exit code 0
    assert case.manifest("hot")["failure"] == "not finite"
    said = "the loss is nan at iteration 30: labelled nan, unlabelled 0.25, learning rate 9"
    assert f"| `hot` | 40 | 1 | not finite: {said} |" in case.readme
    assert "its loss was not finite in 2 of 2 runs (at iteration 30, 30)" in case.text
    assert "| 40 | `hot` | loss not finite in 2 of 2 runs |" in case.readme
    attempts = case.attempts()
    case.study()
    assert "Nothing to do" in case.text and case.attempts() == attempts


def test_a_run_that_failed_otherwise_is_incomplete_and_tried_again(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE_WHERE", "use_ema=False crash")
    lost = r"not all runs are done: no-ema/40-seed0-fake failed, no-ema/40-seed1-fake failed"
    with pytest.raises(Incomplete, match=lost):
        case.study()
    table = pd.read_csv(case.folder / "table.csv")
    assert table.groupby("variant")["status"].apply(set).to_dict() == {
        "b08": {"done"}, "b16": {"done"}, "hot": {"done"}, "no-ema": {"failed"},
    }  # fmt: skip
    assert "exit code 7: something went wrong" in case.readme
    monkeypatch.delenv("FAKE_MODE_WHERE")
    case.study()
    assert "no-ema/40-seed0-fake: done in" in case.text
    assert "b08/40-seed0-fake: starting" not in case.text


def test_a_run_that_used_other_images_is_incomparable(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE_WHERE", "use_ema=False wrong-data")
    lost = r"no-ema/40-seed0-fake incomparable; to train it anew move .*no-ema/40-seed0-fake away"
    with pytest.raises(Incomplete, match=lost):
        case.study(seeds=[0])


def test_runs_of_other_settings_never_mix(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE_WHERE", "lr=9.0 says")
    monkeypatch.setenv("FAKE_SAYS", LOSS)
    case.study(seeds=[0])
    before = case.readme
    for seeds in ([0], [1]):
        with pytest.raises(BadInput, match=r"done with iterations = 20, asked for is 30; name an"):
            case.study(iterations=30, seeds=seeds)
    # Where all that is left is a run that diverged, it counts as well.
    for name in ("b08", "b16", "no-ema"):
        (case.folder / "runs" / name).rename(case.folder.parent / name)
    with pytest.raises(BadInput, match=r"hot/40-seed0-fake: done with iterations = 20"):
        case.study(iterations=30, seeds=[1])
    assert case.readme == before


def test_an_interrupted_study_goes_on(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-hang")
    checkpoint = case.folder / "runs/b16/40-seed0-fake/attempt-1/checkpoint.pt"
    monkeypatch.setenv("FAKE_MODE_WHERE", "batch_size=8 ok")

    def interrupt() -> None:
        wait_for(checkpoint.exists)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        case.study(seeds=[0])
    thread.join()
    assert "b16/40-seed0-fake: interrupted" in case.text and "make compare" not in case.text
    assert case.manifest("b08")["status"] == "done"
    assert "interrupted" in case.readme  # what there is has been written

    monkeypatch.setenv("FAKE_MODE", "steady")
    case.study(seeds=[0])
    assert "b16/40-seed0-fake: going on from iteration" in case.text
    assert "b08/40-seed0-fake: starting" not in case.text
    assert set(pd.read_csv(case.folder / "table.csv")["status"]) == {"done"}


def test_two_at_once_leave_the_same_tables(case: Case, tmp_path: Path) -> None:
    case.study()
    one = pd.read_csv(case.folder / "points.csv")
    case.study(jobs=2, results=tmp_path / "two")
    pd.testing.assert_frame_equal(
        one, pd.read_csv(definition.place(tmp_path / "two", "trial") / "points.csv")
    )


def test_finished_runs_of_another_torch_are_noticed_once(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.study(seeds=[0])
    for path in case.folder.glob("runs/*/*/manifest.json"):
        manifest = json.loads(path.read_text())
        manifest["facts"]["torch_version"] = "none+1.0"
        path.write_text(json.dumps(manifest))
    case.study()
    assert case.text.count("finished runs here were made with torch none+1.0") == 1


def test_labels_that_the_data_cannot_give(case: Case) -> None:
    with pytest.raises(BadInput, match="LABELS 45"):
        case.study(labels=[45])
    assert not case.folder.exists()


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["harness", "study", *words])
    return cli.main()


def test_an_unknown_name_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--name", "mixup") == 2
    assert capsys.readouterr().err == (
        "error: NAME mixup: unknown; use batch-size, ema, interleave, labelled-pool, noise, "
        "precision, warmup, fixmatch-mixmatch\n"
    )


def test_without_a_name_they_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in definition.names())
    assert "fp32, bf16" in text and "2 x 3" in text


def test_the_help_teaches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("configs/studies", "batch-size, ema", "Example: python -m harness study"):
        assert words in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seeds", "one"), "SEEDS one"),
        (("--labels", "45"), "LABELS 45"),
        (("--iterations", "0"), "ITERATIONS 0"),
    ],
)
def test_wrong_options(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    data_dir: Path,
    options: tuple[str, ...],
    words: str,
) -> None:
    places = ("--data-dir", str(data_dir), "--results", str(tmp_path / "results"))
    assert call(monkeypatch, "--name", "ema", *places, *options) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
