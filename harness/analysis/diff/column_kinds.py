"""What each column of table.csv may hold: the one place where its cells are read and refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.analysis import selection
from harness.errors import BadInput
from harness.runs.manifest import Status

REMEDY = "write numbers as 5000 or 78.20, or take the file from git again"


@dataclass(frozen=True)
class Kind:
    """How a cell is read; `read` raises ValueError that says what is wrong with one.

    `dtype` is pandas' for a column of them; `empty` is the value of an empty cell, if it may be.
    """

    read: Callable[[str], object]
    dtype: str
    may_be_empty: bool = True
    empty: object = None
    remedy: str = REMEDY

    def value(self, cell: str, where: str) -> object:
        """The value of a cell; `where` is its file, row and column. Raises BadInput."""
        if not cell:
            if not self.may_be_empty:
                raise BadInput(f"{where}: empty; {self.remedy}")
            return self.empty
        try:
            return self.read(cell)
        except ValueError as error:
            raise BadInput(f"{where}: {cell[:40]!r} {error}; {self.remedy}") from error


def of(column: str) -> Kind:
    """What a column holds: text, unless it is known to be otherwise."""
    return _KINDS.get(column, _TEXT)


def _whole(cell: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}(\.0)?", cell):
        raise ValueError(_why_no_number(cell, "is no whole number"))
    return int(cell.removesuffix(".0"))


def _number(cell: str) -> float:
    if cell.lower() == "nan":
        return float("nan")
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", cell):
        raise ValueError(_why_no_number(cell, "is no number"))
    return float(cell)


def _percent(cell: str) -> float:
    value = _number(cell)
    if value < 0 or value > 100:  # not a number passes, as an empty cell does
        raise ValueError("is no percentage from 0 to 100")
    return value


def _why_no_number(cell: str, otherwise: str) -> str:
    if "," in cell:
        return "has a comma, for a decimal point or between thousands"
    if "%" in cell:
        return "has a percent sign"
    if re.fullmatch(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}.*", cell):
        return "is a date"
    return otherwise


def _status(cell: str) -> str:
    if cell not in (known := [status.value for status in Status]):
        raise ValueError(f"is no status; there are {', '.join(known)}")
    return cell


_ANEW = "take the file from git again"
_TEXT = Kind(str, "object", empty="")
_WHOLE, _COUNT = Kind(_whole, "int64", may_be_empty=False), Kind(_whole, "object")
_NUMBER, _PERCENT = Kind(_number, "float64"), Kind(_percent, "float64")
_KINDS = {
    "labels": _WHOLE, "seed": _WHOLE, "schema": _WHOLE, "iterations": _COUNT, "evaluations": _COUNT,
    "threads": _COUNT,
    "implementation": Kind(str, "object", may_be_empty=False, remedy=_ANEW),
    "status": Kind(_status, "object", may_be_empty=False, remedy=_ANEW),
    "judged_top1": _PERCENT, **{f"{rule}_top1": _PERCENT for rule in selection.RULES},
    "wall_seconds": _NUMBER, "images_per_second": _NUMBER,
}  # fmt: skip
