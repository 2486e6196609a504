"""Which storages lie on the device, in pinned memory, or on the CPU.

A storage is known by its address. A weak reference keeps that address from being used again, so
that what is noted of it cannot pass to another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

LOOK_EVERY = 64  # notes between two looks at which storages are gone


@dataclass
class _Note:
    reference: Any
    place: int | str  # the device's index, or 'pinned'
    size: int


@dataclass
class Memory:
    """All that is noted, and what the host and the device did to each other."""

    notes: dict[int, _Note] = field(default_factory=dict)
    peak: int = 0
    waits: int = 0  # of the host for the device, other than by `synchronize`
    synchronized: int = 0
    sync_mode: int = 0  # of set_sync_debug_mode: 0 nothing, 1 warn, 2 error
    initialized: bool = False
    forked: bool = False
    current: int = 0
    generators: dict[int, torch.Generator] = field(default_factory=dict)


STATE = Memory()


def after_fork() -> None:
    """Where the parent uses CUDA, the child cannot."""
    STATE.forked = STATE.initialized


os.register_at_fork(after_in_child=after_fork)


def initialize() -> None:
    """The first use of the device."""
    if STATE.forked:
        raise RuntimeError(
            "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you "
            "must use the 'spawn' start method"
        )
    STATE.initialized = True


def place_of(tensor: torch.Tensor) -> int | str | None:
    """The device's index, 'pinned', or None: pageable memory."""
    with torch._C.DisableTorchFunction():
        note = STATE.notes.get(tensor.untyped_storage()._cdata)
    return note.place if note is not None else None


def put(tensor: torch.Tensor, place: int | str) -> torch.Tensor:
    """Note where the storage of `tensor` lies."""
    with torch._C.DisableTorchFunction():
        put_storage(tensor.untyped_storage(), place)
    return tensor


def put_storage(storage: torch.UntypedStorage, place: int | str) -> None:
    """Note where it lies."""
    key = storage._cdata
    known = STATE.notes.get(key)
    if known is not None and known.place == place:
        return
    if place != "pinned":
        initialize()
    STATE.notes[key] = _Note(StorageWeakRef(storage), place, storage.nbytes())
    if len(STATE.notes) % LOOK_EVERY == 0:
        allocated()


def allocated() -> int:
    """Bytes on the device; forgets the storages that are gone."""
    for key in [key for key, note in STATE.notes.items() if note.reference.expired()]:
        del STATE.notes[key]
    now = sum(note.size for note in STATE.notes.values() if note.place != "pinned")
    STATE.peak = max(STATE.peak, now)
    return now


def wait(why: str) -> None:
    """The host waits for the device. Raises RuntimeError where that is an error."""
    STATE.waits += 1
    if STATE.sync_mode == 2:
        raise RuntimeError(f"called a synchronizing CUDA operation: {why}")
