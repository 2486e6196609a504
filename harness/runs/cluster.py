"""Runs on a Slurm cluster: submitted together, each in a job that can be killed and requeued."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput, Incomplete
from harness.implementations.interface import REPOSITORY
from harness.runs.attempt import Limits
from harness.runs.execution import slurm
from harness.runs.execution.slurm import Queued, Settings
from harness.runs.folder import Planned
from harness.runs.manifest import Status, read_manifest, write_manifest
from harness.runs.progress import Plain, Watcher
from harness.runs.train import train

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

EVERY_SECONDS = 2.0
MOST_UNANSWERED = 30  # times in a row that the queue may not answer


Work = Callable[[Planned, Watcher, Limits, threading.Event], None]


class Task:
    """What a job does: one run, in a process of the cluster. It is pickled on its way there.

    `work`: a function of a module; it raises Incomplete when it is to end.
    """

    def __init__(self, planned: Planned, limits: Limits, work: Work) -> None:
        self.planned = replace(planned, folder=planned.folder.resolve())
        self.limits = limits
        self.work = work

    def __call__(self) -> None:
        stop = threading.Event()
        # Cancelled, pre-empted or requeued: Slurm sends this to the child too.
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        with suppress(Incomplete):
            self.work(self.planned, Plain(), self.limits, stop)

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit at the time limit or before a pre-emption: the same again, later."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def run_all(
    folder: Path,
    plan: Sequence[Planned],
    limits: Limits,
    settings: Settings,
    watcher: Watcher,
    work: Work,
) -> None:
    """One array job for the runs that are in no queue yet; returns when all have left the queue.

    `folder` is the comparison's, `work` what each job does. Interrupted, it leaves the jobs in the
    queue. Raises BadInput where there is no Slurm.
    """
    by_name: dict[str, Planned] = {}
    for planned in plan:
        if planned.side.unavailable() is not None:
            train(planned, watcher, limits)  # records that
        else:
            by_name[planned.folder.name] = planned
    say = watcher.say
    queued = slurm.queue(folder)
    for name in by_name.keys() & queued.keys():
        say(f"{name}: {queued[name]}, since an earlier comparison")
    todo = {name: planned for name, planned in by_name.items() if name not in queued}
    tasks = {name: Task(planned, limits, work) for name, planned in todo.items()}
    if tasks:
        ids = slurm.submit(folder, tasks, settings, [str(REPOSITORY)])
        say(f"Submitted {len(ids)} runs: job {ids[0].partition('_')[0]}")
    try:
        _wait(folder, by_name, say)
    except KeyboardInterrupt:
        raise Incomplete(
            "interrupted; the jobs stay in the queue ('squeue --me', 'scancel'): the same command "
            "waits for them again"
        ) from None
    for name in by_name:
        _close(folder, name)


def _wait(folder: Path, names: Mapping[str, Planned], say: Callable[[str], None]) -> None:
    """Until none of the runs is in the queue; says each change of state."""
    shown: dict[str, str] = {}
    unanswered = 0
    while True:
        try:
            queued = slurm.queue(folder)
            unanswered = 0
        except BadInput:
            unanswered += 1
            if unanswered > MOST_UNANSWERED:
                raise
            time.sleep(EVERY_SECONDS)
            continue
        for name in names:
            now = _state(folder, name, queued.get(name))
            if now and shown.get(name) != now:
                say(f"{name}: {now}")
                shown[name] = now
        if not names.keys() & queued.keys():
            return
        time.sleep(EVERY_SECONDS)


def _state(folder: Path, name: str, queued: Queued | None) -> str:
    if queued is not None:
        return f"job {queued.job} {queued.state}"
    manifest = read_manifest(folder / "runs" / name)
    return manifest.status.value if manifest is not None else ""


def _close(folder: Path, name: str) -> None:
    """Of a run whose job ended without recording how: it failed, and its output says more."""
    run_folder = folder / "runs" / name
    manifest = read_manifest(run_folder)
    if manifest is None or manifest.status is not Status.RUNNING:
        return
    reason = f"its job ended before it did (see {slurm.output(folder, name)}); submit it again"
    change = {"status": Status.FAILED, "reason": reason, "worker": None}
    write_manifest(run_folder, manifest.model_copy(update=change))
