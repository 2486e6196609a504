"""Are accuracies in the unit that the format has? The values of the whole log tell."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import LogError
from harness.implementations.logs.curve import Entry
from harness.implementations.reported import Point

_LOW_TOP5 = 20.0  # percent: above any that goes with a top-1 of 1%


def percent(
    entries: Sequence[Entry], remedy: str = "multiply the accuracies by 100"
) -> list[Point]:
    """The points of a format that has percent. Raises LogError where they are fractions.

    They are where no accuracy of the log is over 1. Top-1 alone may be that low in percent where
    there are a hundred classes and little is learnt yet; top-5 then is low, but not that low.
    """
    points = [entry.point for entry in entries]
    top1 = max((point.top1 for point in points), default=0.0)
    top5 = max((point.top5 for point in points if point.top5 is not None), default=0.0)
    is_fraction = {"top1": 0 < top1 <= 1 and not 1 < top5 <= _LOW_TOP5, "top5": 0 < top5 <= 1}
    for name, largest in (("top1", top1), ("top5", top5)):
        if is_fraction[name]:
            line = next(entry.line for entry in entries if getattr(entry.point, name))
            raise LogError(
                f"{line.path}:{line.number}: {name} is a fraction here and below (at most "
                f"{largest:g}), and this format has percent; {remedy}"
            )
    return points


def fractions(entries: Sequence[Entry]) -> list[Point]:
    """The points of a format that has fractions, which its reader multiplied by 100.

    Raises LogError where they are percent, and for a line that alone has no fraction.
    """
    over = [e for e in entries if max(e.point.top1, e.point.top5 or 0.0) > 100]
    if not over:
        return [entry.point for entry in entries]
    line, point = over[0].line, over[0].point
    value = max(point.top1, point.top5 or 0.0) / 100
    if 2 * len(over) > len([entry for entry in entries if entry.point.top1 > 0]):
        raise LogError(
            f"{line.path}:{line.number}: accuracies are percent here ({value:g}), and this format "
            "has fractions; divide the accuracies by 100"
        )
    raise line.error(f"an accuracy of {value:g} is no fraction from 0 to 1")
