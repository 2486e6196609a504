"""TorchSSL's log.txt: evaluation lines, and the last evaluation's confusion matrix -> points."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import BadInput, LogError
from harness.implementations.logs import text
from harness.implementations.reported import Point

_HEAD = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+\] "
_RECORD = re.compile(f"({_HEAD})(.*)")
_RECORD_START = re.compile(f"(?={_HEAD})")
_START = "USE GPU: "  # the first record of a start, or of a resumption
_LOOKS_LIKE_EVALUATION = " iteration, USE_EMA"
_EVALUATION = re.compile(r"(\d+) iteration, USE_EMA: \w+, \{(.*)\}")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf)"
_VALUE = re.compile(rf"'([\w/-]+)': (?:[\w.]+\()?({_NUMBER})(?=[,)]|$)")
_ARGUMENTS = re.compile(r"Arguments: Namespace\(.*\bnum_train_iter=(\d+)")
_NAMESPACE = "Arguments: Namespace("
_LOADED = "model loaded"  # what follows checks the checkpoint, and is no evaluation of the run
_LATEST_SAVED = re.compile(r"model saved: .*latest_model\.pth\s*$")
_ROW = re.compile(r"\[([^\[\]]*)\]")


def read(path: Path, class_counts: Sequence[int] | None = None) -> list[Point]:
    """The evaluations in a log, by strictly increasing iteration; resumed logs give one curve.

    The evaluation after the last iteration is logged as a confusion matrix only. `class_counts`,
    the test set's images of each class, makes its accuracy exact; without it the test set is
    taken to be balanced. Seconds leave out the time between a kill and the resumption.
    Raises BadInput (no such file, other classes), LogError (an evaluation that cannot be read).
    """
    log = _Log(path, class_counts)
    for record in _records(text.read(path, "log.txt")):
        log.take(record)
    return log.points


def arguments(path: Path) -> dict[str, Any]:
    """The settings that the log's last start resolved, from its 'Arguments:' line; {} before it.

    Values that are no Python literals are left out. Raises BadInput, LogError.
    """
    found: dict[str, Any] = {}
    for record in _records(text.read(path, "log.txt")):
        if record.text.startswith(_NAMESPACE) and not record.cut:
            found = _namespace(record, path)
    return found


def _namespace(record: _Record, path: Path) -> dict[str, Any]:
    try:
        call = ast.parse(record.text.removeprefix("Arguments: "), mode="eval").body
    except SyntaxError as error:
        raise LogError(
            f"{path}:{record.line}: the arguments cannot be read ({error.msg}); restore the line "
            "from the original log"
        ) from error
    values = {}
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        with suppress(ValueError):
            values[str(keyword.arg)] = ast.literal_eval(keyword.value)
    return values


@dataclass(frozen=True)
class _Record:
    """The first line of a record without its head, or a further line of one (not `headed`)."""

    line: int
    headed: bool
    time: datetime | None
    text: str
    cut: bool  # not ended by a newline: the writer was killed inside it


def _records(content: str) -> Iterator[_Record]:
    """One a line; more where a kill left a line without its end and the next start went on."""
    lines = content.split("\n")
    for number, line in enumerate(lines, 1):
        parts = [part for part in _RECORD_START.split(line.rstrip("\r")) if part]
        for part, following in zip(parts, [*parts[1:], None], strict=False):
            cut = number == len(lines) if following is None else f"] {_START}" in following
            if match := _RECORD.match(part):
                yield _Record(number, True, _time(match[1]), match[2], cut)
            else:
                yield _Record(number, False, None, part, cut)


def _time(head: str) -> datetime | None:
    try:
        return datetime.strptime(head[1:24], "%Y-%m-%d %H:%M:%S,%f")
    except ValueError:
        return None


class _Log:
    """Takes records in order; `points` is the curve so far."""

    def __init__(self, path: Path, class_counts: Sequence[int] | None) -> None:
        self.points: list[Point] = []
        self._path, self._class_counts = path, class_counts
        self._iterations: int | None = None
        self._matrix: list[str] | None = None  # lines of the confusion matrix being read
        self._matrix_time: datetime | None = None
        self._began: datetime | None = None  # this segment: a start or a resumption
        self._before = 0.0  # seconds trained in the segments before this one
        self._starting = True  # no record but starts yet: several GPUs log one start each
        self._evaluated = False  # in this segment
        self._checks_checkpoint = False  # the next confusion matrix does

    def take(self, record: _Record) -> None:
        """Go one record on. Raises BadInput, LogError."""
        looks_like_evaluation = _LOOKS_LIKE_EVALUATION in record.text
        if not record.headed and not looks_like_evaluation:
            if self._matrix is not None:
                self._matrix.append(record.text)
            return
        self._clock(record)
        matrix, self._matrix = self._matrix, None
        if record.text.startswith(_LOADED):
            self._checks_checkpoint = True
        if looks_like_evaluation:
            try:
                point = self._evaluation(record)
            except LogError:
                if record.cut:
                    return
                raise
            self._add(point, record.time)
        elif record.text.startswith("confusion matrix:"):
            self._matrix = None if self._checks_checkpoint else []
            self._matrix_time, self._checks_checkpoint = record.time, False
        elif matrix and _LATEST_SAVED.match(record.text):
            self._final(record, " ".join(matrix))
        elif match := _ARGUMENTS.match(record.text):
            self._iterations = int(match[1])

    def _clock(self, record: _Record) -> None:
        is_start = record.text.startswith(_START)
        if is_start and not self._starting:
            self._began, self._evaluated = None, False
        self._starting = is_start
        self._began = self._began or record.time

    def _evaluation(self, record: _Record) -> Point:
        match = _EVALUATION.match(record.text)
        if match is None:
            raise self._error(record, "the evaluation is not whole")
        values = {key: float(value) for key, value in _VALUE.findall(match[2])}

        def value(key: str) -> float | None:
            if key not in values and f"'{key}'" in match[2]:
                raise self._error(record, f"'{key}' has no number")
            return values.get(key)

        top1, top5 = value("eval/top-1-acc"), value("eval/top-5-acc")
        mask_ratio = value("train/mask_ratio")
        if top1 is None or not 0 <= top1 <= 1:
            raise self._error(record, "no 'eval/top-1-acc' from 0 to 1")
        return Point(
            iteration=int(match[1]) + 1,
            top1=round(100 * top1, 10),
            top5=None if top5 is None else round(100 * top5, 10),
            eval_loss=value("eval/loss"),
            loss=value("train/total_loss"),
            loss_x=value("train/sup_loss"),
            loss_u=value("train/unsup_loss"),
            mask=None if mask_ratio is None else round(1 - mask_ratio, 10),
        )

    def _final(self, record: _Record, matrix: str) -> None:
        """Add the evaluation after the last iteration, unless the loop evaluated there too."""
        if "..." in matrix or not matrix.rstrip().endswith("]]"):
            return  # NumPy leaves out the middle of a matrix of more than 1,000 numbers
        try:
            rows = [[float(number) for number in row.split()] for row in _ROW.findall(matrix)]
        except ValueError as error:
            raise self._error(
                record, f"the confusion matrix above has no number: {error}"
            ) from None
        if not rows or any(len(row) != len(rows) for row in rows):
            raise self._error(record, "the confusion matrix above is not square")
        right = [row[index] for index, row in enumerate(rows)]
        if not all(0 <= share <= 1 for share in right):
            raise self._error(record, "the confusion matrix above has shares outside 0 to 1")
        if self._iterations is None:
            raise self._error(record, "no 'Arguments:' line above gives num_train_iter")
        last = self.points[-1] if self.points else None
        if last and last.iteration >= self._iterations and last.eval_loss is not None:
            return
        self._add(Point(self._iterations, self._accuracy(right)), self._matrix_time)

    def _accuracy(self, right: list[float]) -> float:
        """Percent, from the share of each class's images that were classified rightly."""
        counts = self._class_counts
        if counts is None:
            return round(100 * sum(right) / len(right), 10)
        if len(counts) != len(right):
            raise BadInput(
                f"{self._path}: logs {len(right)} classes, but the test set has {len(counts)}; "
                "name the data set that the run was tested on"
            )
        hits = sum(round(share * count) for share, count in zip(right, counts, strict=True))
        return round(100 * hits / sum(counts), 10)

    def _add(self, point: Point, time: datetime | None) -> None:
        """Put a point in place of all that are not before it; the clock goes on from the rest."""
        text.drop_from(self.points, point.iteration)
        if not self._evaluated:
            self._before = (self.points[-1].seconds or 0.0) if self.points else 0.0
            self._evaluated = True
        seconds = None
        if time is not None and self._began is not None and time >= self._began:
            seconds = round(self._before + (time - self._began).total_seconds(), 3)
        if seconds is not None and self.points and seconds < (self.points[-1].seconds or 0.0):
            seconds = None  # the clock was set back
        self.points.append(replace(point, seconds=seconds))

    def _error(self, record: _Record, problem: str) -> LogError:
        return LogError(
            f"{self._path}:{record.line}: {problem}; "
            "restore the line from the original log, or delete it"
        )
