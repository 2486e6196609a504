"""How much arithmetic a step is."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode


def of_passes(
    network: nn.Module, inputs: torch.Tensor, forward_only: torch.Tensor | None = None
) -> int:
    """Floating-point operations of a forward and a backward pass of inputs (N, 3, H, W).

    Those of convolutions and matrix products, an addition and a multiplication counted as two.
    Those of a forward pass alone of `forward_only` are added.
    """
    targets = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(functional.cross_entropy(network(inputs), targets))
        if forward_only is not None:
            with torch.no_grad():
                network(forward_only)
    return int(counter.get_total_flops())
