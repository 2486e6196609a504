"""What the runs of a study say: accuracy and time of each variant against the baseline's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.analysis import comparison, provenance, results, selection, statistics
from harness.analysis.comparison import Cell, Pairing
from harness.analysis.statistics import Sample
from harness.errors import BadInput
from harness.experiment import profile as profiles
from harness.experiment import study as definition
from harness.experiment.algorithms import images_an_iteration
from harness.experiment.profile import Profile
from harness.experiment.study import Study
from harness.runs import failures
from harness.runs.folder import Run
from harness.runs.folder import read as read_runs
from harness.runs.manifest import Manifest, Status

Runs = Mapping[str, Sequence[Run]]  # by variant, in the study's order


@dataclass(frozen=True)
class Time:
    """Training time by the runs' own logs, evaluations included: medians over the done runs.

    `ratios` are this variant's time over the baseline's, paired by seed: a geometric mean with its
    95% interval; None where no seed is done by both, and for runs of another machine.
    """

    seconds_per_iteration: float
    images_per_second: float
    seconds: float
    ratios: Sample | None


@dataclass(frozen=True)
class Apart:
    """Greatest distance of a training loss from the baseline's at equal batches, over the seeds.

    `first` and `last` are of the first and the last evaluation; `equal` of them all: whether every
    logged loss of every seed is the very same number.
    """

    first: float
    last: float
    equal: bool


@dataclass(frozen=True)
class Finding:
    """One variant at one label count; `pairing`, `apart` and ratios are None for the baseline."""

    variant: str
    labels: int
    cell: Cell
    pairing: Pairing | None
    time: Time | None
    apart: Apart | None
    diverged: Sequence[Run]

    @property
    def runs(self) -> int:
        """How many there are, whatever became of them."""
        return self.cell.done + len(self.cell.lost)


@dataclass(frozen=True)
class Findings:
    """Everything that a study's page and figure show."""

    study: Study
    profile: Profile
    rule: str
    runs: Runs
    rows: Sequence[Finding]  # by label count, then in the study's order of variants
    sums: str = ""  # of every file that the rest is made from
    mixed: str = ""  # what is known of runs of more than one source that stand together

    @property
    def labels(self) -> list[int]:
        return sorted({row.labels for row in self.rows})

    @property
    def every_run(self) -> list[Run]:
        """In the order of variants."""
        return [run for variant in self.runs.values() for run in variant]

    def at(self, labels: int) -> list[Finding]:
        """The rows of one label count."""
        return [row for row in self.rows if row.labels == labels]


def is_diverged(manifest: Manifest) -> bool:
    """Whether the run ended because its loss was not finite: that is what a study finds."""
    return manifest.status is Status.FAILED and manifest.failure == failures.NOT_FINITE.kind


def loss_message(run: Run) -> str:
    """`the loss is nan at iteration 12: labelled ..., unlabelled ..., learning rate ...`."""
    said = re.search(r"the loss is [^;]*", run.reason)
    return said[0].strip() if said else run.reason


def read(folder: Path, study: Study) -> Findings:
    """What the study's runs in `folder` say. Raises BadInput for runs that cannot be read."""
    found = load(folder, study)
    places = [
        (folder / "runs" / variant / run.name, run)
        for variant, several in found.items()
        for run in several
    ]
    published = provenance.read(folder)
    mixed = published.mixed if published is not None else ""
    return replace(build(study, found), sums=results.sums(folder, places), mixed=mixed)


def load(folder: Path, study: Study) -> Runs:
    """The study's runs, each held against its own settings and the others of its seed.

    What is varied differs; images, labelled images, initial weights and all other settings must not
    (rungs 1-4 of the ladder). Raises BadInput for runs that are not this study's, or of two
    schedules.
    """
    found = {name: read_runs(folder / "runs" / name) for name in study.variants}
    _check_places(folder, study)
    _check_settings(folder, study, found)
    every = [run for several in found.values() for run in several]
    marked = iter(results.held_to_terms(folder, every, study.varied))
    return {name: [next(marked) for _ in several] for name, several in found.items()}


def build(study: Study, found: Runs) -> Findings:
    """The findings under the profile's selection rule, or the last evaluation for short runs."""
    profile = profiles.load(study.profile)
    done = [run for several in found.values() for run in several if run.status is Status.DONE]
    rule = selection.in_use(profile.selection, [len(run.points) for run in done])
    labels = sorted({run.manifest.labels for several in found.values() for run in several})
    rows = [
        _finding(name, count, study, profile, found, rule)
        for count in labels
        for name in study.variants
    ]
    return Findings(study, profile, rule, found, rows)


