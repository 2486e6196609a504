"""How images and weights lie in memory."""

from __future__ import annotations

import torch


def memory_format(device: torch.device) -> torch.memory_format:
    """Channels last on a GPU, whose tensor cores work in that order; contiguous on a CPU.

    On a CPU it would save 18% of the convolutions' time, and cost their float32 gradients four of
    seven digits (measured on WRN-10-1 against float64, torch 2.14, oneDNN on AVX2).
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format
