"""When the other's optimiser made each update, for a benchmark.

Between two updates nothing of this runs: the network's first training pass is looked at, and what
is said of the test images after the last update.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

from harness.implementations.custom.child import objects
from harness.implementations.custom.child.witness import watch_steps, write_json

TIMED = "timed.json"
SCHEMA = 1


class Clock:
    """In place of the witness; `asked` is what `entry` was told."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.updates = int(asked["iterations"])
        self.pid = os.getpid()
        self.optimizer: Any = None
        self.kind: Any = None  # the class of the network
        self.precision = ""
        self.times: list[float] = []  # seconds, of each update
        self.said: float | None = None  # seconds, of the last prediction after the last of them

    def install(self) -> None:
        """Begin to watch."""
        from torch.nn.modules import module

        self._watching = module.register_module_forward_pre_hook(self._before_forward)
        watch_steps(self._before_step, self._after_step)

    def end(self) -> None:
        """The process is at its end: write what it measured."""
        if os.getpid() != self.pid or not self.times:
            return
        import torch

        cuda: Any = torch.cuda
        on_gpu = cuda.is_initialized()
        content = {
            "schema": SCHEMA,
            "times": self.times,
            "evaluation": None if self.said is None else self.said - self.times[-1],
            "precision": self.precision,
            "peak_host_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "peak_device_bytes": cuda.max_memory_allocated() if on_gpu else None,
            "device": cuda.get_device_name() if on_gpu else "cpu",
            "threads": torch.get_num_threads(),
            "torch_version": str(torch.__version__),
        }
        write_json(TIMED, content)

    def _before_forward(self, module: Any, arguments: Any) -> None:
        """Until training's first forward pass: that is the network, and this its arithmetic."""
        if self.kind is not None or not module.training:
            return
        network = getattr(module, "module", module)  # without what spreads it over devices
        if next(network.parameters(), None) is None:
            return
        self.kind = type(network)
        self.precision = _precision(network)
        self._watching.remove()

    def _before_step(self, optimizer: Any) -> None:
        self.optimizer = self.optimizer or optimizer
        if optimizer is self.optimizer and len(self.times) == self.updates:
            sys.exit(0)  # it makes more than was asked for: it was timed, and that is all

    def _after_step(self, optimizer: Any) -> None:
        if optimizer is not self.optimizer:
            return
        _wait()
        self.times.append(time.perf_counter())
        if len(self.times) == self.updates:
            from torch.nn.modules import module

            module.register_module_forward_hook(self._after_forward)

    def _after_forward(self, module: Any, arguments: Any, output: Any) -> None:
        if type(module) is self.kind and not module.training:
            _wait()
            self.said = time.perf_counter()


def _wait() -> None:
    """Until the device has done what it was given."""
    import torch

    cuda: Any = torch.cuda
    if cuda.is_initialized():
        cuda.synchronize()


def _precision(network: Any) -> str:
    """As the bench's table names it: convolutions may be in tf32 where nobody says otherwise."""
    import torch

    cuda: Any = torch.cuda
    found = objects.precision(network)
    if found == "fp32" and cuda.is_initialized() and torch.backends.cudnn.allow_tf32:
        return "fp32, tf32 convolutions"
    return found
