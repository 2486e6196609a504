"""The network's forward pass: at the run's precision, and compiled if the settings say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from own_impl.config import Config


class CompileError(Exception):
    """The network could not be compiled; the message says why, and the remedy."""


class ForwardPass:
    """Call it with inputs (N, 3, H, W) for logits (N, classes); they are float32 after bf16.

    With `frozen_averages` batch norm normalises by the batch as ever and leaves its running
    averages, and the count of its batches, as they are.

    Raises CompileError, at the first call.
    """

    def __init__(self, network: nn.Module, config: Config) -> None:
        self._network = network
        self._batch_norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        self._compiled = torch.compile(network) if config.compile else None
        self._bf16 = config.precision == "bf16"

    def __call__(self, inputs: torch.Tensor, *, frozen_averages: bool = False) -> torch.Tensor:
        if frozen_averages:
            with self._frozen():
                return self(inputs)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bf16):
            logits = self._network(inputs) if self._compiled is None else self._run(inputs)
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

    def _run(self, inputs: torch.Tensor) -> torch.Tensor:
        """The compiled network; torch compiles it when it is first called."""
        assert self._compiled is not None
        try:
            logits: torch.Tensor = self._compiled(inputs)
        except Exception as error:
            from torch._dynamo.exc import TorchDynamoException  # takes seconds to load

            if not isinstance(error, TorchDynamoException):
                raise
            reason = next(line for line in str(error).splitlines() if line.strip())
            raise CompileError(
                f"--compile: torch cannot compile the network here ({reason.strip()}); "
                "put a C++ compiler on the PATH or name it in CXX, or use --no-compile"
            ) from error
        return logits
