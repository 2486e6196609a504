"""How the runs of a results folder stand: read from its files alone, while they run or later."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.commands.terminal import Terminal, duration
from harness.errors import BadInput, HarnessError, NoRuns
from harness.implementations import registry
from harness.implementations.interface import Progress
from harness.parity.terms import Resolved
from harness.runs import folder as runs
from harness.runs import manifest as records
from harness.runs.execution import lock as hold
from harness.runs.execution import slurm
from harness.runs.execution.slurm import Queued
from harness.runs.folder import Run
from harness.runs.manifest import Manifest, Point, Status

COLUMNS = ("run", "state", "iteration", "it/s", "left", "top-1", "on track")
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
    return _read(folder / "runs", COMPARE)


def read_study(folder: Path) -> list[State]:
    """Every run of the study in `folder`, as `read`; named `<variant>/<run>`."""
    return [
        replace(state, name=f"{variant.name}/{state.name}", variant=variant.name)
        for variant in sorted((folder / "runs").iterdir())
        for state in _read(variant, _study_again(folder))
    ]


def _study_again(folder: Path) -> str:
    return f"make study NAME={folder.name}"


def _read(runs_folder: Path, again: str) -> list[State]:
    """`again` is what goes on with a run that stopped."""
    found = []
    for path in sorted(runs_folder.glob("*-seed*-*")):
        manifest = records.read_manifest(path)
        if manifest is not None:
            found.append(_recorded(path, manifest))
    judged = runs.mark_incomparable([run for run, _, _ in found])
    states = [
        _state(run, unread, progress, again)
        for run, (_, unread, progress) in zip(judged, found, strict=True)
    ]
    states += [
        State(_name(lost), lost, _in_words(lost, again), None, ()) for lost in _missing(states)
    ]
    return sorted(states, key=lambda s: (s.manifest.labels, s.manifest.seed, s.name))


def _recorded(path: Path, manifest: Manifest) -> tuple[Run, str, Progress | None]:
    """The run, why its log cannot be read ('' if it can), and how far it is."""
    attempt = runs.attempt_folder(path, manifest.attempt)
    points: Sequence[Point] = ()
    settings: Mapping[str, Resolved] = {}
    progress, unread = None, ""
    try:
        implementation = registry.create(manifest.implementation)
        progress = implementation.progress(attempt)
        points = implementation.points(attempt, manifest.settings["test_class_counts"])
        runs.check_none_is_lost(points, manifest, implementation.log(attempt))
        settings = implementation.settings(attempt)
    except (HarnessError, KeyError) as error:
        unread = str(error)  # no log yet, or a line that is being written; unless it is done
    run = Run(manifest, tuple(points), manifest.status, manifest.reason, settings)
    return run, unread, progress


def _state(run: Run, unread: str, progress: Progress | None, again: str) -> State:
    judged = run.manifest.model_copy(update={"status": run.status, "reason": run.reason})
    words = _in_words(judged, again)
    if unread and run.manifest.status is Status.DONE:
        words += f", but its log cannot be read: {unread}"
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
    return runs.folder_name(manifest.labels, manifest.seed, manifest.implementation)


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


def show(
    results: Path, profiles: Sequence[str], studies: Sequence[Path], terminal: Terminal
) -> None:
    """A table for each of `profiles`, and for each of `studies`' folders, that has runs.

    Raises BadInput where none has.
    """
    folders = [results / name for name in profiles]
    compared = [path for path in folders if (path / "runs").is_dir() or slurm.uses(path)]
    studied = [path for path in studies if (path / "runs").is_dir()]
    if not compared and not studied:
        raise NoRuns(results, COMPARE if profiles else _study_again(studies[0]))
    for folder in compared:
        _show(folder, read(folder), terminal, COMPARE)
    for folder in studied:
        _show(folder, read_study(folder), terminal, _study_again(folder))


def _show(folder: Path, states: Sequence[State], terminal: Terminal, again: str) -> None:
    holder = hold.holder(folder)
    by = f", run by {holder}" if holder is not None and holder.lives else ""
    terminal.table(f"{folder}{by}", COLUMNS, _rows(states, _queue(folder, terminal)))
    terminal.say(_summary(states, again))


def _queue(folder: Path, terminal: Terminal) -> dict[str, Queued]:
    """What Slurm says of runs that were submitted; nothing where none was."""
    try:
        return slurm.queue(folder)
    except BadInput as error:
        terminal.say(str(error))
        return {}


def _rows(states: Sequence[State], queued: dict[str, Queued]) -> list[list[str]]:
    """A row a run: those begun, with their place in the queue, and those that only wait in it."""
    rows = []
    for state in states:
        place = queued.get(state.name)
        words = state.state
        if place is not None:
            begun = state.manifest.status is not Status.MISSING
            words = f"{words}, {place}" if begun else str(place)
        rows.append(_row(replace(state, state=words), states))
    waiting = queued.keys() - {state.name for state in states}
    return rows + [[name, str(queued[name]), "", "", "", "", ""] for name in sorted(waiting)]


def _row(state: State, states: Sequence[State]) -> list[str]:
    progress, last = state.progress, state.points[-1] if state.points else None
    iterations = state.manifest.settings.get("iterations", 0)
    reached = max(progress.iteration if progress else 0, last.iteration if last else 0)
    running = state.is_running and progress is not None and progress.rate > 0
    rate = progress.rate if running and progress else 0.0
    return [
        state.name,
        state.state,
        f"{reached}/{iterations}",
        f"{rate:.1f}" if running else "",
        duration((iterations - reached) / rate) if running else "",
        f"{last.top1:.2f} at {last.iteration}" if last else "",
        on_track(state, states) if state.manifest.status is not Status.DONE else "",
    ]


def _summary(states: Sequence[State], again: str) -> str:
    counts: dict[str, int] = {}
    for state in states:
        word = "stopped" if state.manifest.is_abandoned else state.manifest.status.value
        counts[word] = counts.get(word, 0) + 1
    text = ", ".join(f"{count} {word}" for word, count in counts.items()) or "no run begun"
    stopped = counts.keys() & {"stopped", "failed"} and not any(s.is_running for s in states)
    return text + (f"; '{again}' goes on with it" if stopped else "")
