"""What replaces something that this machine, data set or torch lacks; each only if asked for.

- `cuda-on-cpu`: calls that want CUDA do their work on the CPU.
- `data-sums`: torchvision reads a CIFAR-10 layout whose md5 sums are not CIFAR-10's, whose labels
  may be whole numbers of any NumPy type, and which NumPy 2 may have written where 1 reads it.
- `loader-next`: iterators of a DataLoader have `.next()`, which torch has dropped.
- `torch-six`: the module `torch._six`, which torch has dropped.
- `np-int`: `np.int`, `np.float` and `np.bool`, which NumPy has dropped.

A stub is a module that is imported and not needed.
"""

from __future__ import annotations

import collections.abc
import importlib
import importlib.machinery
import importlib.util
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np


def stub(name: str) -> None:
    """Let `import name` succeed; whatever is asked of it is an empty class."""

    class Stub(types.ModuleType):
        def __getattr__(self, key: str) -> Any:
            if key.startswith("__"):
                raise AttributeError(key)
            return type(key, (), {})

    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        whole = ".".join(parts[:depth])
        if whole not in sys.modules:
            module = Stub(whole)
            module.__spec__ = importlib.machinery.ModuleSpec(whole, None)
            module.__path__ = []
            sys.modules[whole] = module


def cuda_on_cpu() -> None:
    import torch

    class CpuEvent:
        """Stands in for torch.cuda.Event: the CPU works in step with its clock."""

        def __init__(self, *_: Any, **__: Any) -> None:
            self.time = time.perf_counter()

        def record(self, *_: Any) -> None:
            self.time = time.perf_counter()

        def elapsed_time(self, end: Any) -> float:
            return (float(end.time) - self.time) * 1000.0

    spread: Any = torch.nn.DataParallel

    class Alone(spread):  # type: ignore[misc]
        """One device, which is the CPU."""

        def __init__(self, module: Any, *_: Any, **__: Any) -> None:
            torch.nn.Module.__init__(self)
            self.module, self.dim = module, 0
            self.device_ids: list[int] = []
            self.output_device = None

    cuda: Any = torch.cuda
    cuda.is_available = lambda: True
    cuda.Event = CpuEvent
    said = {"device_count": 1, "current_device": 0, "get_device_name": "cpu"}
    said.update({"memory_allocated": 0, "max_memory_allocated": 0})
    for name, value in said.items():
        setattr(cuda, name, lambda *_, _value=value, **__: _value)
    for name in ("set_device", "synchronize", "manual_seed", "manual_seed_all", "empty_cache"):
        setattr(cuda, name, lambda *_, **__: None)
    parallel: Any = torch.nn
    parallel.DataParallel = Alone
    kinds: Any = (torch.Tensor, torch.nn.Module)
    for kind in kinds:
        kind.cuda = lambda self, *_, **__: self
        kind.to = _to_here(kind.to)
    _pin_nothing()


def _to_here(to: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    def here(value: Any) -> Any:
        device = value.type if isinstance(value, torch.device) else value
        is_cuda = isinstance(device, str) and device.split(":")[0] == "cuda"
        return torch.device("cpu") if is_cuda else value

    def to_here(self: Any, *arguments: Any, **named: Any) -> Any:
        return to(self, *map(here, arguments), **{key: here(value) for key, value in named.items()})

    return to_here


def _pin_nothing() -> None:
    """Pinned memory is CUDA's."""
    from torch.utils.data import DataLoader

    loader: Any = DataLoader
    init = loader.__init__

    def unpinned(self: Any, *arguments: Any, **named: Any) -> None:
        if named.get("pin_memory"):
            named["pin_memory"] = False
        init(self, *arguments, **named)

    loader.__init__ = unpinned


def data_sums() -> None:
    from torchvision.datasets import CIFAR10

    cifar10: Any = CIFAR10
    cifar10.train_list = [[name, None] for name, _ in CIFAR10.train_list]
    cifar10.test_list = [[name, None] for name, _ in CIFAR10.test_list]
    cifar10.meta = dict(CIFAR10.meta, md5=None)
    read = cifar10.__init__

    def read_with_plain_labels(self: Any, *arguments: Any, **named: Any) -> None:
        read(self, *arguments, **named)
        self.targets = [int(label) for label in self.targets]  # torch's losses take no int32

    cifar10.__init__ = read_with_plain_labels
    if importlib.util.find_spec("numpy._core") is None:
        for name in ("", ".multiarray", ".numeric"):
            sys.modules["numpy._core" + name] = importlib.import_module("numpy.core" + name)


def loader_next() -> None:
    from torch.utils.data import dataloader

    iterator: Any = dataloader._BaseDataLoaderIter
    iterator.next = iterator.__next__


def torch_six() -> None:
    module: Any = types.ModuleType("torch._six")
    module.int_classes, module.string_classes, module.inf = int, str, float("inf")
    module.container_abcs = collections.abc
    sys.modules["torch._six"] = module


def np_int() -> None:
    numpy: Any = np
    for name, kind in (("int", int), ("float", float), ("bool", bool)):
        if name not in np.__dict__:
            setattr(numpy, name, kind)


SHIMS: dict[str, Callable[[], None]] = {
    "cuda-on-cpu": cuda_on_cpu,
    "data-sums": data_sums,
    "loader-next": loader_next,
    "torch-six": torch_six,
    "np-int": np_int,
}
