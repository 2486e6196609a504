"""Intervals: pure functions, arithmetic by scipy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float | None]:
    """Mean, and half-width of its Student t interval at `level`; None for fewer than two values."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, None
    error = float(stats.sem(values))
    return mean, float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * error
