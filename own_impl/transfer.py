"""Small arrays from the host to the device, without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def send(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[torch.Tensor]:
    """The arrays on the device; to a GPU in one copy, from pinned memory, that nobody waits for.

    Each must fill a multiple of eight bytes.
    """
    arrays = [np.ascontiguousarray(array) for array in arrays]
    tensors = [torch.from_numpy(array) for array in arrays]
    if device.type == "cpu":
        return tensors
    packed = torch.cat([tensor.view(-1).view(torch.int64) for tensor in tensors])
    whole = packed.pin_memory().to(device, non_blocking=True)
    parts = torch.split(whole, [array.nbytes // 8 for array in arrays])
    return [
        part.view(tensor.dtype).view(tensor.shape)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def constant(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """An array that never changes, on the device; sent there once and kept."""
    return _kept(array.tobytes(), array.dtype.str, device)


@cache
def _kept(content: bytes, dtype: str, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(content, dtype).copy()).to(device)
