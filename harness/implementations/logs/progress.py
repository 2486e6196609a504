"""Progress lines on a terminal ('Train Epoch: ...', 'Test Iter: ...') -> points."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import LogError
from harness.implementations.logs import text
from harness.implementations.reported import Point

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STATE_START = re.compile(r"(?=Test Iter:|Train Epoch:)")
_TRAIN = re.compile(r"Train Epoch:\s*(\d+)/\s*\d+\.\s*Iter:\s*(\d+)/\s*(\d+)\.")
_TEST = re.compile(r"Test Iter:\s*(\d+)/\s*(\d+)\.")


def read(path: Path) -> list[Point]:
    """The evaluations in a terminal's output, by strictly increasing iteration.

    A progress bar is redrawn many times; a bar of an evaluation counts once it is full. Losses
    and mask are those of the last training state shown before it. Seconds are not shown: None.
    Raises BadInput for a file that cannot be opened, LogError for an accuracy that cannot be read.
    """
    points: list[Point] = []
    train: _State | None = None
    early: tuple[_State, Point] | None = None  # an evaluation above the first training state
    for state in _states(path):
        if _TRAIN.match(state.text):
            if early:
                points.append(_placed(early[1], state, at_epoch_start=True))
                early = None
            train = state
        elif state.text.startswith("Test Iter:") and (evaluation := _evaluation(state)):
            if train is None:
                early = state, evaluation
                continue
            point = _placed(evaluation, train)
            text.drop_from(points, point.iteration)
            points.append(point)
    if early:
        raise early[0].error("no 'Train Epoch:' line says at which iteration")
    return points


@dataclass(frozen=True)
class _State:
    """What a bar or line showed at one time."""

    path: Path
    line: int
    text: str
    cut: bool  # the file ends inside it

    def value(self, key: str) -> float | None:
        """The number after `key`, a pattern; a full stop ends it. None: it is not there."""
        match = re.search(rf"\b{key}:\s*(-?\d+\.\d+|-?inf|nan)\.(?!\d)", self.text)
        return float(match[1]) if match else None

    def error(self, problem: str) -> LogError:
        return LogError(
            f"{self.path}:{self.line}: {problem}; restore the line from the original output, "
            "or delete it"
        )


def _states(path: Path) -> Iterator[_State]:
    lines = _ANSI.sub("", text.read(path, "text file")).split("\n")
    for number, line in enumerate(lines, 1):
        parts = [part for drawn in line.split("\r") for part in _STATE_START.split(drawn)]
        for index, part in enumerate(parts, 1):
            cut = number == len(lines) and index == len(parts)
            yield _State(path, number, part, cut)


def _evaluation(state: _State) -> Point | None:
    """The accuracy a 'Test Iter' state shows, at iteration 0; None for a bar that is not full."""
    match = _TEST.match(state.text)
    if "top" not in state.text:
        return None
    top1, top5 = state.value("top[1lI]"), state.value("top5")
    if (
        match is None
        or top1 is None
        or not 0 <= top1 <= 100
        or (top5 is None and "top5" in state.text)
    ):
        if state.cut:
            return None
        raise state.error("an evaluation without a top1 and top5 in percent")
    is_bar = "Batch:" in state.text  # without it, a line printed once, that counts training
    if is_bar and match[1] != match[2]:
        return None
    return Point(0, top1, top5, eval_loss=state.value("Loss"))


def _placed(evaluation: Point, train: _State, at_epoch_start: bool = False) -> Point:
    """The evaluation after the training state, or at the end of the epoch before the state's."""
    match = _TRAIN.match(train.text)
    assert match is not None
    epoch, within, per_epoch = (int(number) for number in match.groups())
    start = (epoch - 1) * per_epoch
    if at_epoch_start:
        return Point(start, evaluation.top1, evaluation.top5, evaluation.eval_loss)
    return Point(
        start + within,
        evaluation.top1,
        evaluation.top5,
        evaluation.eval_loss,
        loss=train.value("Loss"),
        loss_x=train.value("Loss_x"),
        loss_u=train.value("Loss_u"),
        mask=train.value("Mask"),
    )
