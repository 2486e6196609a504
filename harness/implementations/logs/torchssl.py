"""TorchSSL's log.txt: evaluation lines, and the last evaluation's confusion matrix -> points."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import BadInput, LogError
from harness.implementations.logs import curve, units
from harness.implementations.logs.curve import Curve
from harness.implementations.logs.matrix import Matrix, Unlogged
from harness.implementations.logs.torchssl_records import START, Record, read_records
from harness.implementations.reported import Point

LOOKED_FOR = (
    "'<n> iteration, USE_EMA: ..., {... 'eval/top-1-acc': ...}' and a last confusion matrix"
)
SIGN = re.compile(rf"\] {START}|Arguments: Namespace\(|\d iteration, USE_EMA: \w+, \{{")

_LOOKS_LIKE_EVALUATION = re.compile(
    r"\d+ iteration\b|.*(?:iteration, USE_EMA|BEST_EVAL_ACC|'eval/top-1-acc')"
)
_UNKNOWN_PREFIX = re.compile(r".*?(?:^|[\s\]:|>-])(?=\d+ iteration, )")
_CHECK = "{'eval/"  # printed, not logged: the evaluation of a checkpoint that was loaded
_EVALUATION = re.compile(r"(\d+) iteration, USE_EMA: \w+, \{(.*)\}")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf)"
_VALUE = re.compile(rf"'([\w/-]+)': (?:[\w.]+\()?({_NUMBER})(?=[,)]|$)")
# Other libraries of its family: semilearn writes these, and some log no USE_EMA.
_RELATED = re.compile(r"Use GPU: |validating\.\.\.|Arguments: Namespace\(.*\balgorithm=")
_RELATED_EVALUATION = re.compile(r"(?:\w+ )?\d+ iteration, (?:USE_EMA: \w+, [^{\s]|[^U\s])")
_ITERATIONS = re.compile(r"\bnum_train_iter=(\d+)[,)]")
_NAMESPACE = "Arguments: Namespace("
_LOADED = "model loaded"  # what follows checks the checkpoint, and is no evaluation of the run
_MATRIX = "confusion matrix:"
_SAVED = "model saved: "
_LATEST_SAVED = re.compile(rf"{_SAVED}.*latest_model\.pth\b")


def read(path: Path, class_counts: Sequence[int] | None = None) -> list[Point]:
    """The evaluations in a log, by strictly increasing iteration; resumed logs give one curve.

    The evaluation after the last iteration is logged as a confusion matrix only. `class_counts`,
    the test set's images of each class, makes its accuracy exact; without it the test set is
    taken to be balanced. Seconds leave out the time between a kill and the resumption.
    Raises BadInput (no such file, other classes), LogError (what cannot be read to its end, or
    contradicts itself).
    """
    ranks = defaultdict[str, _Rank](partial(_Rank, class_counts))
    for record in read_records(path):
        ranks[record.label].take(record)
    return units.fractions(curve.merge(rank.curve for rank in ranks.values()))


def arguments(path: Path) -> dict[str, Any]:
    """The settings that the log's last start resolved, from its 'Arguments:' line; {} before it.

    Values that are no Python literals are left out. Raises BadInput, LogError.
    """
    found: dict[str, Any] = {}
    for record in read_records(path):
        if record.text.startswith(_NAMESPACE) and not record.cut:
            found = _namespace(record)
    return found


def _namespace(record: Record) -> dict[str, Any]:
    try:
        call = ast.parse(record.text.removeprefix("Arguments: "), mode="eval").body
    except SyntaxError as error:
        raise record.error(f"the arguments cannot be read ({error.msg})") from error
    values = {}
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        with suppress(ValueError):
            values[str(keyword.arg)] = ast.literal_eval(keyword.value)
    return values


class _Rank:
    """Takes what one rank logged, in order; `curve` is what it evaluated so far."""

    def __init__(self, class_counts: Sequence[int] | None) -> None:
        self.curve = Curve()
        self._class_counts = class_counts
        self._iterations: int | None = None
        self._matrices = Unlogged()
        self._matrix_time: datetime | None = None
        self._began: datetime | None = None  # this segment: a start or a resumption
        self._before = 0.0  # seconds trained in the segments before this one
        self._starting = True  # no record but starts yet: several GPUs log one start each
        self._evaluated = False  # in this segment
        self._finished: Record | None = None  # so was the last evaluation, after all iterations
        self._checks = 0  # of checkpoints that were loaded: as many matrices are no evaluation
        self._is_related = False  # to TorchSSL, and not its own log

    def take(self, record: Record) -> None:
        """Go one record on. Raises BadInput, LogError."""
        try:
            if record.headed:
                self._take_headed(record)
            elif _LOOKS_LIKE_EVALUATION.match(record.text):
                self._take_unheaded(record)
            elif not self._matrices.take(record.line, record.text):
                record.check_whole()
        except LogError:
            if not record.cut:
                raise

    def _take_unheaded(self, record: Record) -> None:
        if _CHECK not in record.text or "iteration, " in record.text:
            text = _UNKNOWN_PREFIX.sub("", record.text, count=1)
            self._evaluation(replace(record, text=text))

    def _take_headed(self, record: Record) -> None:
        text = record.text
        record.check_whole()
        self._is_related |= _RELATED.match(text) is not None
        self._clock(record)
        if _LOOKS_LIKE_EVALUATION.match(text):
            self._evaluation(record)
        elif text.startswith(_LOADED):
            self._checks += 1
        elif text.startswith(_MATRIX):
            self._matrices.begin(record.line, is_check=self._checks > 0)
            self._matrix_time, self._checks = record.time, max(0, self._checks - 1)
        elif text.startswith(_NAMESPACE):
            self._arguments(record)
        elif text.startswith(_SAVED) and (matrix := self._matrices.pop()):
            if not _LATEST_SAVED.match(text):
                raise matrix.head.error("no evaluation follows the confusion matrix")
            self._final(record, matrix)

    def _clock(self, record: Record) -> None:
        is_start = record.text.startswith(START)
        if is_start:
            # Of what was begun before, this process knows nothing.
            self._matrices, self._checks = Unlogged(is_resumed=not self._starting), 0
        if is_start and not self._starting:
            self._began, self._evaluated, self._finished = None, False, None
            self.curve.start()
        self._starting = is_start
        self._began = self._began or record.time

    def _arguments(self, record: Record) -> None:
        if match := _ITERATIONS.search(record.text):
            self._iterations = int(match[1])
        elif not record.text.endswith(")"):
            raise record.error("the arguments are not whole")

    def _evaluation(self, record: Record) -> None:
        match = _EVALUATION.match(record.text)
        if _RELATED_EVALUATION.match(record.text):
            raise _another_format(record)
        if match is None or record.is_damaged or "iteration, USE_EMA" in match[2]:
            raise record.error("the evaluation is not whole")
        values = {key: float(value) for key, value in _VALUE.findall(match[2])}

        def value(key: str) -> float | None:
            if key not in values and f"'{key}'" in match[2]:
                raise record.error(f"'{key}' has no number")
            return values.get(key)

        top1, top5 = value("eval/top-1-acc"), value("eval/top-5-acc")
        mask_ratio = value("train/mask_ratio")
        if top1 is None or not 0 <= top1 <= 100:  # of all together, `units` makes out which it is
            raise record.error("no 'eval/top-1-acc' from 0 to 1")
        point = Point(
            iteration=int(match[1]) + 1,
            top1=round(100 * top1, 10),
            top5=None if top5 is None else round(100 * top5, 10),
            eval_loss=value("eval/loss"),
            loss=value("train/total_loss"),
            loss_x=value("train/sup_loss"),
            loss_u=value("train/unsup_loss"),
            mask=None if mask_ratio is None else round(1 - mask_ratio, 10),
        )
        is_known = self.curve.at(point.iteration) is not None and self._evaluated
        if self._finished is not None and not is_known:
            last = self._finished.line.number
            raise record.error(f"an evaluation after the last one, which ends in line {last}")
        self._matrices.log(point.iteration, record.line, is_known)
        self._add(point, record, record.time)

    def _final(self, record: Record, matrix: Matrix) -> None:
        """Add the evaluation after the last iteration, unless the loop evaluated there too."""
        if self._is_related and not self.curve.entries:
            raise _another_format(record)
        if matrix.is_elided:
            return
        try:
            right = matrix.right()
        except ValueError as error:
            raise record.error(f"the confusion matrix above {error}") from None
        if self._iterations is None:
            raise record.error("no 'Arguments:' line above gives num_train_iter")
        last = self.curve.entries[-1].point if self.curve.entries else None
        if last and last.iteration >= self._iterations and last.eval_loss is not None:
            return
        self._add(Point(self._iterations, self._accuracy(right, record)), record, self._matrix_time)
        self._finished = record

    def _accuracy(self, right: Sequence[float], record: Record) -> float:
        """Percent, from the share of each class's images that were classified rightly."""
        counts = self._class_counts
        if counts is None:
            return round(100 * sum(right) / len(right), 10)
        if len(counts) != len(right):
            raise BadInput(
                f"{record.line.path}: logs {len(right)} classes, but the test set has "
                f"{len(counts)}; name the data set that the run was tested on"
            )
        hits = sum(round(share * count) for share, count in zip(right, counts, strict=True))
        return round(100 * hits / sum(counts), 10)

    def _add(self, point: Point, record: Record, time: datetime | None) -> None:
        """Add a point to the curve; the clock goes on from what is before it."""
        before = self.curve.before(point.iteration)
        earlier = (before.seconds or 0.0) if before else 0.0
        if not self._evaluated:
            self._before, self._evaluated = earlier, True
        seconds = None
        if time is not None and self._began is not None and time >= self._began:
            seconds = round(self._before + (time - self._began).total_seconds(), 3)
        if seconds is not None and seconds < earlier:
            seconds = None  # the clock was set back
        self.curve.add(replace(point, seconds=seconds), record.line)


def _another_format(record: Record) -> LogError:
    return LogError(
        f"{record.line.path}:{record.line.number}: another format: no line of TorchSSL's, but of "
        "another library that logs alike (semilearn for one); no format that is known here reads it"
    )
