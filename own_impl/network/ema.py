"""Exponential moving average of the weights, which is what FixMatch evaluates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Ema:
    """ema <- decay * ema + (1 - decay) * weight, over parameters only, one multi-tensor update.

    Batch-norm statistics are averages already: evaluation uses the network's own (as TorchSSL).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self.average = {name: p.detach().clone() for name, p in network.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        weights: list[torch.Tensor] = list(self.network.parameters())
        averages = list(self.average.values())
        torch._foreach_mul_(averages, self.decay)
        torch._foreach_add_(averages, weights, alpha=1 - self.decay)

    @contextmanager
    def applied(self) -> Iterator[nn.Module]:
        """The network with the averaged weights in place of its own, for evaluation."""
        own = {name: p.data for name, p in self.network.named_parameters()}
        try:
            for name, p in self.network.named_parameters():
                p.data = self.average[name]
            yield self.network
        finally:
            for name, p in self.network.named_parameters():
                p.data = own[name]
