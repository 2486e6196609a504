"""The run folders of a results folder: `runs/<labels>-seed<seed>-<implementation>/`.

A run folder holds `manifest.json` and a folder for each attempt with the raw log in it. Attempts
are never overwritten; the manifest names the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from harness.errors import BadInput, LogError
from harness.experiment import algorithms
from harness.implementations import registry
from harness.implementations.interface import Implementation, Request
from harness.implementations.reported import Evidence, Point, Resolved
from harness.runs import kept
from harness.runs.inputs import request_settings
from harness.runs.manifest import Manifest, Status, read_manifest

UNSAID: dict[str, Any] = {"compile": False}  # what a run has whose manifest does not say
START_SECONDS = 15.0  # what a child takes to load its libraries, about


@dataclass(frozen=True)
class Run:
    """A run as its files tell it: manifest and points, with the status that the table shows."""

    manifest: Manifest
    points: tuple[Point, ...]
    status: Status
    reason: str
    settings: Mapping[str, Resolved] = field(default_factory=dict)  # as it recorded them itself
    differs: Mapping[str, Any] = field(default_factory=dict)  # in what its owner says it departs

    @property
    def evidence(self) -> Evidence:
        """What it recorded of what it used."""
        manifest = self.manifest
        return Evidence(
            manifest.implementation,
            manifest.facts,
            self.settings,
            departs=registry.departs(manifest.implementation, manifest.device),
            asked=manifest.settings,
            algorithm=algorithms.recorded(manifest.settings),
            differs=self.differs,
        )

    @property
    def name(self) -> str:
        """The name of its folder."""
        return folder_name(*self.key, self.manifest.implementation)

    @property
    def key(self) -> tuple[int, int]:
        """Runs with equal keys are meant to be compared: (labels, seed)."""
        return self.manifest.labels, self.manifest.seed


@dataclass(frozen=True, eq=False)
class Planned:
    """One run that is asked for: of whom, on which terms, where it lies, what it is called."""

    side: Implementation
    request: Request
    folder: Path
    title: str


@dataclass(frozen=True)
class RunsFolder:
    """Where the runs of one comparison lie, or those of one variant of a study.

    `place` holds the run folders; `prefix` is put before their names where people are told of them.
    `keeps` says of a manifest whether that run ended in a way that is kept and not tried again.
    """

    place: Path
    prefix: str = ""
    keeps: Callable[[Manifest], bool] = lambda manifest: manifest.status is Status.DONE

    def planned(self, side: Implementation, request: Request) -> Planned:
        """The run of that contender on those terms, as it is asked for."""
        folder = self.place / folder_name(request.labels, request.seed, side.name)
        return Planned(side, request, folder, self.prefix + folder.name)

    def done(self) -> Iterator[tuple[Path, Manifest]]:
        """The runs that are kept, by folder."""
        for path in run_folders(self.place):
            manifest = read_manifest(path)
            if manifest is not None and self.keeps(manifest):
                yield path, manifest

    def expected_seconds(self, side: Implementation, request: Request) -> float | None:
        """From the runs of this contender that are done here, else the profile's guess."""
        rates = [
            manifest.wall_seconds / manifest.settings["iterations"]
            for _, manifest in self.done()
            if manifest.implementation == side.name
            and manifest.status is Status.DONE
            and manifest.wall_seconds
        ]
        if rates:
            return float(median(rates)) * request.profile.iterations
        guess = request.profile.seconds_per_iteration.get(side.contender.implementation)
        return guess and START_SECONDS + guess * request.profile.iterations


def check_same_terms(planned: Planned, done: Iterable[tuple[Path, Manifest]]) -> None:
    """Raise BadInput if one of the `done` runs of its folder was made on other terms.

    Only the labelled images differ between the runs of one folder, what a contender declares to
    change, and between two algorithms what is either's own: a table never mixes.
    """
    side, request = planned.side, planned.request
    asked = UNSAID | request_settings(request)
    for path, manifest in done:
        same_split = (manifest.labels, manifest.seed) == (request.labels, request.seed)
        declared: set[str] = set()
        if manifest.implementation != side.name:
            declared = {*side.departs, *registry.departs(manifest.implementation)}
            declared |= algorithms.not_shared(
                request.algorithm, algorithms.recorded(manifest.settings)
            )
        for key, value in asked.items():
            found = manifest.settings.get(key, UNSAID.get(key))
            if key in declared:
                continue
            if found != value and (key != "split_sha256" or same_split):
                raise BadInput(
                    f"{path}: done with {key} = {found}, asked for is {value}; name another "
                    "folder with RESULTS=, or move that run away"
                )


def run_folders(place: Path) -> list[Path]:
    """The run folders that lie in `place`; a copy that was interrupted is none."""
    return sorted(path for path in place.glob("*-seed*-*") if not path.name.startswith("."))


def folder_name(labels: int, seed: int, implementation: str) -> str:
    """The name of a run's folder."""
    return f"{labels}-seed{seed}-{implementation}"


def attempt_folder(run_folder: Path, attempt: int) -> Path:
    """Where attempt number `attempt` (from 1) of a run works."""
    return run_folder / f"attempt-{attempt}"


def read(place: Path) -> list[Run]:
    """The runs whose folders lie in `place`, ordered by labels, seed, contender.

    Each as its own files tell it: none is held against another yet. A run that is not done has the
    points that its log gives, if any. Raises BadInput for a manifest of another schema, and
    LogError for the log of a done run that cannot be read or has lost evaluations.
    """
    runs = []
    for folder in run_folders(place):
        manifest = read_manifest(folder)
        if manifest is not None:
            run, problem = read_run(folder, manifest)
            if problem is not None and manifest.status is Status.DONE:
                raise problem
            runs.append(run if problem is None else replace(run, points=(), settings={}))
    return in_order(runs)


def in_order(runs: Iterable[Run]) -> list[Run]:
    """By labels, seed, contender."""
    return sorted(runs, key=lambda run: (*run.key, run.manifest.implementation))


def read_run(folder: Path, manifest: Manifest) -> tuple[Run, Exception | None]:
    """The run in `folder`, and why its log cannot be read: not yet, or not any more."""
    attempt = attempt_folder(folder, manifest.attempt)
    points: list[Point] = []
    settings: Mapping[str, Resolved] = {}
    differs: Mapping[str, Any] = {}
    problem: Exception | None = None
    try:
        implementation = registry.of_run(folder, manifest.implementation)
        kept.check(folder, manifest.spec_sha256, implementation)
        differs = implementation.differs
        points = implementation.points(attempt, manifest.settings["test_class_counts"])
        check_none_is_lost(points, manifest, implementation.log(attempt))
        settings = implementation.settings(attempt)
    except Exception as error:  # whatever one implementation's reading of it raises
        problem = error
    return Run(
        manifest, tuple(points), manifest.status, manifest.reason, settings, differs
    ), problem


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
