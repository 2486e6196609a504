"""Runs on a Slurm cluster: submitted together, each in a job that can be killed and requeued."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.terminal import Terminal
from harness.errors import BadInput, Incomplete
from harness.implementations import registry
from harness.implementations.interface import REPOSITORY, Implementation, Request
from harness.runs import manifest as records
from harness.runs.attempt import Limits
from harness.runs.execution import slurm
from harness.runs.execution.slurm import Queued, Settings
from harness.runs.manifest import Status
from harness.runs.train import Launcher

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

Pair = tuple[Implementation, Request]
EVERY_SECONDS = 2.0
DEAF = 30  # times in a row that the queue may not answer


class Task:
    """What a job does: one run, in a process of the cluster. It is pickled on its way there."""

    def __init__(
        self, folder: Path, limits: Limits, side: Implementation, request: Request
    ) -> None:
        self.folder, self.limits = folder.resolve(), limits
        self.side, self.request = side, request

    def __call__(self) -> None:
        registry.register(self.side.name, lambda: self.side)  # one of yours, or of a test
        stop = threading.Event()
        # Cancelled, pre-empted or requeued: Slurm sends this to the child too.
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        launcher = Launcher(self.folder, Terminal(), self.limits)
        with suppress(Incomplete):
            launcher.run(self.side, self.request, stop=stop)

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit at the time limit or before a pre-emption: the same again, later."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def run_all(launcher: Launcher, pairs: Sequence[Pair], settings: Settings) -> None:
    """One array job for the runs that are in no queue yet; returns when all have left the queue.

    Interrupted, it leaves the jobs in the queue. Raises BadInput where there is no Slurm.
    """
    by_name: dict[str, Pair] = {}
    for side, request in pairs:
        if side.unavailable() is not None:
            launcher.run(side, request)  # records that
        else:
            by_name[launcher.run_folder(side, request).name] = (side, request)
    say, folder = launcher.terminal.say, launcher.folder
    queued = slurm.queue(folder)
    for name in by_name.keys() & queued.keys():
        say(f"{name}: {queued[name]}, since an earlier comparison")
    tasks = {
        name: Task(folder, launcher.limits, side, request)
        for name, (side, request) in by_name.items()
        if name not in queued
    }
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


def _wait(folder: Path, names: dict[str, Pair], say: Callable[[str], None]) -> None:
    """Until none of the runs is in the queue; says each change of state."""
    shown: dict[str, str] = {}
    deaf = 0
    while True:
        try:
            queued = slurm.queue(folder)
            deaf = 0
        except BadInput:
            deaf += 1
            if deaf > DEAF:
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
    manifest = records.read_manifest(folder / "runs" / name)
    return manifest.status.value if manifest is not None else ""


def _close(folder: Path, name: str) -> None:
    """Of a run whose job ended without recording how: it failed, and its output says more."""
    run_folder = folder / "runs" / name
    manifest = records.read_manifest(run_folder)
    if manifest is None or manifest.status is not Status.RUNNING:
        return
    reason = f"its job ended before it did (see {slurm.output(folder, name)}); submit it again"
    change = {"status": Status.FAILED, "reason": reason, "worker": None}
    records.write_manifest(run_folder, manifest.model_copy(update=change))
