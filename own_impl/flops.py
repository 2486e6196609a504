"""How much arithmetic a step is, and how much the machine can do: the floor of its time."""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices multiplied, by kind of device
REPETITIONS = 10


def of_passes(network: nn.Module, inputs: torch.Tensor) -> int:
    """Floating-point operations of a forward and a backward pass of inputs (N, 3, H, W).

    Those of convolutions and matrix products, an addition and a multiplication counted as two.
    """
    targets = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(functional.cross_entropy(network(inputs), targets))
    return int(counter.get_total_flops())


def of_matmul_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """The most that this device reached in products of two square matrices."""
    side = SIDE[device.type]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    fastest = min(_seconds(left, right) for _ in range(REPETITIONS))
    return float(2 * side**3 / fastest)


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    _wait(left.device)
    began = time.perf_counter()
    torch.mm(left, right)
    _wait(left.device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