def _finding(
    name: str, labels: int, study: Study, profile: Profile, found: Runs, rule: str
) -> Finding:
    mine, theirs = (
        [run for run in found[variant] if run.manifest.labels == labels]
        for variant in (name, study.baseline)
    )
    cell, beside = (_cell(v, r, labels, rule) for v, r in ((name, mine), (study.baseline, theirs)))
    is_baseline, is_elsewhere = name == study.baseline, name == study.elsewhere
    return Finding(
        variant=name,
        labels=labels,
        cell=cell,
        pairing=None if is_baseline else comparison.pair(cell, beside, profile),
        time=_time(_done(mine), {} if is_baseline or is_elsewhere else _done(theirs)),
        apart=None if is_baseline else _apart(_done(mine), _done(theirs)),
        diverged=[run for run in mine if is_diverged(run.manifest)],
    )


def _cell(variant: str, found: Sequence[Run], labels: int, rule: str) -> Cell:
    implementation = found[0].manifest.implementation if found else "own"
    return replace(comparison.cell(found, implementation, labels, rule), implementation=variant)


def _done(found: Sequence[Run]) -> dict[int, Run]:
    return {run.manifest.seed: run for run in found if run.status is Status.DONE}


def _time(mine: Mapping[int, Run], theirs: Mapping[int, Run]) -> Time | None:
    seconds = {seed: _seconds(run) for seed, run in mine.items()}
    if not seconds or not all(seconds.values()):
        return None
    rates = [run.points[-1].iteration / seconds[seed] for seed, run in mine.items()]
    [images] = {images_an_iteration(run.manifest.settings) for run in mine.values()}
    logs = [
        math.log(seconds[seed] / _seconds(run))
        for seed, run in theirs.items()
        if seed in seconds and _seconds(run)
    ]
    return Time(
        seconds_per_iteration=_median(1 / rate for rate in rates),
        images_per_second=images * _median(rates),
        seconds=_median(seconds.values()),
        ratios=_geometric(logs) if logs else None,
    )


def _seconds(run: Run) -> float:
    return run.points[-1].seconds or 0.0


def _geometric(logs: Sequence[float]) -> Sample:
    of_logs = statistics.describe(logs)
    ends = of_logs.interval
    between = None if ends is None else (math.exp(ends[0]), math.exp(ends[1]))
    return Sample(of_logs.n, math.exp(of_logs.mean), interval=between)


def _apart(mine: Mapping[int, Run], theirs: Mapping[int, Run]) -> Apart | None:
    """None where no seed is done by both with the same batches at the same iterations."""
    by_seed = []
    for seed in mine.keys() & theirs.keys():
        ours, other = mine[seed], theirs[seed]
        if images_an_iteration(ours.manifest.settings) != images_an_iteration(
            other.manifest.settings
        ):
            return None
        pairs = zip(ours.points, other.points, strict=False)
        losses = [(a.loss, b.loss) for a, b in pairs if a.iteration == b.iteration]
        by_seed.append([abs(a - b) for a, b in losses if a is not None and b is not None])
    if not by_seed or not all(by_seed):
        return None
    return Apart(
        first=max(distances[0] for distances in by_seed),
        last=max(distances[-1] for distances in by_seed),
        equal=not any(any(distances) for distances in by_seed),
    )


def _check_places(folder: Path, study: Study) -> None:
    for path in sorted((folder / "runs").glob("*")):
        if path.is_dir() and path.name not in study.variants:
            where = definition.path_of(study.name)
            raise BadInput(f"{path}: {where} has no variant of this name; move it away")


def _check_settings(folder: Path, study: Study, found: Runs) -> None:
    """Kept runs were asked what the file says now, but for how long: that may be shortened."""
    free = {"iterations", "eval_every", "warmup"}
    for variant in definition.variants(study):
        asked = {key: value for key, value in variant.settings.items() if key not in free}
        schedules = set()
        for run in found[variant.name]:
            if run.manifest.status is not Status.DONE and not is_diverged(run.manifest):
                continue
            settings = run.manifest.recorded
            place = folder / "runs" / variant.name / run.name
            for key, value in asked.items():
                if settings.get(key) != value:
                    raise BadInput(
                        f"{place}: made with {key} = {settings.get(key)}, "
                        f"{definition.path_of(study.name)} asks for {value}; move that run away"
                    )
            schedules.add(settings["iterations"])
        if len(schedules) > 1:
            lengths = " and ".join(str(count) for count in sorted(schedules))
            raise BadInput(
                f"{folder / 'runs' / variant.name}: holds runs of {lengths} iterations; move "
                "those of one away"
            )


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))
