"""One run until it is done, or has failed for good."""

from __future__ import annotations

import threading

from harness.errors import BadInput, HarnessError, Incomplete
from harness.runs import attempt, kept
from harness.runs.attempt import Context, Limits
from harness.runs.execution.child import Slot
from harness.runs.execution.lock import only_one
from harness.runs.folder import Planned, attempt_folder
from harness.runs.manifest import Status, read_manifest, write_manifest
from harness.runs.progress import Watcher, duration


def train(
    planned: Planned,
    watcher: Watcher,
    limits: Limits,
    slot: Slot | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Train until it is done or has failed for good; only an interruption is raised.

    Further tries go on from the last checkpoint; those that get further are not counted.
    Raises Incomplete when `stop` is set, BadInput where the run's folder cannot be written.
    """
    if reason := planned.side.unavailable():
        _record(planned, Status.UNAVAILABLE, reason)
        watcher.say(f"{planned.title}: unavailable: {reason}")
        return
    stop = stop or threading.Event()
    context = Context(planned.folder, watcher, limits, slot or Slot(), stop, planned.title)
    with only_one(planned.folder, what="run"):
        try:
            _try(planned, context)
        except HarnessError:
            raise
        except Exception as error:  # a defect of one implementation fails its run and no other
            reason = f"unexpected {type(error).__name__} in {planned.side.name}: {error}"
            _record(planned, Status.FAILED, reason)
            watcher.say(f"{planned.title}: failed: {reason}")
    if stop.is_set():
        raise Incomplete(f"{planned.title}: interrupted; the same command goes on with it")


def refuse(planned: Planned, reason: str, watcher: Watcher) -> None:
    """Record a run that is not trained, because it could not be compared."""
    _record(planned, Status.INCOMPARABLE, reason)
    watcher.say(f"{planned.title}: incomparable, so not trained: {reason}")


def _record(planned: Planned, status: Status, reason: str) -> None:
    """Why it did not train now; of one that was begun before, what began it stays known."""
    before = read_manifest(planned.folder)
    if before is not None and before.starts and before.status is not Status.DONE:
        ended = {"status": status, "reason": reason, "worker": None, "heartbeat": ""}
        write_manifest(planned.folder, before.model_copy(update=ended))
        return
    manifest = attempt.new_manifest(planned.side, planned.request, status)
    kept.write(planned.folder, planned.side)
    write_manifest(planned.folder, manifest.model_copy(update={"reason": reason}))


def _try(planned: Planned, context: Context) -> None:
    tries, reached = 0, -1
    while True:
        failure = attempt.run(planned.side, planned.request, context)
        if failure is None or not failure.try_again or context.stop.is_set():
            return
        now = _checkpoint(planned)
        tries, reached = (tries + 1, reached) if now <= reached else (1, now)
        if tries > context.limits.retries:
            return
        pause = context.limits.backoff * 2 ** (tries - 1)
        context.watcher.say(
            f"{context.name}: trying again in {duration(pause)} ({tries} of "
            f"{context.limits.retries})"
        )
        if context.stop.wait(pause):
            return


def _checkpoint(planned: Planned) -> int:
    """The iteration that a further try would go on from."""
    manifest = read_manifest(planned.folder)
    if manifest is None:
        return 0
    try:
        return planned.side.resumes_at(attempt_folder(planned.folder, manifest.attempt)) or 0
    except BadInput:
        return 0
