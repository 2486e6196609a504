"""A run that is stopped at an early checkpoint, and goes on from there."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError, Incomplete
from harness.implementations.interface import Implementation, Request
from harness.runs.attempt import Limits
from harness.runs.folder import Planned, RunsFolder, attempt_folder
from harness.runs.manifest import Status, read_manifest
from harness.runs.progress import Plain
from harness.runs.train import train

STOP_AT = 5  # iterations


def stop_and_resume(
    side: Implementation, request: Request, place: Path, seconds: float
) -> tuple[str, bool]:
    """Stop a run at an early checkpoint and let it go on; what happened, and whether it is well."""
    side.keep_often()
    planned = RunsFolder(place).planned(side, request)
    ends = time.monotonic() + seconds
    stop = threading.Event()
    watching = threading.Thread(target=_stop_at_checkpoint, args=(planned, stop, ends), daemon=True)
    watching.start()
    with suppress(Incomplete):
        train(planned, Plain(), Limits(retries=0), stop=stop)
    stop.set()
    watching.join()
    first = read_manifest(planned.folder)
    if first is None or first.status is Status.DONE:
        return "was done before it could be stopped", False
    late = threading.Event()
    timer = threading.Timer(max(0.0, ends - time.monotonic()), late.set)
    timer.start()
    with suppress(Incomplete):
        train(planned, Plain(), Limits(retries=0), stop=late)
    timer.cancel()
    found = read_manifest(planned.folder)
    assert found is not None
    at = found.starts[-1].resumed_at
    if found.status is not Status.DONE or not at:
        return f"{found.status.value}: {found.reason or 'it began anew'}", False
    return f"went on from iteration {at} of {request.profile.iterations} and was done", True


def _stop_at_checkpoint(planned: Planned, stop: threading.Event, ends: float) -> None:
    attempt = attempt_folder(planned.folder, 1)
    while not stop.wait(0.1):
        with suppress(HarnessError):
            if attempt.is_dir() and (planned.side.resumes_at(attempt) or 0) >= STOP_AT:
                break
        if time.monotonic() > ends:
            break
    stop.set()
