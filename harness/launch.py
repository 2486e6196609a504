"""One run: prepare its folder, start the child, watch it, record what became of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from harness import records, runs, split
from harness.errors import BadInput, HarnessError, Incomplete, LogError
from harness.execution import local
from harness.fingerprints import split_sha256
from harness.implementations import base
from harness.implementations.base import Implementation, Request
from harness.records import Manifest, Point, Status
from harness.terminal import RunLine, Terminal

START_SECONDS = 15.0  # what a child takes to load its libraries, about


class Launcher:
    """Starts runs in one results folder."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.terminal = terminal

    def run_folder(self, implementation: Implementation, request: Request) -> Path:
        name = runs.folder_name(request.labels, request.seed, implementation.name)
        return self.folder / "runs" / name

    def is_done(self, implementation: Implementation, request: Request) -> bool:
        """Whether this very run is done. Raises BadInput if the folder holds a different one."""
        manifest = records.read_manifest(self.run_folder(implementation, request))
        return manifest is not None and manifest.status is Status.DONE

    def check_same_settings(self, request: Request) -> None:
        """Raise BadInput if a finished run in this folder was made with other settings.

        Only the labelled images differ between the runs of one folder: a table never mixes.
        """
        for path in sorted((self.folder / "runs").glob("*-seed*-*")):
            manifest = records.read_manifest(path)
            if manifest is None or manifest.status is not Status.DONE:
                continue
            same_split = (manifest.labels, manifest.seed) == (request.labels, request.seed)
            for key, value in request_settings(request).items():
                found = manifest.settings.get(key)
                if found != value and (key != "split_sha256" or same_split):
                    raise BadInput(
                        f"{path}: done with {key} = {found}, asked for is {value}; name another "
                        "folder with RESULTS=, or move that run away"
                    )

    def expected_seconds(self, implementation: Implementation, request: Request) -> float | None:
        """From the runs of this implementation that are done here, else the profile's guess."""
        rates = [
            manifest.wall_seconds / manifest.settings["iterations"]
            for path in (self.folder / "runs").glob(f"*-{implementation.name}")
            if (manifest := records.read_manifest(path)) is not None
            and manifest.status is Status.DONE
            and manifest.wall_seconds
        ]
        if rates:
            return float(np.median(rates)) * request.profile.iterations
        guess = request.profile.seconds_per_iteration.get(implementation.name)
        return guess and START_SECONDS + guess * request.profile.iterations

    def run(self, implementation: Implementation, request: Request) -> None:
        """Train, whatever comes of it; only an interruption by the user is raised (Incomplete)."""
        folder = self.run_folder(implementation, request)
        reference = base.create("torchssl")
        before = records.read_manifest(folder)
        manifest = Manifest(
            implementation=implementation.name,
            labels=request.labels,
            seed=request.seed,
            settings=request_settings(request),
            status=Status.RUNNING,
            attempt=_next_attempt(folder, before),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            own_commit=base.create("own").commit(),
            torchssl_commit="" if reference.unavailable() else reference.commit(),
        )
        name = folder.name
        if reason := implementation.unavailable():
            gone = {"status": Status.UNAVAILABLE, "reason": reason}
            records.write_manifest(folder, manifest.model_copy(update=gone))
            self.terminal.say(f"{name}: unavailable: {reason}")
            return
        attempt = runs.attempt_folder(folder, manifest.attempt)
        try:
            attempt.mkdir(parents=True)
            records.write_manifest(folder, manifest)
            self._prepare(implementation, request, attempt)
            began = time.monotonic()
            with self.terminal.run(name) as line:
                command = implementation.train_command(request, attempt)
                watch = _Watch(implementation, request, attempt, line)
                code = local.run(command, attempt, watch)
            outcome = _outcome(implementation, request, attempt, code, time.monotonic() - began)
        except KeyboardInterrupt:
            stopped = {"status": Status.FAILED, "reason": "interrupted"}
            records.write_manifest(folder, manifest.model_copy(update=stopped))
            raise Incomplete(f"{name}: interrupted; 'make compare' runs it again") from None
        except (HarnessError, OSError) as error:
            outcome = {"status": Status.FAILED, "reason": f"could not be started: {error}"}
        records.write_manifest(folder, manifest.model_copy(update=outcome))
        self._report(name, implementation, request, attempt, outcome)

    def _prepare(self, implementation: Implementation, request: Request, attempt: Path) -> None:
        """Hand out data, labelled indices and initial weights."""
        (attempt / base.DATA).symlink_to(request.dataset.root.resolve(), target_is_directory=True)
        np.save(attempt / base.LABELLED, split.draw(request.labels, request.seed, request.dataset))
        source = _draws_initial_weights(implementation)
        out = Path(base.INITIAL_WEIGHTS)  # the child works in `attempt`
        command = source.weights_command(request.profile, request.seed, out)
        if local.run(command, attempt) != 0:
            raise HarnessError(f"{source.name} drew no initial weights: {_last_line(attempt)}")

    def _report(
        self,
        name: str,
        implementation: Implementation,
        request: Request,
        attempt: Path,
        outcome: dict[str, Any],
    ) -> None:
        if outcome["status"] is Status.DONE:
            last = implementation.points(attempt, request.dataset.test_class_counts)[-1]
            minutes = outcome["wall_seconds"] / 60
            self.terminal.say(f"{name}: done in {minutes:.1f} min, last top-1 {last.top1:.2f}")
            return
        self.terminal.say(f"{name}: failed: {outcome['reason']}; its last lines:")
        for line in local.last_lines(attempt):
            self.terminal.say(f"    {line}")


