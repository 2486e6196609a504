from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from own_impl import metrics as module
from own_impl.config import Config
from own_impl.evaluate import Evaluation
from own_impl.metrics import Metrics

VALUES = {
    "lr": 0.03,
    "data_time": 0.0125,
    "batch_time": 0.5,
    "loss": 2.25,
    "loss_x": 2.0,
    "loss_u": 0.25,
    "mask": 0.75,
}
LINE = (
    "Train Epoch: 2/3. Iter: 1/4. LR: 0.0300. Data: 0.013s. Batch: 0.500s. "
    "Loss: 2.2500. Loss_x: 2.0000. Loss_u: 0.2500. Mask: 0.75."
)


@pytest.fixture
def metrics(tiny: Callable[..., Config]) -> Metrics:
    config = tiny(iterations=10, iterations_per_epoch=4)
    config.out.mkdir()
    return Metrics(config)


def test_each_line_has_kind_and_schema(metrics: Metrics) -> None:
    metrics.write("start", settings={"out": Path("a b")})
    metrics.write("end", iteration=3)
    lines = [json.loads(line) for line in metrics.path.read_text().splitlines()]
    assert lines == [
        {"kind": "start", "schema": 1, "settings": {"out": "a b"}},
        {"kind": "end", "schema": 1, "iteration": 3},
    ]


def test_progress_json_is_the_last_iteration(metrics: Metrics) -> None:
    metrics.progress(4, VALUES, 1.0)
    metrics.progress(5, VALUES, 2.5)
    progress = json.loads((metrics.config.out / "progress.json").read_text())
    assert progress == {"iteration": 5, "iterations": 10, "seconds": 2.5, **VALUES}
    assert [p.name for p in metrics.config.out.iterdir()] == ["progress.json"]


def test_progress_is_due_about_once_a_second(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    assert metrics.due()
    metrics.progress(1, VALUES, 0.0)
    now = 100.9
    assert not metrics.due()
    now = 101.0
    assert metrics.due()


def test_an_evaluation_prints_the_progress_line_and_the_accuracy(
    metrics: Metrics, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics.evaluation(5, VALUES, Evaluation(top1=61.256, top5=98.0, loss=1.5))
    assert capsys.readouterr().err.splitlines() == [
        LINE,
        "Test Iter: 5/10. Loss: 1.5000. top1: 61.26. top5: 98.00.",
    ]


def test_the_last_iteration_of_an_epoch_belongs_to_it(
    metrics: Metrics, capsys: pytest.CaptureFixture[str]
) -> None:
    for iteration in (1, 4, 8, 10):
        metrics.evaluation(iteration, VALUES, Evaluation(1.0, 2.0, 3.0))
    lines = capsys.readouterr().err.splitlines()[::2]
    assert [line.split(". LR")[0] for line in lines] == [
        "Train Epoch: 1/3. Iter: 1/4",
        "Train Epoch: 1/3. Iter: 4/4",
        "Train Epoch: 2/3. Iter: 4/4",
        "Train Epoch: 3/3. Iter: 2/4",
    ]


def test_only_a_terminal_gets_a_line_that_changes(
    tiny: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tiny(iterations=10, iterations_per_epoch=4)
    config.out.mkdir()
    Metrics(config).progress(5, VALUES, 0.0)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    terminal = Metrics(config)
    terminal.progress(5, VALUES, 0.0)
    assert capsys.readouterr().err == "\r\x1b[K" + LINE
    terminal.evaluation(5, VALUES, Evaluation(1.0, 2.0, 3.0))
    assert capsys.readouterr().err.startswith("\r\x1b[K" + LINE + "\n")
