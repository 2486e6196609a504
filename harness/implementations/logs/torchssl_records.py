"""The records of TorchSSL's logger in a log: '[2024-03-01 10:00:00,000 INFO] ...'."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.errors import LogError
from harness.implementations.logs.text import Line, is_damaged, read_lines

START = "USE GPU: "  # the first record of a start, or of a resumption

_HEAD = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+\](?: |$)"
_RECORD = re.compile(f"({_HEAD})(.*)")
_RECORD_START = re.compile(f"(?={_HEAD})")
_CUT_HEAD = re.compile(r"^\[\d{0,4}$|\[\d{4}-[\d-]*( [\d:]*(,\d*( [A-Z]*)?)?)?$")
_DATE = re.compile(r"\[\d{4}-\d\d-")
_BEGINNINGS = (START, "confusion matrix:", "Arguments: Namespace(", "model saved: ", "model loaded")
_CUT_EVALUATION = re.compile(r"\d+(?: [iteraon]*)?(?:, ?[USE_MA]*)?(?:: ?\w*)?(?:, ?)?")


@dataclass(frozen=True)
class Record:
    """The first line of a record without its head, or a further line of one (not `headed`)."""

    line: Line
    label: str  # the rank that logged it
    headed: bool
    time: datetime | None
    text: str
    cut: bool  # not ended by a newline: the writer was killed inside it

    def error(self, problem: str) -> LogError:
        """What is wrong with it, with its place and the remedy."""
        return self.line.error(problem)

    @property
    def is_damaged(self) -> bool:
        """Whether it has bytes that are no text."""
        return is_damaged(self.text)

    def check_whole(self) -> None:
        """Raise LogError for a record that lacks its end or has bytes that are no text."""
        if not self.headed:
            # It may be anything, unless its head can still be made out.
            if _CUT_HEAD.search(self.text) or (self.is_damaged and _DATE.search(self.text)):
                raise self.error("a record without the end of its head")
        elif self.is_damaged:
            raise self.error("a damaged record")
        elif _CUT_EVALUATION.fullmatch(self.text) or any(
            beginning.startswith(self.text) and self.text != beginning.rstrip()
            for beginning in _BEGINNINGS
        ):
            raise self.error("a record without its end")


def read_records(path: Path) -> Iterator[Record]:
    """One a line; more where a kill left a line without its end and the next start went on.

    A line without head and label is of the rank whose record came before it. Raises BadInput, and
    LogError for an encoding that is not read.
    """
    label = ""
    for line in read_lines(path, "log.txt"):
        parts = [part for part in _RECORD_START.split(line.text) if part]
        for part, following in zip(parts, [*parts[1:], None], strict=False):
            cut = line.cut if following is None else f"] {START}" in following
            match = _RECORD.match(part)
            label = line.label or ("" if match else label)
            if match:
                yield Record(line, label, True, _time(match[1]), match[2].strip(), cut)
            else:
                yield Record(line, label, False, None, part, cut)


def _time(head: str) -> datetime | None:
    try:
        return datetime.strptime(head[1:24], "%Y-%m-%d %H:%M:%S,%f")
    except ValueError:
        return None
