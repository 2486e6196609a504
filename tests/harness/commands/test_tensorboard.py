"""Event files that TensorBoard itself reads back: the same tags for every implementation."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.commands import tensorboard
from harness.commands.console.terminal import Terminal
from harness.commands.tensorboard import TAGS, Export
from harness.errors import BadInput
from harness.implementations.logs.torchssl import read
from harness.runs.manifest import Manifest, Status, write_manifest
from tests.conftest import REPOSITORY

LOGS = REPOSITORY / "tests/logs"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run of each implementation, from recorded logs."""
    logs = {
        "own": ("metrics.jsonl", LOGS / "own-30.jsonl"),
        "torchssl": ("torchssl/log.txt", LOGS / "torchssl-60-run0.txt"),
    }
    for name, (place, log) in logs.items():
        manifest = Manifest(
            implementation=name,
            labels=40,
            seed=0,
            settings={"iterations": 60, "test_class_counts": [50] * 10},
            status=Status.DONE,
        )
        folder = tmp_path / "quick/runs" / f"40-seed0-{name}"
        write_manifest(folder, manifest)
        copy = folder / "attempt-1" / place
        copy.parent.mkdir(parents=True)
        copy.write_bytes(log.read_bytes())
    return tmp_path / "quick"


def scalars(folder: Path, field: str = "value") -> dict[str, list[tuple[int, float]]]:
    code = (
        "import json, sys\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "found = EventAccumulator(sys.argv[1]).Reload()\n"
        "print(json.dumps({tag: [[e.step, getattr(e, sys.argv[2])] for e in found.Scalars(tag)]"
        " for tag in found.Tags()['scalars']}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder), field],
        capture_output=True,
        text=True,
    )
    import json

    content: dict[str, Any] = json.loads(done.stdout)
    return {tag: [(step, value) for step, value in pairs] for tag, pairs in content.items()}


def test_both_implementations_have_the_same_tags_and_only_news_is_added(results: Path) -> None:
    log = results / "runs/40-seed0-own/attempt-1/metrics.jsonl"
    whole = log.read_text()
    log.write_text("".join(whole.splitlines(keepends=True)[:3]))  # two evaluations
    export = Export(results)
    assert export.update() == 2 + 4
    assert export.update() == 0
    log.write_text(whole)
    assert export.update() == 1
    own, theirs = (scalars(results / ".tensorboard" / f"40-seed0-{n}") for n in ("own", "torchssl"))
    evaluated, trained = ("top1", "top5", "loss"), ("loss", "loss_x", "loss_u", "mask")
    tags = {f"eval/{name}" for name in evaluated} | {f"train/{name}" for name in trained}
    assert set(own) == set(theirs) == set(TAGS.values()) == tags
    assert own["eval/top1"] == [(10, pytest.approx(13.2)), (20, pytest.approx(12.4)),
                                     (30, pytest.approx(13.4))]  # fmt: skip
    assert [step for step, _ in theirs["eval/top1"]] == [1, 21, 41, 60]


def test_a_run_that_is_trained_anew_replaces_its_curve(results: Path) -> None:
    export = Export(results)
    export.update()
    log = results / "runs/40-seed0-own/attempt-1/metrics.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text(lines[0] + lines[1].replace('"top1": 13.2', '"top1": 20.0'))
    assert export.update() != 0
    curve = scalars(results / ".tensorboard/40-seed0-own")["eval/top1"]
    assert curve == [(10, pytest.approx(20.0))]


def test_a_run_that_was_moved_away_leaves_no_curve(results: Path) -> None:
    Export(results).update()
    (results / "runs/40-seed0-torchssl").rename(results / "kept elsewhere")
    assert Export(results).update() == 3
    assert [path.name for path in (results / ".tensorboard").iterdir()] == ["40-seed0-own"]


def test_wall_times_are_seconds_and_never_go_back(results: Path) -> None:
    log = results / "runs/40-seed0-torchssl/attempt-1/torchssl/log.txt"
    last = read(log)[-1]
    assert last.seconds is not None
    Export(results).update()
    known = scalars(results / ".tensorboard/40-seed0-torchssl", "wall_time")[TAGS["top1"]]
    assert known[-1] == (60, pytest.approx(last.seconds))
    text = log.read_text()
    set_back = re.sub(r"^\[2026(?=\S+ \S+ INFO\] 40 iteration,)", "[2025", text, flags=re.MULTILINE)
    log.write_text(set_back)
    points = read(log)
    assert points[2].seconds is None
    Export(results).update()
    found = scalars(results / ".tensorboard/40-seed0-torchssl", "wall_time")[TAGS["top1"]]
    assert found == [*known[:2], (41, known[1][1]), known[3]]


def test_without_serving_the_command_is_said(results: Path) -> None:
    out = io.StringIO()
    terminal = Terminal(Console(file=out, soft_wrap=True))
    tensorboard.show(results, terminal, serve=False)
    assert "7 evaluations in" in out.getvalue() and "tensorboard --logdir" in out.getvalue()
    with pytest.raises(BadInput, match="'make compare' makes some"):
        tensorboard.show(results / "nothing", terminal)


def test_a_port_that_is_taken_is_said(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(tensorboard, "EVERY_SECONDS", 0.2)
    with socket.socket() as taken, pytest.raises(BadInput, match=r"PORT \d+: .*name another one"):
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        tensorboard.show(results, Terminal(Console(file=io.StringIO())), port=port)
