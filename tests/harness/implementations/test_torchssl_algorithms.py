"""Each algorithm by TorchSSL's names: its whole YAML, its log, and what is seen as it runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from harness.errors import LogError
from harness.experiment import algorithms, profile
from harness.experiment.data import read_dataset
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.implementations.torchssl.algorithms import ENTRIES
from harness.implementations.torchssl.child import loop, resolved
from harness.implementations.torchssl.implementation import settings
from tests.conftest import REPOSITORY

THEIRS = REPOSITORY / "third_party" / "torchssl"
LOGS = REPOSITORY / "tests" / "logs"
# What runs on one GPU, under our names and paths, and what it is asked with.
OURS = {
    "save_dir", "save_name", "data_dir", "multiprocessing_distributed", "dist_url", "gpu", "clip",
    "hard_label", "T", "load_path",
}  # fmt: skip


@pytest.fixture
def request_(data_dir: Path) -> Request:
    return Request(profile.load("cifar10"), read_dataset(data_dir), 40, 0, "cpu")


@pytest.mark.parametrize("name", ENTRIES)
def test_the_yaml_is_torchssls_own(request_: Request, name: str) -> None:
    path = THEIRS / "config" / name / f"{name}_cifar10_40_0.yaml"
    if not path.exists():
        pytest.skip("third_party/torchssl is not checked out")
    theirs = yaml.safe_load(path.read_text())
    ours = settings(request_.under(name))
    assert {k: v for k, v in ours.items() if k not in OURS} == {
        k: v for k, v in theirs.items() if k not in OURS
    }
    if name == "mixmatch":
        assert ours["T"] == theirs["T"] == 0.5 and "hard_label" not in ours


@pytest.mark.parametrize("name", ENTRIES)
def test_each_setting_of_rung_4_has_one_place(name: str) -> None:
    entry = ENTRIES[name]
    fields = set(algorithms.of(name).fields)
    found = {field for field in fields if entry.argument(field)}
    assert found | set(entry.resolved) | {"precision"} == fields
    assert not found & set(entry.resolved)


def test_its_script_and_shim_are_asked_for(request_: Request, tmp_path: Path) -> None:
    argv = registry.create("torchssl-mixmatch").train_command(
        request_.under("mixmatch"), tmp_path
    ).argv  # fmt: skip
    assert argv[argv.index("--script") + 1] == "mixmatch.py"
    assert "--shim=saves-early" in argv
    before = registry.create("torchssl").train_command(request_, tmp_path).argv
    assert before[before.index("--loop") + 1] == "models.fixmatch.fixmatch:FixMatch"
    assert "--shim=saves-early" not in before


def test_another_algorithms_log_is_an_error(tmp_path: Path) -> None:
    side = registry.create("torchssl-mixmatch")
    log = side.log(tmp_path)
    log.parent.mkdir()
    log.write_bytes((LOGS / "torchssl-60-run0.txt").read_bytes())
    with pytest.raises(LogError, match=r"log\.txt: a log of fixmatch, and torchssl-mixmatch is of"):
        side.points(tmp_path, [50] * 10)
    assert registry.create("torchssl").points(tmp_path, [50] * 10)
    log.write_text(log.read_text().replace("alg='fixmatch'", "alg='mixmatch'"))
    assert side.points(tmp_path, [50] * 10)
    with pytest.raises(LogError, match="a log of mixmatch, and torchssl is of fixmatch"):
        registry.create("torchssl").points(tmp_path, [50] * 10)


def test_another_algorithms_log_of_ours_is_an_error(tmp_path: Path) -> None:
    side = registry.create("own-mixmatch")
    side.log(tmp_path).write_bytes((LOGS / "own-30.jsonl").read_bytes())
    with pytest.raises(LogError, match="a log of fixmatch, and own-mixmatch is of mixmatch"):
        side.points(tmp_path, [50] * 10)
    assert registry.create("own").points(tmp_path, [50] * 10)


def test_a_recorded_log_of_flexmatch_is_read(tmp_path: Path) -> None:
    side = registry.create("torchssl-flexmatch")
    log = side.log(tmp_path)
    log.parent.mkdir()
    log.write_bytes((LOGS / "torchssl-flexmatch-40.txt").read_bytes())
    points = side.points(tmp_path, [50] * 10)
    assert [(p.iteration, p.top1, p.mask) for p in points] == [
        (1, 12.0, 1.0), (21, 10.6, 1.0), (40, 10.0, None),
    ]  # fmt: skip
    assert side.settings(tmp_path)["threshold_warmup"].value is True
    with pytest.raises(LogError, match="a log of flexmatch, and torchssl is of fixmatch"):
        registry.create("torchssl").points(tmp_path, [50] * 10)


def test_what_a_resumed_flexmatch_loses_is_told() -> None:
    of_all = registry.create("torchssl").not_restored
    assert registry.create("torchssl-mixmatch").not_restored == of_all
    of_flexmatch = registry.create("torchssl-flexmatch").not_restored
    assert of_flexmatch[: len(of_all)] == of_all
    assert of_flexmatch[len(of_all) :] == (
        "what is learnt of each class, and so its threshold, is counted anew",
    )


class Loop:
    """A training loop that saves as seven of TorchSSL's do."""

    def __init__(self, it: int) -> None:
        self.it, self.saved = it, [""]

    def save_model(self, name: str, place: str) -> None:
        if self.it < 1000000:
            return
        self.saved = [f"{place}/{name} of {self.it + 1}"]


def test_a_short_run_is_saved_by_its_own_save_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Loop, "save_model", Loop.save_model)
    early = Loop(40)
    early.save_model("kept.pth", ".")
    assert early.saved == [""]
    loop.save_early(Loop)
    early.save_model("kept.pth", ".")
    assert early.saved == ["./kept.pth of 41"]
    assert type(early.it) is int and early.it == 40


class Data:
    """Two weak views of an image; the strong transform is there, and not used."""

    def __init__(self, strong: bool) -> None:
        self.strong = strong
        self.transform = self.strong_transform = lambda image: image + torch.rand(1).item()

    def __getitem__(self, index: int) -> tuple[int, float, float]:
        random.random()
        second = self.strong_transform if self.strong else self.transform
        return index, self.transform(0.0), second(np.random.rand())


@pytest.fixture
def states() -> Iterator[list[Any]]:
    """The next draw of each source of chance is what it would have been."""
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(7)
    yield [random.random(), np.random.rand(), torch.rand(1).item()]


@pytest.mark.parametrize(("strong", "views"), [(False, (2, 0)), (True, (1, 1))])
def test_views_are_counted_as_they_are_made_and_chance_goes_on(
    states: list[Any], strong: bool, views: tuple[int, int]
) -> None:
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(7)
    data = Data(strong)
    transform = data.transform
    assert resolved._views(data) == views
    assert data.transform is transform
    assert [random.random(), np.random.rand(), torch.rand(1).item()] == states


@pytest.mark.parametrize(
    ("drawn", "named"), [(0.7, "per batch"), (np.array([0.7, 0.2]), "per example")]
)
def test_one_coefficient_a_batch_is_told_from_one_an_example(
    drawn: Any, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self, *_: self)
    args = SimpleNamespace(gpu=0, alpha=0.5)
    assert resolved._coefficient(lambda *_, is_bias: (None, None, drawn), args) == named
