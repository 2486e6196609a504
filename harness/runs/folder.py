"""The run folders of a results folder: `runs/<labels>-seed<seed>-<implementation>/`.

A run folder holds `manifest.json` and a folder for each attempt with the raw log in it. Attempts
are never overwritten; the manifest names the one that counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import HarnessError, LogError
from harness.implementations import registry
from harness.parity import terms as comparability
from harness.parity.terms import Evidence, Resolved
from harness.runs import manifest as records
from harness.runs.manifest import Manifest, Point, Status

HALF_AN_IMAGE = 0.004  # percent, of 10,000 test images


@dataclass(frozen=True)
class Run:
    """A run as its files tell it: manifest and points, with the status that the table shows."""

    manifest: Manifest
    points: tuple[Point, ...]
    status: Status
    reason: str
    settings: Mapping[str, Resolved] = field(default_factory=dict)  # as it recorded them itself

    @property
    def evidence(self) -> Evidence:
        """What it recorded of what it used."""
        manifest = self.manifest
        return Evidence(
            manifest.implementation,
            manifest.facts,
            self.settings,
            departs=registry.departs(manifest.implementation),
            asked=manifest.settings,
        )

    @property
    def key(self) -> tuple[int, int]:
        """Runs with equal keys are meant to be compared: (labels, seed)."""
        return self.manifest.labels, self.manifest.seed


def folder_name(labels: int, seed: int, implementation: str) -> str:
    """The name of a run's folder."""
    return f"{labels}-seed{seed}-{implementation}"


def attempt_folder(run_folder: Path, attempt: int) -> Path:
    """Where attempt number `attempt` (from 1) of a run works."""
    return run_folder / f"attempt-{attempt}"


def load_all(results: Path) -> list[Run]:
    """Every run under `results`, ordered by labels, seed, implementation, and judged comparable.

    Raises BadInput for a manifest of another schema, and LogError for the log of a done run that
    cannot be read or has lost evaluations. A run that is not done has the points that its log
    gives, if any.
    """
    return mark_incomparable(read(results / "runs"))


def read(place: Path) -> list[Run]:
    """The runs whose folders lie in `place`, as `load_all` does, before any is compared."""
    runs = []
    for folder in sorted(place.glob("*-seed*-*")):
        manifest = records.read_manifest(folder)
        if manifest is not None:
            points, settings = _recorded(folder, manifest)
            run = Run(manifest, tuple(points), manifest.status, manifest.reason, settings)
            runs.append(run)
    runs.sort(key=lambda run: (*run.key, run.manifest.implementation))
    return runs


def _recorded(folder: Path, manifest: Manifest) -> tuple[list[Point], dict[str, Resolved]]:
    attempt = attempt_folder(folder, manifest.attempt)
    try:
        implementation = registry.create(manifest.implementation)
        points = implementation.points(attempt, manifest.settings["test_class_counts"])
        check_none_is_lost(points, manifest, implementation.log(attempt))
        return points, implementation.settings(attempt)
    except (HarnessError, KeyError):
        if manifest.status is Status.DONE:
            raise
        return [], {}


def check_none_is_lost(points: Sequence[Point], manifest: Manifest, log: Path) -> None:
    """Raise LogError if a done run had more evaluations in its log when it ended.

    The best or the last of those that are left would be shown as the run's.
    """
    if manifest.status is not Status.DONE:
        return
    asked, had = manifest.settings["iterations"], manifest.evaluations
    reached = points[-1].iteration if points else 0
    remedy = "restore it from a copy, or move the run folder away to train it anew"
    if reached < asked:
        raise LogError(f"{log}: its last evaluation is at {reached} of {asked}; {remedy}")
    if had is not None and had != len(points):
        raise LogError(f"{log}: has {len(points)} evaluations, {had} when the run ended; {remedy}")


def mark_incomparable(runs: Sequence[Run], varied: Collection[str] = ()) -> list[Run]:
    """The same runs; a done one that did not use what was asked for is marked, with what differs.

    Rungs 1-4 of the ladder, by each side's own record: against what was asked for, and against the
    other runs of the same key, of which other values of the `varied` settings may be asked. Rung 8:
    the accuracy that it logged last is the judge's.
    """
    marked = []
    for run in runs:
        reason = _difference(run, [other for other in runs if other.key == run.key], varied)
        if run.status is Status.DONE and reason:
            run = Run(run.manifest, run.points, Status.INCOMPARABLE, reason)
        marked.append(run)
    return marked


def _difference(run: Run, peers: Sequence[Run], varied: Collection[str]) -> str:
    manifest = run.manifest
    asked = {**manifest.settings, "labels": manifest.labels, "seed": manifest.seed}
    others = [
        replace(p.evidence, asked={k: v for k, v in p.manifest.settings.items() if k not in varied})
        for p in peers
        if p is not run and p.status is Status.DONE
    ]
    if difference := comparability.first_difference(run.evidence, asked, others):
        return str(difference)
    judged, logged = manifest.judged_top1, run.points[-1].top1 if run.points else None
    if judged is not None and logged is not None and abs(judged - logged) > HALF_AN_IMAGE:
        return f"rung 8, same judge: it logged {logged:.2f}, the judge finds {judged:.2f}"
    return ""
