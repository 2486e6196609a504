"""Reading a log that somebody names: what is in it where there is no evaluation."""

from __future__ import annotations

from pathlib import Path

from harness.errors import BadInput, LogError
from harness.implementations.logs import READERS, own, progress, torchssl
from harness.implementations.logs.text import read_lines
from harness.implementations.reported import Point

_FORMATS = {"torchssl": torchssl, "own": own, "progress": progress}


def read(name: str, path: Path) -> list[Point]:
    """The evaluations in a log of the format `name`: one at least.

    Raises BadInput for an unknown format and where there is none: it says what was looked for,
    and of which format the file seems to be.
    """
    if name not in READERS:
        raise BadInput(f"FORMAT {name}: unknown; use {', '.join(READERS)}")
    points = READERS[name](path)
    if points:
        return points
    looked_for = _FORMATS[name].LOOKED_FOR
    raise BadInput(
        f"no evaluation of format {name} in {path}: looked for {looked_for}; {_what(name, path)}"
    )


def _what(name: str, path: Path) -> str:
    """What the file is, as far as can be told, and what to do."""
    lines = read_lines(path, "log")
    if not lines:
        return "the file is empty"
    formats = [name, *(other for other in READERS if other != name)]
    found = {known: _evaluations(known, path) for known in formats}
    for known, evaluations in found.items():
        if evaluations:
            return f"it looks like format {known}: python -m harness read {known} {path}"
    for known, evaluations in found.items():
        if evaluations == 0 and any(_FORMATS[known].SIGN.search(line.text) for line in lines):
            return f"it looks like format {known}, of a run that has not evaluated yet"
    damaged = next((line for line in lines if line.no_text), None)
    if damaged is not None:
        return f"line {damaged.number} is in another encoding: {damaged.no_text}; convert it"
    return f"it looks like none of the formats that are known: {', '.join(READERS)}"


def _evaluations(name: str, path: Path) -> int | None:
    """How many a reader finds; None: to it, the file is not in order."""
    try:
        return len(READERS[name](path))
    except LogError:
        return None
