"""The network's forward pass, at the run's precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from own_impl.config import Config
from own_impl.network.compiled import compiled


class ForwardPass:
    """Call it with inputs (N, 3, H, W) for logits (N, classes); they are float32 after bf16.

    With `frozen_averages` batch norm normalises by the batch as ever and leaves its running
    averages, and the count of its batches, as they are.

    With `compile` the network is compiled by itself; then the first call raises CompileError.
    """

    def __init__(self, network: nn.Module, config: Config, *, compile: bool = False) -> None:
        self._batch_norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        self._network = compiled(network) if compile else network
        self._bf16 = config.precision == "bf16"

    def __call__(self, inputs: torch.Tensor, *, frozen_averages: bool = False) -> torch.Tensor:
        if frozen_averages:
            with self._frozen():
                return self(inputs)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bf16):
            logits: torch.Tensor = self._network(inputs)
        return logits.float() if self._bf16 else logits

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        """In training mode batch norm without running averages: there are none to be moved."""
        try:
            for batch_norm in self._batch_norms:
                batch_norm.track_running_stats = False
            yield
        finally:
            for batch_norm in self._batch_norms:
                batch_norm.track_running_stats = True
