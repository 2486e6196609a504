"""How a run goes, told to whoever watches: a terminal, or the output of a job."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from harness.implementations.reported import Point, Progress


class Line(Protocol):
    """Told how one run goes, about twice a second."""

    def update(self, progress: Progress | None, latest: Point | None) -> None: ...


class Watcher(Protocol):
    """Told what happens to all runs; called from several threads."""

    def say(self, text: str = "") -> None:
        """One line for people."""

    def run(self, title: str) -> AbstractContextManager[Line]:
        """The line of a run that starts now."""


class Plain:
    """Lines on standard output, for a process that nobody watches live."""

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def run(self, title: str) -> AbstractContextManager[Line]:
        self.say(f"{title}: starting")
        return nullcontext(_Silent())


class _Silent:
    def update(self, progress: Progress | None, latest: Point | None) -> None:
        """The log has it all."""


def duration(seconds: float) -> str:
    """`48s`, `3m 20s`, `2h 05m`, `3d 4h`."""
    whole = max(0, round(seconds))
    minutes, s = divmod(whole, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d {h}h"
    if hours:
        return f"{hours}h {m:02d}m"
    return f"{minutes}m {s:02d}s" if minutes else f"{s}s"
