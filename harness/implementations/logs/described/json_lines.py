"""A JSON object a line: keys -> points."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.implementations.logs.described import rows
from harness.implementations.logs.described.options import LogOptions
from harness.implementations.logs.described.rows import Rows
from harness.implementations.logs.text import Line, read_lines
from harness.implementations.reported import Point


def read(path: Path, options: LogOptions) -> list[Point]:
    """The evaluations in lines of JSON, by strictly increasing iteration.

    A key may lead into objects: `eval.top1`. Lines without an object are the program's other
    output; the last line, where it has no newline, is left out unless it is whole. Raises BadInput
    for a file that cannot be opened, LogError for an object that cannot be read or a value that is
    no number.
    """
    ranks = defaultdict[str, Rows](partial(Rows, options))
    for line in read_lines(path, "file of JSON lines"):
        content = _object(line)
        values = {}
        for field, key in options.points.items():
            value = _at(content, key)
            if value is not None:
                values[field] = _number(value, key, field, line)
        if values:
            ranks[line.label].take(values, line)
    return rows.points(ranks.values())


def _object(line: Line) -> Mapping[str, Any]:
    begin = line.text.find("{")
    if begin < 0:
        return {}
    try:
        content, _ = json.JSONDecoder().raw_decode(line.text, begin)
    except ValueError as error:
        if line.cut or begin > 0:
            return {}
        raise line.error(f"not JSON ({error})") from error
    return content if isinstance(content, dict) else {}


def _at(content: Mapping[str, Any], key: str) -> Any:
    """The value at `key`, or at its parts between full stops; None where there is none."""
    if key in content:
        return content[key]
    head, stop, rest = key.partition(".")
    inner = content.get(head)
    return _at(inner, rest) if stop and isinstance(inner, dict) else None


def _number(value: Any, key: str, field: str, line: Line) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise line.error(f"{key} is {str(value)[:40]!r}, which is no number")
    return rows.number(str(value), field, line)
