"""How the runs of a results folder stand: read from its files alone, while they run or later."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.analysis.results import held_to_terms
from harness.errors import BadInput
from harness.implementations import registry
from harness.implementations.reported import Point, Progress
from harness.runs.folder import (
    Run,
    attempt_folder,
    folder_name,
    read_run,
    run_folders,
)
from harness.runs.manifest import Manifest, Status, read_manifest
from harness.runs.progress import duration

OFF_TRACK = 2.0  # standard deviations of finished runs
COMPARE = "make compare"
LOST_SECONDS = 300.0  # without a heartbeat, for a run of another machine


@dataclass(frozen=True)
class State:
    """One run: `state` in words, how far it is, its evaluations so far."""

    name: str
    manifest: Manifest
    state: str
    progress: Progress | None
    points: Sequence[Point]
    variant: str = ""  # of a study

    @property
    def is_running(self) -> bool:
        return self.state.startswith("running")


def read(folder: Path) -> list[State]:
    """Every run under `folder`/runs, and those that its peers lack, ordered as in the table.

    Their manifests have the status that the table shows: incomparable and missing are told.
    Raises BadInput for another schema.
    """
    return _read(folder, folder / "runs", COMPARE)


def read_study(folder: Path) -> list[State]:
    """Every run of the study in `folder`, as `read`; named `<variant>/<run>`."""
    return [
        replace(state, name=f"{variant.name}/{state.name}", variant=variant.name)
        for variant in sorted((folder / "runs").iterdir())
        for state in _read(folder, variant, study_again(folder))
    ]


def study_again(folder: Path) -> str:
    return f"make study NAME={folder.name}"


def _read(folder: Path, runs_folder: Path, again: str) -> list[State]:
    """The runs in `runs_folder` of `folder`; `again` is what goes on with one that stopped."""
    there = [(path, read_manifest(path)) for path in run_folders(runs_folder)]
    found = [
        (*read_run(path, manifest), _progress(path, manifest))
        for path, manifest in there
        if manifest is not None
    ]
    judged = held_to_terms(folder, [run for run, _, _ in found])
    states = [
        _state(run, problem, progress, again)
        for run, (_, problem, progress) in zip(judged, found, strict=True)
    ]
    states += [
        State(_name(lost), lost, _in_words(lost, again), None, ()) for lost in _missing(states)
    ]
    return sorted(states, key=lambda s: (s.manifest.labels, s.manifest.seed, s.name))


def _progress(path: Path, manifest: Manifest) -> Progress | None:
    try:
        implementation = registry.of_run(path, manifest.implementation)
    except BadInput:
        return None
    return implementation.progress(attempt_folder(path, manifest.attempt))


def _state(run: Run, problem: Exception | None, progress: Progress | None, again: str) -> State:
    judged = run.manifest.model_copy(update={"status": run.status, "reason": run.reason})
    words = _in_words(judged, again)
    if problem is not None and run.manifest.status is Status.DONE:
        words += f", but its log cannot be read: {problem}"
    return State(_name(judged), judged, words, progress, run.points)


def _missing(states: Sequence[State]) -> list[Manifest]:
    """Of each labels and seed, the implementations that other runs of the folder have."""
    there = {state.name for state in states}
    names = sorted({state.manifest.implementation for state in states})
    peers = {(s.manifest.labels, s.manifest.seed): s.manifest.settings for s in states}
    lost = [
        Manifest(
            implementation=name,
            labels=labels,
            seed=seed,
            settings=settings,
            status=Status.MISSING,
        )
        for (labels, seed), settings in peers.items()
        for name in names
    ]
    return [manifest for manifest in lost if _name(manifest) not in there]


def _name(manifest: Manifest) -> str:
    return folder_name(manifest.labels, manifest.seed, manifest.implementation)


def _in_words(manifest: Manifest, again: str) -> str:
    worker = manifest.worker
    if manifest.is_abandoned:
        return f"stopped: its process is gone; '{again}' goes on with it"
    if manifest.status is not Status.RUNNING or worker is None:
        return manifest.status.value + (f": {manifest.reason}" if manifest.reason else "")
    silent = _seconds_since(manifest.heartbeat)
    if not worker.is_here and silent > LOST_SECONDS:
        return f"running on {worker.host}, but not heard of for {duration(silent)}"
    return f"running ({worker})"


def _seconds_since(moment: str) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except ValueError:
        return 0.0


def on_track(state: State, finished: Sequence[State]) -> str:
    """The last accuracy against those that finished runs of the same kind had there.

    Of the same kind are done runs of the same implementation, label count and variant, of other
    seeds.
    On track is within their range or two standard deviations of their mean; one is no measure.
    """
    if not state.points or state.manifest.status is Status.INCOMPARABLE:
        return ""
    last = state.points[-1]
    theirs = [
        point.top1
        for other in finished
        if other.name != state.name and other.variant == state.variant
        for point in other.points
        if point.iteration == last.iteration
        and other.manifest.status is Status.DONE
        and other.manifest.implementation == state.manifest.implementation
        and other.manifest.labels == state.manifest.labels
    ]
    if not theirs:
        return "nothing to compare with"
    mean = statistics.fmean(theirs)
    if len(theirs) == 1:
        return f"{last.top1 - mean:+.2f} against the one finished run"
    spread = statistics.stdev(theirs)
    beside = f"{len(theirs)} finished runs had {mean:.2f} ± {spread:.2f} there"
    if last.top1 < min(*theirs, mean - OFF_TRACK * spread):
        return f"below: {beside}"
    if last.top1 > max(*theirs, mean + OFF_TRACK * spread):
        return f"above: {beside}"
    return f"yes: {beside}"
