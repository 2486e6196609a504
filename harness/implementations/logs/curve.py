"""The evaluations of one log: what is repeated, what a resumption replaces, what contradicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.errors import LogError
from harness.implementations.logs.text import Line
from harness.implementations.reported import Point

_EQUAL = 1e-6  # percent


@dataclass(frozen=True)
class Entry:
    """An evaluation, the line that it was read from, and after how many starts it was made."""

    point: Point
    line: Line
    starts: int

    def check_agrees(self, other: Entry) -> None:
        """Raise LogError if the other is of the same iteration and has other accuracies."""
        first, second = sorted((self, other), key=lambda entry: entry.line.number)
        for name in ("top1", "top5"):
            a, b = getattr(first.point, name), getattr(second.point, name)
            if a is not None and b is not None and abs(a - b) > _EQUAL:
                raise LogError(
                    f"{second.line.path}:{second.line.number}: {name} at iteration "
                    f"{second.point.iteration} is {b:.2f}, but {a:.2f} in line "
                    f"{first.line.number}, and no start or resumption lies between: ranks that "
                    "disagree, or two runs in one file; keep the lines of one"
                )


@dataclass
class Curve:
    """The evaluations that one process logged, and then those that went on from it."""

    entries: list[Entry] = field(default_factory=list)
    starts: int = 0
    _is_new: bool = True  # nothing evaluated since the last start
    _resumed_at: int = -1

    def start(self, resumed_at: int | None = None) -> None:
        """Training began anew, or went on from a checkpoint after iteration `resumed_at`.

        What it evaluates again takes the place of what was; where it is not known from where it
        goes on, its first evaluation tells.
        """
        self.starts, self._is_new = self.starts + 1, True
        self._resumed_at = -1 if resumed_at is None else resumed_at
        if resumed_at is not None:
            self._drop_from(resumed_at + 1)

    @property
    def renewed_from(self) -> float:
        """The first iteration whose evaluation from before the last start counts no more."""
        if self._resumed_at >= 0:
            return self._resumed_at + 1
        new = (e.point.iteration for e in self.entries if e.starts == self.starts)
        return min(new, default=math.inf)

    def before(self, iteration: int) -> Point | None:
        """The last evaluation before that iteration."""
        return next(
            (e.point for e in reversed(self.entries) if e.point.iteration < iteration), None
        )

    def at(self, iteration: int) -> Entry | None:
        """The evaluation at that iteration."""
        return next((e for e in reversed(self.entries) if e.point.iteration == iteration), None)

    def add(self, point: Point, line: Line) -> set[int]:
        """Take an evaluation; one that is there already changes nothing.

        The iterations past it whose evaluations go, as the first after a start makes them.
        Raises LogError where it contradicts one that no start or resumption parts it from.
        """
        gone: set[int] = set()
        entry = Entry(point, line, self.starts)
        is_next = not self.entries or point.iteration > self.entries[-1].point.iteration
        if is_next or (self._is_new and point.iteration > self._resumed_at):
            gone = self._drop_from(point.iteration) - {point.iteration}
            self.entries.append(entry)
            self._is_new = False
        elif there := self.at(point.iteration):
            there.check_agrees(entry)
        else:
            self.entries.append(entry)
            self.entries.sort(key=lambda e: e.point.iteration)
        return gone

    def _drop_from(self, iteration: int) -> set[int]:
        gone = set()
        while self.entries and self.entries[-1].point.iteration >= iteration:
            gone.add(self.entries.pop().point.iteration)
        return gone


def merge(curves: Iterable[Curve]) -> Sequence[Entry]:
    """The curve that all ranks of a run logged, by strictly increasing iteration.

    Where one went on from a checkpoint and another did not yet, what that one still has of the
    time before counts no more. Raises LogError where ranks disagree.
    """
    ranks = list(curves)
    newest = max(ranks, key=lambda curve: curve.starts, default=Curve())
    merged: dict[int, Entry] = {}
    for curve in ranks:
        is_behind = curve.starts < newest.starts
        for entry in curve.entries:
            if is_behind and entry.point.iteration >= newest.renewed_from:
                break
            there = merged.setdefault(entry.point.iteration, entry)
            if there.starts == entry.starts:
                there.check_agrees(entry)
            elif there.starts < entry.starts:
                merged[entry.point.iteration] = entry
    return [merged[iteration] for iteration in sorted(merged)]