def request_settings(request: Request) -> dict[str, Any]:
    """What is asked for: two requests with equal settings are the same run."""
    indices = split.draw(request.labels, request.seed, request.dataset)
    return {
        **request.profile.hyper_parameters(),
        "iterations_per_epoch": request.iterations_per_epoch,
        "data": request.dataset.name,
        "test_class_counts": request.dataset.test_class_counts,
        "data_sha256": request.dataset.sha256,
        "split_sha256": split_sha256(indices),
    }


class _Watch:
    """Called while the child runs: reads the log only when it has grown."""

    def __init__(
        self, implementation: Implementation, request: Request, attempt: Path, line: RunLine
    ) -> None:
        self.implementation, self.request, self.attempt = implementation, request, attempt
        self.line = line
        self.size = -1
        self.latest: Point | None = None

    def __call__(self) -> None:
        log = self.implementation.log(self.attempt)
        size = log.stat().st_size if log.exists() else -1
        if size != self.size:
            self.size = size
            points = self._points()
            self.latest = points[-1] if points else None
        self.line.update(self.implementation.progress(self.attempt), self.latest)

    def _points(self) -> Sequence[Point]:
        try:
            return self.implementation.points(self.attempt, self.request.dataset.test_class_counts)
        except LogError:
            return ()  # a line that is being written; the end of the run reads it again


def _outcome(
    implementation: Implementation, request: Request, attempt: Path, code: int, seconds: float
) -> dict[str, Any]:
    """What becomes of the manifest when the child has ended."""
    outcome: dict[str, Any] = {
        "exit_code": code,
        "wall_seconds": round(seconds, 1),
        "facts": implementation.facts(attempt),
        "status": Status.FAILED,
    }
    if code != 0:
        killed = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return outcome | {"reason": f"{killed}: {_last_line(attempt)}"}
    try:
        points = implementation.points(attempt, request.dataset.test_class_counts)
    except HarnessError as error:
        return outcome | {"reason": f"its log cannot be read: {error}"}
    if not points or points[-1].iteration != request.profile.iterations:
        reached = points[-1].iteration if points else 0
        return outcome | {
            "reason": f"its last evaluation is at {reached} of {request.profile.iterations}"
        }
    return outcome | {"status": Status.DONE}


def _draws_initial_weights(implementation: Implementation) -> Implementation:
    """TorchSSL's builder draws them where it can be had, else the implementation's own does."""
    reference = base.create("torchssl")
    return reference if reference.unavailable() is None else implementation


def _next_attempt(folder: Path, before: Manifest | None) -> int:
    number = before.attempt if before is not None else 1
    while runs.attempt_folder(folder, number).exists():
        number += 1
    return number


def _last_line(attempt: Path) -> str:
    lines = local.last_lines(attempt, 1)
    return lines[0].strip() if lines else "it said nothing"
