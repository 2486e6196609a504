"""Any text: its owner's regular expressions, with a named group for each field -> points."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from pathlib import Path

from harness.implementations.logs.described import rows
from harness.implementations.logs.described.options import LogOptions
from harness.implementations.logs.described.rows import Rows
from harness.implementations.logs.text import Line, is_damaged, read_lines
from harness.implementations.reported import Point


def read(path: Path, options: LogOptions) -> list[Point]:
    """The evaluations in a text, by strictly increasing iteration.

    Each line is tried as the program wrote it, and then with what others put around it. What ends a
    file that has no newline at its end may be cut there, and is left out.
    Raises BadInput for a file that cannot be opened, LogError for a match that is no whole number,
    or contradicts another.
    """
    patterns = [re.compile(pattern) for pattern in options.pattern]
    begins = re.compile(options.start) if options.start else None
    ranks = defaultdict[str, Rows](partial(Rows, options))
    for line in read_lines(path, "text file"):
        if begins is not None and begins.search(line.text):
            ranks[line.label].start()
        for pattern in patterns:
            match = pattern.search(line.text) or pattern.search(line.raw)
            if match and not (line.cut and match.end() == len(match.string.rstrip())):
                ranks[line.label].take(_values(match, line), line)
    return rows.points(ranks.values())


def _values(match: re.Match[str], line: Line) -> dict[str, float]:
    if is_damaged(match[0]):
        raise line.error("bytes that are no text in what the pattern matches")
    found = {name: text for name, text in match.groupdict().items() if text is not None}
    for name in found:
        _check_whole(match, name, line)
    return {name: rows.number(text, name, line) for name, text in found.items()}


def _check_whole(match: re.Match[str], name: str, line: Line) -> None:
    """Raise LogError for a group that has but a part of a number: 85 of 85.60."""
    begin, end = match.span(name)
    before = re.search(r"[\d.]*$", match.string[:begin])
    after = re.match(r"\d+|\.\d+|[eE][-+]?\d+", match.string[end:])
    part = before[0] if before and re.search(r"\d", before[0]) else ""
    if part or after:
        whole = part + match[name] + (after[0] if after else "")
        raise line.error(
            f"the group {name} of the pattern takes {match[name]!r} out of {whole!r}: let it match "
            "the whole number, as in [\\d.]+"
        )
