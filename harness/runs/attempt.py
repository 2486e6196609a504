"""One start of a run's child: anew in a folder of its own, or on from where it stopped."""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import BadInput, HarnessError
from harness.implementations import interface, registry
from harness.implementations.interface import Implementation, Request
from harness.implementations.reported import Facts, Point
from harness.implementations.source import commit_here
from harness.runs import copies, failures, inputs, kept
from harness.runs.execution import child, processor
from harness.runs.execution.child import Ended, Halt, Slot
from harness.runs.execution.process import this_process
from harness.runs.failures import Failure
from harness.runs.folder import attempt_folder
from harness.runs.manifest import Manifest, Start, Status, read_manifest, write_manifest
from harness.runs.progress import Line, Watcher

HEARTBEAT_SECONDS = 15.0
PATIENCE = 1800.0  # seconds of silence; an evaluation is the longest there is in a healthy run
BACKOFF = 30.0  # seconds before the first further try, doubled for each
RETRIES = 2


@dataclass(frozen=True)
class Limits:
    """`retries`: further tries in a row that get no further; `patience`: seconds of silence."""

    retries: int = RETRIES
    patience: float = PATIENCE
    backoff: float = BACKOFF


@dataclass(frozen=True)
class Context:
    """Where a run's child works and what is told of it."""

    run_folder: Path
    watcher: Watcher
    limits: Limits = field(default_factory=Limits)
    slot: Slot = field(default_factory=Slot)
    stop: threading.Event = field(default_factory=threading.Event)
    title: str = ""  # where the folder's name alone would not tell which run it is

    @property
    def name(self) -> str:
        """What the run is called on the terminal."""
        return self.title or self.run_folder.name


def new_manifest(implementation: Implementation, request: Request, status: Status) -> Manifest:
    """The manifest of a run that is asked for now."""
    reference = registry.reference()
    return Manifest(
        implementation=implementation.name,
        labels=request.labels,
        seed=request.seed,
        settings=inputs.request_settings(request),
        status=status,
        started=_now(),
        own_commit=commit_here(),
        source_sha256=implementation.source_sha256(),
        torchssl_commit="" if reference.unavailable() else reference.commit(),
        source_commit=implementation.commit() if kept.names(implementation) else "",
        spec_sha256=kept.sha256(implementation),
    )


def run(implementation: Implementation, request: Request, context: Context) -> Failure | None:
    """Start or go on, watch, and record the end; what went wrong, or None for a run that is done.

    Raises BadInput where the manifest cannot be written.
    """
    before = read_manifest(context.run_folder)
    resumed_at, why = _resumption(implementation, request, context.run_folder, before)
    if why:
        context.watcher.say(f"{context.name}: {why}")
    return _Attempt(implementation, request, context, before, resumed_at).run()


def _resumption(
    implementation: Implementation, request: Request, folder: Path, before: Manifest | None
) -> tuple[int | None, str]:
    """(iteration to go on from, what to say of it); None: train anew."""
    if before is None or not attempt_folder(folder, before.attempt).is_dir():
        return None, ""
    attempt = attempt_folder(folder, before.attempt)
    if before.settings != inputs.request_settings(request):
        return None, "it was begun with other data or settings; training it anew"
    if before.source_sha256 != implementation.source_sha256():
        return None, "its source changed since it was begun; training it anew"
    ended_wrongly = (failures.NOT_FINITE, failures.BAD_LOG, failures.SHORT)
    if before.failure in [failure.kind for failure in ended_wrongly]:
        return None, f"it ended before as '{before.failure}'; training it anew"
    try:
        iteration = implementation.resumes_at(attempt)
        if iteration is None:
            return None, "no checkpoint was written before it stopped; training it anew"
        points = implementation.points(attempt, request.dataset.test_class_counts)
    except HarnessError as error:
        return None, f"{error}; training it anew"
    if lost := _lost(implementation, points, request, iteration):
        return None, f"its log has lost the evaluation at {lost[0]}; training it anew"
    last = before.starts[-1] if before.starts else None
    ended_by_itself = (
        last is not None and last.resumed_at == iteration and (last.exit_code or 0) > 0
    )
    # Of other failures, a full disk for one, the checkpoint is not the cause.
    if ended_by_itself and before.failure in (failures.CRASH.kind, failures.BAD_INPUT.kind):
        return None, f"it could not go on from iteration {iteration}; training it anew"
    return iteration, f"going on from iteration {iteration}"


