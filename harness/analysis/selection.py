"""Which of a run's accuracies counts: four rules, never mixed. Accuracies are percent."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from harness.implementations.reported import Point


def best(points: Sequence[Point]) -> float | None:
    """The highest: chosen on the test set, so biased upwards by every further evaluation."""
    return max((p.top1 for p in points), default=None)


def last(points: Sequence[Point]) -> float | None:
    """That of the last evaluation."""
    return points[-1].top1 if points else None


def mean20(points: Sequence[Point]) -> float | None:
    """Mean of the last 20 evaluations; None where there are fewer."""
    return statistics.fmean(p.top1 for p in points[-20:]) if len(points) >= 20 else None


def median20(points: Sequence[Point]) -> float | None:
    """Median of the last 20 evaluations (the paper's rule); None where there are fewer."""
    return statistics.median(p.top1 for p in points[-20:]) if len(points) >= 20 else None


def begins(rule: str, points: Sequence[Point]) -> int | None:
    """The iteration from which on evaluations count under a rule over the last 20; else None."""
    over_several = rule in ("mean20", "median20") and len(points) >= 20
    return points[-20].iteration if over_several else None


RULES: dict[str, Callable[[Sequence[Point]], float | None]] = {
    "best": best,
    "last": last,
    "mean20": mean20,
    "median20": median20,
}
DESCRIPTIONS = {
    "best": "best evaluation, chosen on the test set",
    "last": "last evaluation",
    "mean20": "mean of the last 20 evaluations",
    "median20": "median of the last 20 evaluations",
}
SHORT = {
    "best": "best, chosen on the test set",
    "last": "last",
    "mean20": "mean of last 20",
    "median20": "median of last 20",
}


def in_use(wanted: str, evaluations: Sequence[int]) -> str:
    """The rule of a table over runs with so many evaluations: `wanted`, where any has enough.

    Runs too short for a rule over 20 evaluations are shown by their last one.
    """
    if evaluations and is_too_short(wanted, max(evaluations)):
        return "last"
    return wanted


def is_too_short(rule: str, evaluations: int) -> bool:
    """Whether a run of so many evaluations can have no accuracy under `rule`."""
    return rule in ("mean20", "median20") and evaluations < 20
