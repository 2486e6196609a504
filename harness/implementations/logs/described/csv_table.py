"""A CSV file with a header: columns by name -> points."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from harness.implementations.logs.described import rows
from harness.implementations.logs.described.options import LogOptions
from harness.implementations.logs.described.rows import Rows
from harness.implementations.logs.text import Line, read_lines
from harness.implementations.reported import Point

SEPARATORS = ",;\t"


def read(path: Path, options: LogOptions) -> list[Point]:
    """The evaluations in a table, by strictly increasing iteration; empty cells say nothing.

    A header that comes again is a new start. Raises BadInput for a file that cannot be opened,
    LogError for a column that is not there, a cell that is no number, or a row of another length.
    """
    lines = read_lines(path, "CSV file")
    taken = Rows(options)
    if not lines:
        return []
    head = lines[0]
    separator = max(SEPARATORS, key=head.raw.count)
    header = _cells(head, separator)
    if head.cut:
        return []
    for field, column in options.points.items():
        if header.count(column) != 1:
            twice = "twice a" if column in header else "no"
            raise head.error(
                f"{twice} column {column!r}, which points.{field} names; it has {', '.join(header)}"
            )
    for line in lines[1:]:
        cells = _cells(line, separator)
        if cells == header:
            taken.start()
        elif not line.cut:  # the last one may be cut within a number
            taken.take(_values(cells, header, options, line), line)
    return rows.points([taken])


def _cells(line: Line, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line.raw], delimiter=separator))]


def _values(
    cells: Sequence[str], header: Sequence[str], options: LogOptions, line: Line
) -> dict[str, float]:
    if len(cells) != len(header):
        raise line.error(f"{len(cells)} cells, and {len(header)} in the header")
    by_column = dict(zip(header, cells, strict=True))
    return {
        field: rows.number(by_column[column], field, line)
        for field, column in options.points.items()
        if by_column[column]
    }
