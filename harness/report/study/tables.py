"""Tables of a study's page, and numbers over seeds in their cells."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.claims.costs import Spread
from harness.experiment import algorithms
from harness.experiment.claims import Claims
from harness.report import markdown


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(markdown.line(cells) for cells in [header, ["---"] * len(header), *rows])


def number(found: Spread | None, form: str) -> str:
    """`0.17 [0.11, 0.21]`; alone where all seeds have the same digits, '' of nothing recorded."""
    if found is None:
        return ""
    median, lowest, highest = (digits(n, form) for n in (found.median, found.lowest, found.highest))
    return median if lowest == highest else f"{median} [{lowest}, {highest}]"


def digits(value: float, form: str) -> str:
    """The number in that format; `nan` has no sign."""
    return "nan" if math.isnan(value) else format(value, form)


def titles(claims: Claims) -> tuple[str, str]:
    """Of the default algorithm and of the one that is set beside it."""
    return algorithms.FIXMATCH.title, algorithms.of(claims.algorithm).title