def _lost(side: Implementation, points: list[Point], request: Request, until: int) -> list[int]:
    """The evaluations up to iteration `until` that should be there and are not."""
    there = {point.iteration for point in points}
    return [n for n in side.evaluated_after(request.profile) if n <= until and n not in there]


class _Attempt:
    def __init__(
        self,
        implementation: Implementation,
        request: Request,
        context: Context,
        before: Manifest | None,
        resumed_at: int | None,
    ) -> None:
        self.implementation, self.request, self.context = implementation, request, context
        self.resumes = resumed_at is not None
        self.began = time.monotonic()
        self.manifest = new_manifest(implementation, request, Status.RUNNING)
        number = before.attempt if before and self.resumes else _new_attempt(context.run_folder)
        start = Start(
            attempt=number,
            started=self.manifest.started,
            own_commit=self.manifest.own_commit,
            resumed_at=resumed_at,
            not_restored=implementation.not_restored if self.resumes else (),
        )
        self.earlier = _closed(before.starts) if before else ()
        self.start = start
        self.folder = attempt_folder(context.run_folder, number)
        self.latest: Point | None = None
        self._log_size = -1
        self._beat = self.began

    def run(self) -> Failure | None:
        name = self.context.name
        try:
            self._write({"worker": this_process(), "heartbeat": _now()})
            self.folder.mkdir(parents=True, exist_ok=self.resumes)
            self._prepare()
        except (HarnessError, OSError) as error:
            stopped = failures.INTERRUPTED if self.context.stop.is_set() else None
            failure = stopped or failures.said([str(error)]) or failures.CRASH
            self._fail(failure, f"could not be started: {error}", None)
            return failure
        self.began = self._beat = time.monotonic()
        try:
            with self.context.watcher.run(name) as line:
                command = self.implementation.train_command(self.request, self.folder, self.resumes)
                ended = child.run(
                    command,
                    self.folder,
                    lambda: self._watch(line),
                    stop=self.context.stop,
                    patience=self.context.limits.patience,
                    slot=self.context.slot,
                )
        finally:
            if self.implementation.copies_data:
                copies.take_back(self.folder, self.implementation.places)
        return self._judge(ended)

    def _prepare(self) -> None:
        """Hand out data, labelled indices and initial weights."""
        kept.write(self.context.run_folder, self.implementation)
        inputs.data_and_split(self.request, self.folder, self.implementation)
        self._draw_weights()
        if self.implementation.copies_data:
            copies.hand_out_files(self.folder, self.implementation.places)

    def _draw_weights(self) -> None:
        there = (self.folder / interface.INITIAL_WEIGHTS).exists()
        if there or not self.implementation.takes_weights:
            return
        source, command = inputs.initial_weights(self.implementation, self.request)
        ended = child.run(
            command,
            self.folder,
            stop=self.context.stop,
            patience=self.context.limits.patience,
            slot=self.context.slot,
        )
        if ended.code != 0:
            raise HarnessError(f"{source} drew no initial weights: {ended.last_line}")

    def _watch(self, line: Line) -> object:
        """Called while the child runs: shows how it goes; a changed value is a sign of life."""
        log = self.implementation.log(self.folder)
        size = log.stat().st_size if log.exists() else -1
        if size != self._log_size:
            self._log_size = size
            points = self._points()
            self.latest = points[-1] if points else None
            if points and any(_is_wrong(point) for point in points):
                raise Halt(f"the loss is nan or infinite at iteration {points[-1].iteration}")
        progress = self.implementation.progress(self.folder)
        line.update(progress, self.latest)
        if time.monotonic() - self._beat >= HEARTBEAT_SECONDS:
            self._beat = time.monotonic()
            with suppress(BadInput):  # the end of the run says what is the matter
                self._write({"worker": this_process(), "heartbeat": _now()})
        return size, progress.iteration if progress is not None else None

    def _points(self) -> list[Point]:
        try:
            counts = self.request.dataset.test_class_counts
            return self.implementation.points(self.folder, counts)
        except HarnessError:
            return []  # a line that is being written; the end of the run reads it again

    def _judge(self, ended: Ended) -> Failure | None:
        """Record how it ended; the failure, if it is one."""
        if ended.stopped or ended.code != 0:
            failure = failures.of(ended)
            what = failures.describe(ended, self.context.limits.patience)
            self._fail(failure, f"{what}; {failure.remedy}", ended)
            return failure
        if short := self.implementation.shortfall(self.request, self.folder, None):
            self._fail(failures.SHORT, short, ended)
            return failures.SHORT
        failure = failures.BAD_LOG
        try:
            counts = self.request.dataset.test_class_counts
            points = self.implementation.points(self.folder, counts)
        except HarnessError as error:
            self._fail(failure, f"its log cannot be read: {error}", ended)
            return failure
        asked = self.request.profile.iterations
        reached = points[-1].iteration if points else 0
        lost = _lost(self.implementation, points, self.request, asked)
        if short := self.implementation.shortfall(self.request, self.folder, points):
            self._fail(failures.SHORT, short, ended)
            return failures.SHORT
        if reached != asked:
            self._fail(failure, f"its last evaluation is at {reached} of {asked}", ended)
        elif lost:
            self._fail(failure, f"its log lacks the evaluation at {lost[0]}", ended)
        else:
            change = {"status": Status.DONE, "facts": self._facts(), "evaluations": len(points)}
            self._write(change, ended, "done")
            minutes = (self.manifest.wall_seconds or 0.0) / 60
            self.context.watcher.say(
                f"{self.context.name}: done in {minutes:.1f} min, last top-1 {points[-1].top1:.2f}"
            )
            return None
        return failure

    def _facts(self) -> Facts | None:
        """As the child recorded them, with the processor in full."""
        facts = self.implementation.facts(self.folder)
        if facts is None:
            return None
        return facts.model_copy(update={"processor": processor.in_full(facts.processor)})

    def _fail(self, failure: Failure, reason: str, ended: Ended | None) -> None:
        self._write(
            {
                "status": Status.FAILED,
                "reason": reason,
                "failure": failure.kind,
                "facts": self._facts(),
                "last_lines": ended.last_lines if ended else (),
            },
            ended,
            reason,
        )
        say, name = self.context.watcher.say, self.context.name
        if failure is failures.INTERRUPTED or not self.manifest.last_lines:
            say(f"{name}: {reason}")
            return
        say(f"{name}: failed: {reason}; its last lines:")
        for said in self.manifest.last_lines:
            say(f"    {said}")

    def _write(self, change: dict[str, Any], ended: Ended | None = None, why: str = "") -> None:
        """Write the manifest with `change` and the time so far."""
        start = self.start.model_copy(
            update={
                "wall_seconds": round(time.monotonic() - self.began, 1),
                "exit_code": ended.code if ended else None,
                "ended": why,
            }
        )
        starts = (*self.earlier, start)
        mine = [s.wall_seconds or 0.0 for s in starts if s.attempt == start.attempt]
        self.manifest = self.manifest.model_copy(
            update={
                "attempt": start.attempt,
                "starts": starts,
                "wall_seconds": round(sum(mine), 1),
                "exit_code": start.exit_code,
                "worker": None,
                "heartbeat": "",
            }
            | change
        )
        write_manifest(self.context.run_folder, self.manifest)


def _closed(starts: tuple[Start, ...]) -> tuple[Start, ...]:
    """With an end for one that has none: whatever watched it died."""
    if not starts or starts[-1].ended:
        return starts
    died = starts[-1].model_copy(update={"ended": "the process that watched it died"})
    return (*starts[:-1], died)


def _is_wrong(point: Point) -> bool:
    values = (point.loss, point.loss_x, point.loss_u)
    return any(value is not None and not math.isfinite(value) for value in values)


def _new_attempt(folder: Path) -> int:
    number = 1
    while attempt_folder(folder, number).exists():
        number += 1
    return number


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
