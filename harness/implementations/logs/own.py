"""The in-house implementation's metrics.jsonl -> points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import LogError
from harness.implementations.logs import text
from harness.implementations.reported import Point

SCHEMA = 1
_KEYS = ("top1", "top5", "eval_loss", "loss", "loss_x", "loss_u", "mask", "seconds")
_RESUME = '{"kind": "resume"'


def read(path: Path) -> list[Point]:
    """The evaluations in a metrics file, by strictly increasing iteration.

    A resumption drops what was recorded past the checkpoint that it started from. A last line
    without its newline was cut by a kill and is left out unless it is whole.
    Raises BadInput for a file that cannot be opened, LogError for a line that cannot be read.
    """
    points: list[Point] = []
    lines = text.read(path, "metrics.jsonl").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = _entry(line)
            _check_schema(entry, f"{path}:{number}")
            if entry["kind"] == "resume":
                text.drop_from(points, int(entry["iteration"]) + 1)
            elif entry["kind"] == "evaluation":
                point = _point(entry)
                text.drop_from(points, point.iteration)
                points.append(point)
        except (KeyError, TypeError, ValueError) as error:
            if number == len(lines):
                break
            raise LogError(
                f"{path}:{number}: {_problem(error)}; restore the line from the original file, "
                "or delete it"
            ) from error
    return points


def starts(path: Path) -> list[dict[str, Any]]:
    """The start and the resumptions in a metrics file, as far as they can be read."""
    found = []
    for line in text.read(path, "metrics.jsonl").split("\n"):
        try:
            entry = _entry(line)
        except (TypeError, ValueError):
            continue
        if entry.get("kind") in ("start", "resume"):
            found.append(entry)
    return found


def _entry(line: str) -> dict[str, Any]:
    """A line's object; of a line that a kill cut and a resumption went on, the resumption's."""
    try:
        entry = json.loads(line)
    except ValueError:
        resumed = line.find(_RESUME)
        if resumed <= 0:
            raise
        entry = json.loads(line[resumed:])
    if not isinstance(entry, dict):
        raise TypeError("not an object")
    return entry


def _check_schema(entry: dict[str, Any], place: str) -> None:
    version = entry["schema"]
    if version != SCHEMA:
        newer = isinstance(version, int) and version > SCHEMA
        remedy = "update this checkout" if newer else "train again in a new folder"
        raise LogError(f"{place}: schema {version}, this code reads {SCHEMA}; {remedy}")


def _point(entry: dict[str, Any]) -> Point:
    values = {key: float(entry[key]) for key in _KEYS}
    if not 0 <= values["top1"] <= 100:
        raise ValueError(f"top1 {values['top1']} is no percentage")
    return Point(iteration=int(entry["iteration"]), **values)


def _problem(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r}"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg})"
    return str(error)
