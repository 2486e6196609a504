"""What all log readers share."""

from __future__ import annotations

from pathlib import Path

from harness.errors import BadInput
from harness.implementations.reported import Point


def read(path: Path, expected: str) -> str:
    """The text of a log; bytes that are no UTF-8 are replaced. BadInput where there is none."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name a {expected}") from error


def drop_from(points: list[Point], iteration: int) -> None:
    """Drop the points at `iteration` and past it: what a resumed run repeats takes their place."""
    while points and points[-1].iteration >= iteration:
        points.pop()
