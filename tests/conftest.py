"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.experiment.data import write_layout
from harness.implementations import registry
from tests.fakes import CONTENDERS, IMPLEMENTATIONS

REPOSITORY = Path(__file__).resolve().parent.parent
# Longest first: of two workers, one that begins such a file last would end alone.
LONGEST = (
    "harness/commands/test_torchssl_flow.py",
    "faults/test_foreign_flow.py",
    "faults/test_faults.py",
    "harness/commands/test_gpu_check.py",
    "harness/parity/test_ladder.py",
    "harness/runs/test_torchssl_resume.py",
    "harness/commands/test_simulated_cuda.py",
    "faults/test_foreign_faults.py",
    "faults/test_slurm.py",
    "harness/parity/test_ladder_mixmatch.py",
    "own_impl/test_own_on_simulated_cuda.py",
)


@pytest.fixture(autouse=True, scope="module")
def registry_of_its_own() -> Iterator[None]:
    """What a module's tests enter, or read of runs that are kept, no other module knows."""
    with pytest.MonkeyPatch.context() as patch:
        for known in ("_IMPLEMENTATIONS", "_FURTHER", "_BY_FILE", "_KEPT"):
            patch.setattr(registry, known, dict(getattr(registry, known)))
        yield


def pytest_configure() -> None:
    """A shell ignores Ctrl-C for what it starts in the background; tests that press it need it.

    Tests at once outnumber the cores, so that threads that wait must not spin.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """LONGEST begin first, all others stay in their order."""
    rank = {REPOSITORY / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(LONGEST)))


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No coverage is taken in what the test starts: what runs there is measured elsewhere.

    It takes a quarter more of the time that torch takes to load.
    """
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A small data set in CIFAR-10's layout: 40 training and 5 test images of each class."""
    root = tmp_path / "data set"  # the space is on purpose
    write_small_data(root)
    return root


def write_small_data(root: Path) -> None:
    """Always the same images."""
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (400, 32, 32, 3), dtype=np.uint8)
    test = random.integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    write_layout(root, train, np.arange(400) % 10, test, np.arange(50) % 10)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stand-in implementation is there, and TorchSSL is not."""
    use_fake(monkeypatch, tmp_path)


def use_fake(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """What the fixture `fake` does, for fixtures of a wider scope."""
    known = {**registry._IMPLEMENTATIONS, **IMPLEMENTATIONS}
    monkeypatch.setattr(registry, "_IMPLEMENTATIONS", known)
    monkeypatch.setattr(registry, "_FURTHER", dict(CONTENDERS))
    monkeypatch.setattr(registry, "_BY_FILE", {})
    monkeypatch.setattr(registry, "_KEPT", {})
    monkeypatch.setenv("TORCHSSL_DIR", str(folder / "no torchssl"))
