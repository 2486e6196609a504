"""The run folders of a results folder: `runs/<labels>-seed<seed>-<implementation>/`.

A run folder holds `manifest.json` and a folder for each attempt with the raw log in it. Attempts
are never overwritten; the manifest names the one that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import records
from harness.errors import HarnessError
from harness.implementations import base
from harness.records import Facts, Manifest, Point, Status


@dataclass(frozen=True)
class Run:
    """A run as its files tell it: manifest and points, with the status that the table shows."""

    manifest: Manifest
    points: tuple[Point, ...]
    status: Status
    reason: str

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

    Raises BadInput for a manifest of another schema and LogError for the log of a done run that
    cannot be read. A run that is not done has the points that its log gives, if any.
    """
    runs = []
    for folder in sorted((results / "runs").glob("*-seed*-*")):
        manifest = records.read_manifest(folder)
        if manifest is not None:
            points = _points(folder, manifest)
            runs.append(Run(manifest, tuple(points), manifest.status, manifest.reason))
    runs.sort(key=lambda run: (*run.key, run.manifest.implementation))
    return mark_incomparable(runs)


def _points(folder: Path, manifest: Manifest) -> list[Point]:
    attempt = attempt_folder(folder, manifest.attempt)
    try:
        implementation = base.create(manifest.implementation)
        return implementation.points(attempt, manifest.settings["test_class_counts"])
    except (HarnessError, KeyError):
        if manifest.status is Status.DONE:
            raise
        return []


def mark_incomparable(runs: Sequence[Run]) -> list[Run]:
    """The same runs; a done one that did not use what was asked for is marked, with what differs.

    The rungs are same images, same labelled images and same initial weights, by each side's own
    sums: against what the harness handed out, and against the other runs of the same key.
    """
    marked = []
    for run in runs:
        reason = _difference(run, [other for other in runs if other.key == run.key])
        if run.status is Status.DONE and reason:
            run = Run(run.manifest, run.points, Status.INCOMPARABLE, reason)
        marked.append(run)
    return marked


RUNGS = {
    "data_sha256": "same images",
    "split_sha256": "same labelled images",
    "initial_weights_sha256": "same initial weights",
}


def _difference(run: Run, peers: Sequence[Run]) -> str:
    facts = run.manifest.facts
    if facts is None:
        return "it recorded nothing of the data and weights it used"
    for field, rung in RUNGS.items():
        used = getattr(facts, field)
        asked = run.manifest.settings.get(field)
        if asked is not None:  # that decides; a peer that strayed is marked itself
            if used != asked:
                return f"{rung}: it used {used[:12]}, asked for was {asked[:12]}"
            continue
        for peer in peers:
            theirs = _fact(peer.manifest.facts, field)
            if peer.status is Status.DONE and theirs is not None and theirs != used:
                name = peer.manifest.implementation
                return f"{rung}: it used {used[:12]}, {name} {theirs[:12]}"
    return ""


def _fact(facts: Facts | None, field: str) -> str | None:
    return None if facts is None else getattr(facts, field)
