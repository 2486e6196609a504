"""Faults that meet our own FixMatch: what torch writes, and what it says when it cannot."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis import results
from harness.commands.console.terminal import Terminal
from harness.experiment.data import read_dataset
from harness.experiment.profile import load
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.implementations.own import Own
from harness.implementations.reported import Point
from harness.runs.attempt import Limits
from harness.runs.folder import Run, RunsFolder
from harness.runs.manifest import Manifest, Status, read_manifest
from harness.runs.train import train
from tests.conftest import use_fake, write_small_data
from tests.faults.comparison import child_in, kill, wait_for
from tests.faults.disk import small_disk

NAME = "40-seed0-own"
CHECKPOINT = f"runs/{NAME}/attempt-1/checkpoint.pt"
ITERATIONS = 24


class Training:
    """Our run in a results folder; no TorchSSL, and a checkpoint after every fourth iteration."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.request = Request(load("quick", ITERATIONS), read_dataset(data), 40, 0, "cpu")

    def run(self) -> str:
        out = io.StringIO()
        terminal = Terminal(Console(file=out, soft_wrap=True))
        runs = RunsFolder(self.folder / "runs")
        train(runs.planned(registry.create("own"), self.request), terminal, Limits(retries=0))
        return out.getvalue()

    def manifest(self) -> Manifest:
        found = read_manifest(self.folder / "runs" / NAME)
        assert found is not None
        return found

    def result(self) -> Run:
        [run] = results.load_all(self.folder)
        return run

    def evaluations(self) -> list[tuple[object, ...]]:
        """All that was logged but the time."""
        fields = [name for name in Point.__annotations__ if name != "seconds"]
        return [tuple(getattr(point, name) for name in fields) for point in self.result().points]


@pytest.fixture(scope="module", autouse=True)
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_fake(patch, tmp_path_factory.mktemp("none"))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # tests of own_impl measure it
        patch.setattr(Own, "checkpoint_every", 4)
        yield


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Killed half way, with a checkpoint."""
    folder = tmp_path_factory.mktemp("stopped")
    write_small_data(folder / "data")
    training = Training(folder / "quick", folder / "data")

    def kill_it() -> None:
        attempt = (training.folder / CHECKPOINT).parent
        wait_for(
            lambda: attempt.is_dir() and (registry.create("own").resumes_at(attempt) or 0) >= 8, 200
        )
        kill(child_in(training.folder, b"own_impl"))

    killer = threading.Thread(target=kill_it)
    killer.start()
    assert "killed by SIGKILL" in training.run()
    killer.join()
    return training


def copy(stopped: Training, folder: Path) -> Training:
    shutil.copytree(stopped.folder, folder / "quick", symlinks=True)
    return Training(folder / "quick", stopped.request.dataset.root)


@pytest.fixture(scope="module")
def expected(
    stopped: Training, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[object, ...]]:
    """The evaluations when it just goes on."""
    training = copy(stopped, tmp_path_factory.mktemp("expected"))
    assert "going on from iteration" in training.run()
    return training.evaluations()


def test_a_disk_with_no_room_for_the_next_checkpoint(
    stopped: Training, tmp_path: Path, expected: list[tuple[object, ...]]
) -> None:
    """Logs still fit; of the checkpoint torch says that a position is unexpected."""
    disk = tmp_path / "disk"
    with small_disk(disk, 32):
        training = copy(stopped, disk)
        before = registry.create("own").resumes_at((training.folder / CHECKPOINT).parent)
        balloon = disk / "balloon"
        balloon.write_bytes(bytes(shutil.disk_usage(disk).free - (1 << 18)))
        text = training.run()
        assert training.manifest().failure == "disk full" and "free some space" in text
        assert training.result().status is Status.FAILED
        assert registry.create("own").resumes_at((training.folder / CHECKPOINT).parent) == before
        balloon.unlink()
        assert f"going on from iteration {before}" in training.run()
        assert training.evaluations() == expected


def flip(content: bytes) -> bytes:
    """One bit, in the middle of the weights: torch alone would load it."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :]


def test_a_damaged_checkpoint_is_not_gone_on_from(
    stopped: Training, tmp_path: Path, expected: list[tuple[object, ...]]
) -> None:
    training = copy(stopped, tmp_path)
    checkpoint = training.folder / CHECKPOINT
    log = checkpoint.with_name("metrics.jsonl").read_bytes()
    checkpoint.write_bytes(flip(checkpoint.read_bytes()))
    text = training.run()
    assert "checkpoint.pt is damaged" in text and "training it anew" in text
    assert checkpoint.with_name("metrics.jsonl").read_bytes() == log
    assert training.manifest().attempt == 2
    assert training.evaluations() == expected
