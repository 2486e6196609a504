"""Values in the order in which they were logged -> evaluations, as a log's options say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from harness.implementations.logs import curve, units
from harness.implementations.logs.curve import Curve
from harness.implementations.logs.described.options import ITERATION, LogOptions
from harness.implementations.logs.text import Line
from harness.implementations.reported import Point

REMEDY = "say 'scale: {top1: 100}' where the log is described, and top5 too if it is one"


class Rows:
    """Takes what one rank logged, in order; `curve` is what it evaluated so far.

    An evaluation is whatever has a top1. It takes the values logged with it, and of losses and mask
    those logged last before it.
    """

    def __init__(self, options: LogOptions) -> None:
        self.curve = Curve()
        self._options = options
        self._pending: dict[str, float] = {}
        self._line: Line | None = None  # that of the pending top1
        self._iteration: int | None = None
        self._count = 0

    def start(self) -> None:
        """A process begins: what it evaluates again takes the place of what was."""
        self.end()
        self._pending, self._iteration = {}, None
        self.curve.start()

    def take(self, values: Mapping[str, float], line: Line) -> None:
        """Take values by the names of `Point`, not scaled yet. Raises LogError."""
        values = dict(values)
        counted = values.pop(ITERATION, None)
        if counted is not None:
            self._go_to(self._updates(counted, line), line)
        is_next = counted is None and bool(values.keys() & self._pending.keys())
        if self._line is not None and (is_next or "top1" in values):
            self.end()
        self._pending |= values
        if "top1" in values:
            self._line = line

    def end(self) -> None:
        """Nothing more comes that belongs to the last evaluation. Raises LogError."""
        if self._line is None:
            return
        line, pending = self._line, self._pending
        self._line, self._pending = None, {}
        self.curve.add(self._point(pending, line), line)

    def _go_to(self, iteration: int, line: Line) -> None:
        before = self._iteration
        if iteration == before:
            return
        self.end()
        if before is not None and iteration < before:
            if self._options.start:
                raise line.error(
                    f"iteration {iteration} after {before}, and no line {self._options.start!r} "
                    "between: two runs in one file"
                )
            self.start()
        self._iteration = iteration

    def _updates(self, counted: float, line: Line) -> int:
        counting = self._options.iteration
        if not float(counted).is_integer():
            raise line.error(f"iteration {counted:g} is no whole number")
        updates = int(counted) * counting.times + counting.plus
        if updates < 0:
            raise line.error(f"iteration {updates} is below 0 (see iteration.plus)")
        return updates

    def _point(self, pending: Mapping[str, float], line: Line) -> Point:
        scaled = {
            name: round(value * self._options.scale.get(name, 1), 10)
            for name, value in pending.items()
        }
        for name in ("top1", "top5"):
            if name in scaled and not 0 <= scaled[name] <= 100:
                by = self._options.scale.get(name)
                how = f", scaled by {by:g}" if by else ""
                raise line.error(f"{name} {scaled[name]:g}{how} is no percentage from 0 to 100")
        if self._iteration is None and self._is_counted_in_log:
            raise line.error("an evaluation, and no iteration in or above its line")
        iteration = self._iteration
        if iteration is None:
            iteration = self._updates(self._count, line)
            self._count += 1
        return Point(iteration=iteration, **scaled)

    @property
    def _is_counted_in_log(self) -> bool:
        options = self._options
        if options.reader == "text":
            return any(f"(?P<{ITERATION}>" in pattern for pattern in options.pattern)
        return options.reader == "tensorboard" or ITERATION in options.points


def points(ranks: Iterable[Rows]) -> list[Point]:
    """The evaluations of all ranks together. Raises LogError."""
    together = list(ranks)
    for rank in together:
        rank.end()
    return units.percent(curve.merge(rank.curve for rank in together), REMEDY)


def number(text: str, name: str, line: Line) -> float:
    """The number that `text` is, for the field `name`. Raises LogError."""
    try:
        value = float(text)
    except ValueError:
        raise line.error(f"{name} is {text[:40]!r}, which is no number") from None
    if name in ("top1", ITERATION) and not math.isfinite(value):
        raise line.error(f"{name} is {text[:40]!r}")
    return value
