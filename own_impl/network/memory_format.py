"""How images and weights lie in memory."""

from __future__ import annotations

import torch

_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
_of_gpus = torch.channels_last


def choose(named: str, precision: str) -> None:
    """Settle for this process how they lie on a GPU: `contiguous`, `channels_last` or `auto`.

    Tensor cores work in channels last; fp32 in full has none, and its convolutions were 1.6 times
    slower in that order on a V100 (pytorch#44943). `make bench` times both.
    """
    global _of_gpus
    if named == "auto":
        named = "contiguous" if precision == "fp32" else "channels_last"
    _of_gpus = _FORMATS[named]


def memory_format(device: torch.device) -> torch.memory_format:
    """As `choose` settled it on a GPU; contiguous on a CPU.

    On a CPU channels last would save 18% of the convolutions' time, and cost their float32
    gradients four of seven digits (measured on WRN-10-1 against float64, torch 2.14, oneDNN on
    AVX2).
    """
    return _of_gpus if device.type == "cuda" else torch.contiguous_format
