"""A confusion matrix as NumPy prints it, line by line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.implementations.logs.text import Line

_NUMBERS = r"(?:[\d.eE+\s-]|nan|inf)*"
_ROW_AT_END = re.compile(rf"\[{{1,2}}\s*[\d.n]{_NUMBERS}\]{{0,2}}$")  # after what else may be there
_INSIDE_A_ROW = re.compile(rf"{_NUMBERS}\]{{0,2}}")
_WHOLE = re.compile(r"\[(\s*\[[^\[\]]*\])+\s*\]")
_ROW = re.compile(r"\[([^\[\]]*)\]")
_FIGURE = re.compile(r"[^\[\]\s]+")
_ROUNDING = 1e-3  # of a row's sum


@dataclass
class Matrix:
    """The lines of a matrix so far: row i has the shares of class i by the class given to them."""

    head: Line  # the line that announces it
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    @property
    def is_whole(self) -> bool:
        """Whether its last line was read."""
        return bool(self.parts) and self.parts[-1].endswith("]]")

    @property
    def is_elided(self) -> bool:
        """NumPy leaves out the middle of a matrix of more than 1,000 numbers."""
        return "..." in self.text

    def take(self, text: str) -> bool:
        """Add what a line has of the matrix; False: it has nothing of it."""
        if self.is_whole:
            return False
        row = _ROW_AT_END.search(text)
        if row is None and _INSIDE_A_ROW.fullmatch(text) is None:
            return False
        self.parts.append(row[0] if row else text)
        return True

    def has_like(self, text: str) -> bool:
        """Whether a line is a row as its last one, and another."""
        row = _ROW_AT_END.search(text)
        if row is None or row[0] == self.parts[-1]:
            return False
        return len(_FIGURE.findall(row[0])) == len(_FIGURE.findall(self.parts[-1]))

    def right(self) -> Sequence[float]:
        """The share of each class that was classified rightly. Raises ValueError: what is wrong."""
        text = self.text
        if not _WHOLE.fullmatch(text):
            raise ValueError("is not whole")
        try:
            rows = [[float(number) for number in row.split()] for row in _ROW.findall(text)]
        except ValueError as error:
            raise ValueError(f"has no number: {error}") from error
        if any(len(row) != len(rows) for row in rows):
            raise ValueError("is not square")
        if not all(0 <= share <= 1 for row in rows for share in row):
            raise ValueError("has shares outside 0 to 1")
        if any(min(abs(sum(row) - 1), abs(sum(row))) > _ROUNDING for row in rows):
            raise ValueError("has a row whose shares do not add up to 1")
        return [row[index] for index, row in enumerate(rows)]


@dataclass
class Unlogged:
    """The matrices of a process whose evaluations are not logged yet: one, or one printed twice."""

    is_resumed: bool = False  # its first matrix may be of the checkpoint, and no evaluation
    _matrix: Matrix | None = None
    _same: Matrix | None = None  # printed before it, by another rank
    _last: Matrix | None = None  # whose accuracy was taken from it
    _logged: dict[int, str] = field(default_factory=dict)  # by iteration

    def begin(self, head: Line, is_check: bool) -> None:
        """A matrix follows; one that only checks what was loaded is skipped. Raises LogError."""
        self._same, self._matrix = self.pop(), None if is_check else Matrix(head)

    def take(self, line: Line, text: str) -> bool:
        """Whether the line was one of the matrix. Raises LogError for one too many."""
        matrix = self._matrix or self._last
        if matrix is not None and matrix.is_whole and matrix.has_like(text):
            raise line.error("a row of another confusion matrix: the lines of two runs are mixed")
        return self._matrix is not None and self._matrix.take(text)

    def pop(self) -> Matrix | None:
        """The matrix, whose evaluation then counts as logged.

        Raises LogError where it is not whole, or another one before it had no evaluation.
        """
        matrix, same = self._matrix, self._same
        self._matrix, self._same, self._last = None, None, matrix or self._last
        if matrix is not None and not matrix.is_whole:
            raise matrix.head.error("the confusion matrix that begins here is not whole")
        is_check = self.is_resumed and not self._logged
        if matrix is not None and same is not None and matrix.text != same.text and not is_check:
            raise same.head.error("no evaluation follows the confusion matrix")
        return matrix

    def log(self, iteration: int, line: Line, is_known: bool) -> None:
        """The evaluation of the matrix was logged; again, if it `is_known`. Raises LogError."""
        matrix, self._last = self.pop(), None
        if matrix is None:
            return
        if is_known and self._logged.get(iteration) != matrix.text:
            raise line.error("the confusion matrix above is of another evaluation")
        self._logged[iteration] = matrix.text
