"""The clock of a benchmark: what it waits for, and whose updates it notes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.implementations.custom.child import clock as clocks
from harness.implementations.custom.child.clock import Clock


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def _updates(clock: Clock, optimizer: Any, count: int) -> None:
    for _ in range(count):
        clock._before_step(optimizer)
        clock._after_step(optimizer)


def test_it_waits_for_the_device_before_each_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA an update is asked for long before it is made."""
    happened: list[str] = []

    def read() -> float:
        happened.append("read")
        return float(len(happened))

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: happened.append("waited"))
    monkeypatch.setattr(clocks.time, "perf_counter", read)
    clock = Clock({"iterations": 9})
    _updates(clock, _optimizer(), 3)
    assert happened == ["waited", "read"] * 3
    assert clock.times == [2.0, 4.0, 6.0]


def test_the_first_optimiser_counts() -> None:
    clock, first = Clock({"iterations": 9}), _optimizer()
    _updates(clock, first, 2)
    _updates(clock, _optimizer(), 3)
    _updates(clock, first, 1)
    assert len(clock.times) == 3


def test_tf32_convolutions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As TorchSSL's are, beside which it stands."""
    network = torch.nn.Conv2d(1, 1, 1)
    assert clocks._precision(network) == "fp32"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert clocks._precision(network) == "fp32, tf32 convolutions"
    assert clocks._precision(network.double()) == ""
