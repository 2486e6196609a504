"""`torch.cuda` of the simulated device, and what else of torch asks for a driver.

SIMULATED_GPUS says how many there are; CUDA_VISIBLE_DEVICES hides some, as ever.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch

from tests.simulated_cuda import memory
from tests.simulated_cuda.memory import STATE

NAME = "Simulated GPU"
GIB = 1 << 30


def visible() -> list[int]:
    """The devices of the machine that this process may use."""
    there = int(os.environ.get("SIMULATED_GPUS", "1"))
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(there))
    return [int(n) for n in named.split(",") if n.strip() and int(n) < there]


class Stream:
    """Work is done when it is asked for: a stream has nothing to wait for."""

    def __init__(self, *_: Any, **__: Any) -> None:
        memory.initialize()

    def synchronize(self) -> None:
        synchronize()

    def wait_stream(self, _: Stream) -> None: ...

    def wait_event(self, _: Event) -> None: ...

    def query(self) -> bool:
        return True


class Event:
    """Its time is only known once it was recorded and the host has waited since."""

    def __init__(self, enable_timing: bool = False, *_: Any, **__: Any) -> None:
        self.timing = enable_timing
        self.time: float | None = None
        self.at = -1

    def record(self, *_: Any) -> None:
        memory.initialize()
        self.time, self.at = time.perf_counter(), STATE.synchronized

    def synchronize(self) -> None:
        synchronize()

    def query(self) -> bool:
        return self.time is None or STATE.synchronized > self.at

    def elapsed_time(self, end: Event) -> float:
        if not (self.timing and end.timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self.time is None or end.time is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        if not (self.query() and end.query()):
            raise RuntimeError("CUDA error: device not ready")
        return 1000 * (end.time - self.time)


def synchronize(*_: Any) -> None:
    memory.initialize()
    STATE.synchronized += 1


def get_device_name(device: Any = None) -> str:
    return str(get_device_properties(device).name)


def get_device_properties(device: Any = None) -> SimpleNamespace:
    from tests.simulated_cuda.mode import index_of

    memory.initialize()
    index = index_of("cuda" if device is None else device)
    if index is None or index >= len(visible()):
        raise AssertionError("Invalid device id")
    about = {"major": 9, "minor": 0, "total_memory": 80 * GIB, "multi_processor_count": 132}
    return SimpleNamespace(name=NAME, **about)


def set_sync_debug_mode(mode: int | str) -> None:
    # So does the real one, each time.
    warnings.warn(
        "Synchronization debug mode is a prototype feature and does not yet detect all "
        "synchronizing operations",
        stacklevel=2,
    )
    STATE.sync_mode = {"default": 0, "warn": 1, "error": 2}.get(mode, mode)  # type: ignore[arg-type,assignment]


def set_device(device: Any) -> None:
    from tests.simulated_cuda.mode import index_of

    memory.initialize()
    index = index_of(device)
    assert index is not None
    STATE.current = index


def manual_seed_all(seed: int) -> None:
    for index in range(len(visible())):
        STATE.generators.setdefault(index, torch.Generator()).manual_seed(seed)


def _generator(device: Any = None) -> torch.Generator:
    return STATE.generators.setdefault(STATE.current, torch.Generator())


def _allocated_peak(*_: Any) -> int:
    memory.allocated()
    return STATE.peak


def _reset_peak(*_: Any) -> None:
    STATE.peak = 0
    memory.allocated()


def _tag(storage: Any) -> str | None:
    """For torch.save: where a storage lies."""
    note = STATE.notes.get(storage._cdata)
    return f"cuda:{note.place}" if note is not None and note.place != "pinned" else None


def _restore(storage: Any, location: str) -> Any:
    """For torch.load: the same, from a file or from map_location."""
    from tests.simulated_cuda.mode import index_of

    if not location.startswith("cuda"):
        return None
    if not visible():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is "
            "False."
        )
    index = index_of(location)
    assert index is not None
    memory.put_storage(storage, index)
    return storage


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "is_available": lambda: bool(visible()),
    "device_count": lambda: len(visible()),
    "init": memory.initialize,
    "is_initialized": lambda: STATE.initialized,
    "_lazy_init": memory.initialize,
    "current_device": lambda: STATE.current,
    "set_device": set_device,
    "get_device_name": get_device_name,
    "get_device_properties": get_device_properties,
    "get_device_capability": lambda *_: (9, 0),
    "is_bf16_supported": lambda *_, **__: True,
    "is_current_stream_capturing": lambda: False,
    "synchronize": synchronize,
    "current_stream": lambda *_: Stream(),
    "default_stream": lambda *_: Stream(),
    "stream": lambda _: nullcontext(),
    "Stream": Stream,
    "Event": Event,
    "memory_allocated": lambda *_: memory.allocated(),
    "max_memory_allocated": _allocated_peak,
    "reset_peak_memory_stats": _reset_peak,
    "empty_cache": lambda: None,
    "mem_get_info": lambda *_: (80 * GIB - memory.allocated(), 80 * GIB),
    "set_sync_debug_mode": set_sync_debug_mode,
    "get_sync_debug_mode": lambda: STATE.sync_mode,
    "manual_seed": lambda seed: _generator().manual_seed(seed),
    "manual_seed_all": manual_seed_all,
    "get_rng_state": lambda *_: _generator().get_state(),
    "set_rng_state": lambda state, *_: _generator().set_state(state),
}


def patch(stack: ExitStack) -> None:
    """Put all of it in place, until `stack` is closed."""
    for name, value in FUNCTIONS.items():
        stack.enter_context(mock.patch.object(torch.cuda, name, value))
    # A CPU's bf16 in place of the device's: the same types come out of it.
    begin = torch.autocast.__init__

    def autocast(self: Any, device_type: str, *arguments: Any, **named: Any) -> None:
        begin(self, "cpu" if device_type == "cuda" else device_type, *arguments, **named)

    stack.enter_context(mock.patch.object(torch.autocast, "__init__", autocast))
    # What inductor would make for a GPU cannot be run here; the network is run as it is.
    stack.enter_context(mock.patch.object(torch, "compile", lambda what, *_, **__: what))
    packages = list(torch.serialization._package_registry)
    torch.serialization.register_package(1, _tag, _restore)

    def forget() -> None:
        torch.serialization._package_registry[:] = packages

    stack.callback(forget)
