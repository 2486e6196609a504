"""`make status`: how far each run of a results folder is, live or not. Takes no lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import runs
from harness.errors import BadInput
from harness.implementations import base
from harness.implementations.base import Progress
from harness.records import Point, Status
from harness.runs import Run
from harness.terminal import duration

COLUMNS = ("run", "state", "iteration", "it/s", "left", "top-1", "against finished runs")


@dataclass(frozen=True)
class Row:
    """What is shown of one run; empty where it is not known."""

    name: str
    state: str
    iteration: str = ""
    rate: str = ""
    left: str = ""
    top1: str = ""
    track: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """In the order of COLUMNS."""
        return (
            self.name, self.state, self.iteration, self.rate, self.left, self.top1, self.track
        )  # fmt: skip


def rows(folder: Path) -> list[Row]:
    """A row a run, ordered as the table. Raises BadInput where there are no runs."""
    if not (folder / "runs").is_dir():
        raise BadInput(f"RESULTS {folder}: no runs in it; 'make compare' makes some")
    found = runs.load_all(folder)
    return [_row(folder, run, found) for run in found]


def _row(folder: Path, run: Run, others: Sequence[Run]) -> Row:
    manifest = run.manifest
    name = runs.folder_name(manifest.labels, manifest.seed, manifest.implementation)
    total = int(manifest.settings["iterations"])
    last = run.points[-1] if run.points else None
    top1 = f"{last.top1:.2f} at {last.iteration}" if last else ""
    row = Row(name, _state(run), top1=top1, track=track(run, others))
    if run.status is not Status.RUNNING or manifest.is_abandoned:
        reached = f"{last.iteration}/{total}" if last else ""
        return Row(**{**vars(row), "iteration": reached})
    attempt = runs.attempt_folder(folder / "runs" / name, manifest.attempt)
    progress = base.create(manifest.implementation).progress(attempt)
    return Row(**{**vars(row), **_pace(progress)}) if progress is not None else row


def _pace(progress: Progress) -> dict[str, str]:
    share = 100 * progress.iteration / progress.iterations
    pace = {"iteration": f"{progress.iteration}/{progress.iterations} ({share:.0f}%)"}
    if progress.rate > 0:
        left = (progress.iterations - progress.iteration) / progress.rate
        pace |= {"rate": f"{progress.rate:.1f}", "left": duration(left)}
    return pace


def _state(run: Run) -> str:
    if run.manifest.is_abandoned:
        return "stopped: its process is gone; 'make compare' goes on with it"
    where = f" ({run.manifest.worker})" if run.manifest.worker is not None else ""
    return run.status.value + where + (f": {run.reason}" if run.reason else "")


def track(run: Run, others: Sequence[Run]) -> str:
    """The last accuracy against that of finished runs of its kind after as many updates.

    Of the same implementation and label count: their range for fewer than three, else their mean
    and two sample standard deviations.
    """
    if run.status is Status.DONE or not run.points:
        return ""
    last = run.points[-1]
    known = [
        point.top1
        for other in others
        if other is not run and other.status is Status.DONE and _same_kind(run, other)
        for point in other.points
        if point.iteration == last.iteration
    ]
    return _against(last, known)


def _same_kind(run: Run, other: Run) -> bool:
    mine, theirs = run.manifest, other.manifest
    return (mine.implementation, mine.labels) == (theirs.implementation, theirs.labels)


def _against(last: Point, known: Sequence[float]) -> str:
    if not known:
        return "nothing to compare with"
    low, high = min(known), max(known)
    if len(known) >= 3:
        mean, spread = float(np.mean(known)), 2 * float(np.std(known, ddof=1))
        low, high = mean - spread, mean + spread
    place = "below" if last.top1 < low else "above" if last.top1 > high else "on track"
    return f"{place}: {low:.1f} to {high:.1f} in {len(known)} finished"
