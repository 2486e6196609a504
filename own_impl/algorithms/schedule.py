"""Learning rate: the paper's 7/16 cosine (section 2.4), after an optional linear warm-up."""

from __future__ import annotations

import math


def learning_rate(lr: float, iteration: int, total: int, warmup: int = 0) -> float:
    """Learning rate of update `iteration`, counted from 0, of `total`.

    lr * cos(7 pi k / 16 K) with k and K counted from the end of the warm-up, during which the rate
    rises linearly to lr.
    """
    if iteration < warmup:
        return lr * iteration / warmup
    progress = (iteration - warmup) / max(1, total - warmup)
    return lr * max(0.0, math.cos(7 / 16 * math.pi * progress))
