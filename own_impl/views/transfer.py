"""Small arrays from the host to the device, without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def send(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[torch.Tensor]:
    """The arrays on the device: to a GPU in one copy from pinned memory, without waiting for it.

    Each must fill a multiple of eight bytes.
    """
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    if device.type == "cpu" or not tensors:
        return tensors
    whole = packed(tensors).pin_memory().to(device, non_blocking=True)
    return unpacked(whole, tensors)


def packed(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """All the bytes of the tensors, one after the other, as int64."""
    return torch.cat([tensor.view(-1).view(torch.int64) for tensor in tensors])


def unpacked(whole: torch.Tensor, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Undo `packed`: tensors with shapes and types of `like`, that share the memory of `whole`."""
    parts = torch.split(whole, [tensor.nbytes // 8 for tensor in like])
    return [
        part.view(tensor.dtype).view(tensor.shape) for part, tensor in zip(parts, like, strict=True)
    ]


def constant(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """An array that never changes, on the device; sent there once and kept."""
    return _kept(array.tobytes(), array.dtype.str, device)


@cache
def _kept(content: bytes, dtype: str, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(content, dtype).copy()).to(device)
