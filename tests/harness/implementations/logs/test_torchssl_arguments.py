"""The settings that TorchSSL resolved, from its own 'Arguments:' line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import LogError
from harness.implementations.logs.torchssl import arguments
from tests.conftest import REPOSITORY

HEAD = "[2024-01-02 03:04:05,678 INFO] "


def log(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("".join(f"{HEAD}{line}\n" for line in lines))
    return path


def test_a_recorded_log() -> None:
    found = arguments(REPOSITORY / "tests" / "logs" / "torchssl-60-run0.txt")
    assert found["num_train_iter"] == 60
    assert found["dataset"] == "cifar10"
    assert isinstance(found["lr"], float)


def test_values_of_all_kinds_and_the_last_start_decides(tmp_path: Path) -> None:
    first = "Arguments: Namespace(lr=0.1, amp=False)"
    last = "Arguments: Namespace(lr=0.03, amp=True, load_path=None, c='a, b=1', odd=<class 'x'>)"
    with pytest.raises(LogError, match=r"log\.txt:2: the arguments cannot be read"):
        arguments(log(tmp_path, first, last))
    found = arguments(log(tmp_path, first, last.replace(", odd=<class 'x'>", ", odd=f()")))
    assert found == {"lr": 0.03, "amp": True, "load_path": None, "c": "a, b=1"}


def test_none_before_the_line(tmp_path: Path) -> None:
    assert arguments(log(tmp_path, "USE GPU: 0 for training")) == {}
