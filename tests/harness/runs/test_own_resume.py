"""Our FixMatch, killed half way: the rest is as if it had not been."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from harness.commands.console.terminal import Terminal
from harness.experiment.data import read_dataset
from harness.experiment.profile import load
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.implementations.own import Own
from harness.implementations.reported import Point
from harness.runs.attempt import Limits
from harness.runs.folder import RunsFolder
from harness.runs.train import train
from tests.faults.comparison import child_in, kill, wait_for


@pytest.mark.usefixtures("fake", "untraced")  # no TorchSSL: each draws its own weights
def test_a_resumed_run_equals_one_that_was_not_stopped(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(Own, "checkpoint_every", 4)
    request = Request(load("quick", 24), read_dataset(data_dir), 40, 0, "cpu")

    def run(folder: Path) -> str:
        out = io.StringIO()
        terminal = Terminal(Console(file=out, soft_wrap=True))
        planned = RunsFolder(folder / "runs").planned(registry.create("own"), request)
        train(planned, terminal, Limits(retries=1, backoff=0.01))
        return out.getvalue()

    whole, killed = (tmp_path / name for name in ("whole", "killed"))
    assert "going on" not in run(whole)

    def kill_it() -> None:
        attempt = attempt_of(killed)
        wait_for(
            lambda: attempt.is_dir() and (registry.create("own").resumes_at(attempt) or 0) >= 8, 200
        )
        kill(child_in(killed, b"own_impl"))

    killer = threading.Thread(target=kill_it)
    killer.start()
    text = run(killed)
    killer.join()

    assert "killed by SIGKILL" in text and "going on from iteration" in text
    expected, found = (evaluations(folder) for folder in (whole, killed))
    assert expected[-1][0] == 24 and found == expected
    weights = (load_file(attempt_of(f) / "final-ema.safetensors") for f in (whole, killed))
    before, after = weights
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def attempt_of(folder: Path) -> Path:
    return folder / "runs/40-seed0-own/attempt-1"


def evaluations(folder: Path) -> list[tuple[object, ...]]:
    """All that was logged but the time."""
    fields = [name for name in Point.__annotations__ if name != "seconds"]
    points = registry.create("own").points(attempt_of(folder), [5] * 10)
    return [tuple(getattr(point, name) for name in fields) for point in points]
