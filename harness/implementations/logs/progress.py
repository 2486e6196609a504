"""Progress lines on a terminal ('Train Epoch: ...', 'Test Iter: ...') -> points."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.errors import LogError
from harness.implementations.logs import curve, units
from harness.implementations.logs.curve import Curve
from harness.implementations.logs.text import Line, is_damaged, read_lines
from harness.implementations.reported import Point

LOOKED_FOR = "'Train Epoch: .../... Iter: .../...' and 'Test Iter: .../... top1: ...'"
SIGN = re.compile(r"Train Epoch:\s*\d+/\s*\d+\.\s*Iter:|Test Iter:\s*\d+/")

_TRAINS, _TESTS = "Train Epoch:", "Test Iter:"
_CUT_TEST = re.compile(r"^(T|Te|Tes|Test)$|Test I(t|te|ter)?$")
_REST_OF_TEST = re.compile(r"(top|op|p)?5:\s*\d")
_CUT_TRAIN = re.compile(r"^(Tr|Tra|Trai|Train)$|Train E(p|po|poc|poch)?$")
_STATE_START = re.compile(f"(?={_TESTS}|{_TRAINS})")
_TRAIN = re.compile(rf"{_TRAINS}\s*(\d+)/\s*\d+\.\s*Iter:\s*(\d+)/\s*(\d+)\.")
_TEST = re.compile(rf"{_TESTS}\s*(\d+)/\s*(\d+)\.")


def read(path: Path) -> list[Point]:
    """The evaluations in a terminal's output, by strictly increasing iteration.

    A progress bar is redrawn many times; a bar of an evaluation counts once it is full. Losses
    and mask are those of the last training state shown before it. Seconds are not shown: None.
    Training that goes back to an earlier iteration was started again from there.
    Raises BadInput for a file that cannot be opened, LogError for an accuracy that cannot be read,
    or that contradicts another.
    """
    ranks = defaultdict[str, _Rank](_Rank)
    label = ""
    for state in _states(path):
        if state.line.label or _STATE_START.match(state.text):
            label = state.line.label  # what follows without one may be the rest of its line
        ranks[label].take(state)
    for rank in ranks.values():
        rank.end()
    return units.percent(curve.merge(rank.curve for rank in ranks.values()))


@dataclass(frozen=True)
class _State:
    """What a bar or line showed at one time."""

    line: Line
    text: str
    cut: bool  # the file ends inside it

    def value(self, key: str) -> float | None:
        """The number after `key`, a pattern; a full stop ends it. None: it is not there."""
        match = re.search(rf"\b{key}:\s*(-?\d+\.\d+|-?inf|nan)\.(?!\d)", self.text)
        return float(match[1]) if match else None

    @property
    def is_damaged(self) -> bool:
        """Whether it has bytes that are no text."""
        return self.line.no_text != "" and is_damaged(self.text)

    @property
    def is_bar(self) -> bool:
        """Of a test: whether it counts the batches of the test set."""
        return "Batch:" in self.text or "Data:" in self.text

    @cached_property
    def training(self) -> _Training | None:
        """Of training: how far it is; None where that cannot be read."""
        match = None if self.is_damaged else _TRAIN.match(self.text)
        return _Training(*(int(number) for number in match.groups())) if match else None


@dataclass(frozen=True)
class _Training:
    epoch: int
    within: int  # iteration in the epoch
    per_epoch: int

    @property
    def start(self) -> int:
        """Updates made before the epoch."""
        return (self.epoch - 1) * self.per_epoch

    @property
    def iteration(self) -> int:
        """Updates made."""
        return self.start + self.within


def _states(path: Path) -> Iterator[_State]:
    for line in read_lines(path, "text file"):
        parts = [part.strip() for part in _STATE_START.split(line.text) if part.strip()]
        for index, part in enumerate(parts, 1):
            yield _State(line, part, cut=line.cut and index == len(parts))


class _Rank:
    """Takes what one rank showed, in order; `curve` is what it evaluated so far."""

    def __init__(self) -> None:
        self.curve = Curve()
        self._last: _State | None = None  # of training
        self._early: tuple[_State, Point] | None = None  # above the first training state
        self._reached = 0  # the iteration that training is at
        self._to_repeat: set[int] = set()  # the evaluations before which it went back
        self._bar: tuple[int, int] | None = None  # where in an epoch bars of tests stand

    def take(self, state: _State) -> None:
        """Go one state on. Raises LogError."""
        try:
            if state.text.startswith(_TRAINS) or _CUT_TRAIN.search(state.text):
                self._train(state)
            elif state.text.startswith(_TESTS):
                self._test(state)
            elif _CUT_TEST.search(state.text) or self._is_rest(state):
                raise state.line.error("an evaluation without its end")
        except LogError:
            if not state.cut:
                raise

    def end(self) -> None:
        """Raise LogError for an evaluation that lacks what the others have, or a place."""
        if self._early:
            line = self._early[0].line
            raise line.error("no 'Train Epoch:' line says at which iteration")
        entries = self.curve.entries
        lacking = [entry for entry in entries if entry.point.top5 is None]
        if len(lacking) in (0, len(entries)):
            return
        if not lacking[0].line.cut:
            raise lacking[0].line.error("an evaluation without the top5 that others have")
        entries.remove(lacking[0])

    def _is_rest(self, state: _State) -> bool:
        """Of the evaluation before, where its line was broken in two."""
        entries = self.curve.entries
        lacks_top5 = bool(entries) and entries[-1].point.top5 is None
        return lacks_top5 and _REST_OF_TEST.match(state.text) is not None

    def _train(self, state: _State) -> None:
        self._last, training = state, state.training
        if training is None:
            return  # which matters if an evaluation follows
        if self._early:
            self._add(replace(self._early[1], iteration=training.start), self._early[0])
            self._early = None
        if training.iteration < self._reached:
            self.curve.start()
            self._bar = None
        self._reached = training.iteration
        if self._to_repeat and min(self._to_repeat) < self._reached:
            raise state.line.error(
                f"training went back, and is now past iteration {min(self._to_repeat)} without the "
                "evaluation that was there: two runs in one file, or the line is gone"
            )

    def _test(self, state: _State) -> None:
        evaluation = self._evaluation(state)
        if evaluation is None:
            return
        if self._last is not None:
            self._add(self._placed(evaluation, state, self._last), state)
        elif self._early is None:
            self._early = state, evaluation
        elif self._early[1] != evaluation:
            raise state.line.error("a second evaluation above the first 'Train Epoch:' line")

    def _placed(self, evaluation: Point, state: _State, last: _State) -> Point:
        """The evaluation after the last training state. Raises LogError if it is not its own.

        A bar is drawn in each epoch at the same iteration; a line that is printed once counts
        training, and so tells to which iteration it belongs.
        """
        training, match = last.training, _TEST.match(state.text)
        if training is None:
            raise last.line.error("no epoch and iteration, where an evaluation follows")
        place = training.within, training.per_epoch
        if state.is_bar:
            self._bar = self._bar or place
            if place != self._bar:
                raise state.line.error(
                    f"an evaluation at iteration {place[0]}/{place[1]} of its epoch, where the one "
                    f"before was at {self._bar[0]}/{self._bar[1]}"
                )
        elif match and match[1] != match[2] and int(match[1]) not in (0, training.iteration):
            raise state.line.error(
                f"iteration {match[1]}, but {training.iteration} in the 'Train Epoch:' line above"
            )
        return replace(
            evaluation,
            iteration=training.iteration,
            loss=last.value("Loss"),
            loss_x=last.value("Loss_x"),
            loss_u=last.value("Loss_u"),
            mask=last.value("Mask"),
        )

    def _evaluation(self, state: _State) -> Point | None:
        """The accuracy a state shows, at iteration 0; None for a bar that is not full."""
        match = _TEST.match(state.text)
        if match and state.is_bar and match[1] != match[2]:
            return None
        top1, top5 = state.value("top[1lI]"), state.value("top5")
        after = re.split(r"\btop[1lI]:\s*\d+\.\d+\.", state.text)[-1].strip()
        lacks_top5 = top5 is None and (
            "top5" in after or (after != "" and "top5".startswith(after))
        )
        if match is None or state.is_damaged or top1 is None or not 0 <= top1 <= 100 or lacks_top5:
            raise state.line.error("an evaluation without a top1 and top5 in percent")
        if state.cut and top5 is None and not after and not self.curve.entries:
            return None  # no evaluation before it tells whether a top5 would follow
        return Point(0, top1, top5, eval_loss=state.value("Loss"))

    def _add(self, point: Point, state: _State) -> None:
        self._to_repeat |= self.curve.add(point, state.line)
        self._to_repeat.discard(point.iteration)
