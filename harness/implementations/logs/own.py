"""The in-house implementation's metrics.jsonl -> points."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import LogError
from harness.implementations.logs import curve, units
from harness.implementations.logs.curve import Curve
from harness.implementations.logs.text import Line, read_lines
from harness.implementations.reported import Point

SCHEMA = 1
LOOKED_FOR = """lines '{"kind": "evaluation", ... "top1": ...}'"""
SIGN = re.compile(r'"kind": *"(?:start|resume|evaluation|end)"')

_FILE = "metrics.jsonl"
_KEYS = ("top1", "top5", "eval_loss", "loss", "loss_x", "loss_u", "mask", "seconds")
_GUESSES = ("guess_entropy", "guess_accuracy", "guess_confidence")  # null where none counted
_OURS = re.compile(r'"kind"|"schema": \d|"eval_loss": .*"loss_x"')  # or of a line cut into pieces
_ENTRY = '{"kind"'
_RESUME = '{"kind": "resume"'
_DECODER = json.JSONDecoder()


def read(path: Path) -> list[Point]:
    """The evaluations in a metrics file, by strictly increasing iteration.

    A resumption drops what was recorded past the checkpoint that it started from. A last line
    without its newline was cut by a kill and is left out unless it is whole.
    Raises BadInput for a file that cannot be opened, LogError for a line that cannot be read or
    contradicts another.
    """
    lines = read_lines(path, _FILE)
    if not any(_OURS.search(line.text) for line in lines):
        return []  # nothing of this format, and no fault of any line
    ranks = defaultdict[str, Curve](Curve)
    for line in lines:
        try:
            for entry in _entries(line.text):
                _take(entry, line, ranks[line.label])
        except LogError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            if not line.cut:
                raise line.error(_problem(error)) from error
    return units.percent(curve.merge(ranks.values()))


def starts(path: Path) -> list[dict[str, Any]]:
    """The start and the resumptions in a metrics file, as far as they can be read."""
    found = []
    for line in read_lines(path, _FILE):
        with suppress(TypeError, ValueError):
            found += [e for e in _entries(line.text) if e.get("kind") in ("start", "resume")]
    return found


def _entries(text: str) -> Iterator[dict[str, Any]]:
    """A line's objects: one, whatever is put before it, or several that run on.

    Of a line that a kill cut and a resumption went on, the resumption's. Raises ValueError,
    TypeError for a line with anything else.
    """
    other: Any = None
    found = False
    at = text.find("{")
    while at >= 0:
        try:
            entry, end = _DECODER.raw_decode(text, at)
        except ValueError:
            end = text.find(_RESUME, at + 1) if text.startswith(_ENTRY, at) else at + 1
            if end < 0:
                raise
        else:
            if "kind" in entry:
                found = True
                yield entry
            other = entry
        at = text.find("{", end)
    if not found:
        other = other or json.loads(text)
        if not isinstance(other, dict):
            raise TypeError("not an object")
        yield other


def _take(entry: dict[str, Any], line: Line, rank: Curve) -> None:
    version, kind = entry["schema"], entry["kind"]
    if version != SCHEMA:
        newer = isinstance(version, int) and version > SCHEMA
        remedy = "update this checkout" if newer else "train again in a new folder"
        raise LogError(
            f"{line.path}:{line.number}: schema {version}, this code reads {SCHEMA}; {remedy}"
        )
    if kind == "start":
        rank.start()
    elif kind == "resume":
        rank.start(resumed_at=int(entry["iteration"]))
    elif kind == "evaluation":
        rank.add(_point(entry), line)
    elif kind != "end":
        raise ValueError(f"kind {kind!r} is unknown")


def _point(entry: dict[str, Any]) -> Point:
    values = {key: float(entry[key]) for key in _KEYS}
    if not 0 <= values["top1"] <= 100:
        raise ValueError(f"top1 {values['top1']} is no percentage")
    guesses = {key: float(entry[key]) for key in _GUESSES if entry.get(key) is not None}
    return Point(iteration=int(entry["iteration"]), **values, **guesses)


def _problem(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r}"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg})"
    return str(error)
