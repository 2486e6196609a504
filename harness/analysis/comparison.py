"""What the runs of a folder say under one selection rule: cells, paired differences, verdicts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis import selection, statistics
from harness.analysis.published import Published, Row
from harness.analysis.statistics import Equivalence, McNemar, Sample
from harness.errors import BadInput
from harness.experiment import profile as profiles
from harness.experiment.profile import Profile
from harness.implementations.interface import Baseline
from harness.runs.folder import Run
from harness.runs.manifest import Status
from harness.runs.predictions import Predictions

REFERENCE = "torchssl"  # every other implementation that is no baseline is compared with it
Key = tuple[int, int, str]  # labels, seed, implementation


@dataclass(frozen=True)
class Cell:
    """One implementation at one label count: accuracies in percent by seed, of done runs only."""

    labels: int
    implementation: str
    accuracies: Mapping[int, float]
    lost: tuple[str, ...]  # statuses of the runs that are not done
    done: int
    chance: float  # what guessing gives

    @property
    def sample(self) -> Sample | None:
        """None where no run gives an accuracy."""
        values = list(self.accuracies.values())
        return statistics.describe(values, bounds=(0.0, 100.0)) if values else None


@dataclass(frozen=True)
class Checkpoints:
    """The final weights of the two runs of one seed, image by image.

    `right` are counts of test images, `intervals` Clopper and Pearson's in percent; `test` is
    None where there are no predictions of both.
    """

    seed: int
    images: int
    right: tuple[int, int]
    intervals: tuple[tuple[float, float], tuple[float, float]]
    test: McNemar | None


@dataclass(frozen=True)
class Pairing:
    """An implementation minus the reference at one label count, seed by seed.

    `result` is None where no seed is done on both sides; `checkpoints` is set for a single seed.
    `near_chance`: both means are below twice what guessing gives, so that nothing is learnt yet.
    """

    labels: int
    implementation: str
    reference: str
    margin: float
    differences: Mapping[int, float]
    result: Equivalence | None
    checkpoints: Checkpoints | None
    near_chance: bool


@dataclass(frozen=True)
class Gain:
    """An implementation minus its baseline at one label count, seed by seed: what that lacks.

    `sample` is None where no seed is done on both sides; `checkpoints`, `near_chance`: see Pairing.
    """

    labels: int
    implementation: str
    reference: str
    differences: Mapping[int, float]
    sample: Sample | None
    checkpoints: Checkpoints | None
    near_chance: bool


@dataclass(frozen=True)
class Comparison:
    """Everything that tables and report show of a folder, under one selection rule."""

    profile: Profile
    data: str
    rule: str
    titles: Mapping[str, str]
    runs: Sequence[Run]
    cells: Sequence[Cell]
    pairings: Sequence[Pairing]
    gains: Sequence[Gain]
    baselines: Mapping[str, Baseline]  # those that have runs here
    published_beside: Sequence[Row]  # same data set, same rule
    published_apart: Sequence[Row]
    published_data: str

    @property
    def labels(self) -> list[int]:
        return sorted({cell.labels for cell in self.cells})

    @property
    def implementations(self) -> list[str]:
        """By name, baselines last."""
        names = {cell.implementation for cell in self.cells}
        return sorted(names, key=lambda name: (name in self.baselines, name))

    @property
    def evaluations(self) -> tuple[int, int] | None:
        """Fewest and most evaluations of the done runs."""
        counts = [len(run.points) for run in self.runs if run.status is Status.DONE]
        return (min(counts), max(counts)) if counts else None

    def cell(self, implementation: str, labels: int) -> Cell:
        """One cell of the table."""
        return next(
            cell
            for cell in self.cells
            if (cell.implementation, cell.labels) == (implementation, labels)
        )


def build(
    runs: Sequence[Run],
    profile: Profile,
    titles: Mapping[str, str],
    predictions: Mapping[Key, Predictions],
    published: Published,
    rule: str | None = None,
    baselines: Mapping[str, Baseline] | None = None,
) -> Comparison:
    """Compare `runs` under `rule`: the profile's unless given, or the last for short runs.

    Of `baselines`, those that have no runs here do not matter.
    """
    done = [run for run in runs if run.status is Status.DONE]
    rule = rule or selection.in_use(profile.selection, [len(run.points) for run in done])
    data = ", ".join(sorted({str(run.manifest.settings["data"]) for run in runs}))
    implementations = sorted({run.manifest.implementation for run in runs})
    labels = sorted({run.manifest.labels for run in runs})
    cells = [cell(runs, name, count, rule) for count in labels for name in implementations]
    by_key = {(c.labels, c.implementation): c for c in cells}
    here = {name: it for name, it in (baselines or {}).items() if name in implementations}
    checkpoints = _Checkpoints(done, predictions)
    pairings = [
        pair(by_key[count, name], by_key[count, REFERENCE], profile, checkpoints)
        for count in labels
        for name in implementations
        if REFERENCE in implementations and name != REFERENCE and name not in here
    ]
    gains = [
        _gain(cell(runs, baseline.of, count, rule), by_key[count, name], checkpoints)
        for count in labels
        for name, baseline in here.items()
    ]
    beside = published.of(data, rule)
    return Comparison(
        profile=profile,
        data=data,
        rule=rule,
        titles={
            name: titles.get(name, name)
            for name in (*implementations, *(baseline.of for baseline in here.values()))
        },
        runs=runs,
        cells=cells,
        pairings=pairings,
        gains=gains,
        baselines=here,
        published_beside=beside,
        published_apart=[row for row in published.rows if row not in beside],
        published_data=published.data,
    )


def cell(runs: Sequence[Run], implementation: str, labels: int, rule: str) -> Cell:
    """The accuracies of an implementation at a label count under `rule`."""
    here = [
        run
        for run in runs
        if (run.manifest.implementation, run.manifest.labels) == (implementation, labels)
    ]
    done = [run for run in here if run.status is Status.DONE]
    accuracies = {run.manifest.seed: selection.RULES[rule](run.points) for run in done}
    return Cell(
        labels=labels,
        implementation=implementation,
        accuracies={seed: value for seed, value in accuracies.items() if value is not None},
        lost=tuple(run.status.value for run in here if run.status is not Status.DONE),
        done=len(done),
        chance=max((_chance(run) for run in done), default=0.0),
    )


def _chance(run: Run) -> float:
    return 100 / max(1, len(run.manifest.settings["test_class_counts"]))


def pair(
    ours: Cell, theirs: Cell, profile: Profile, checkpoints: _Checkpoints | None = None
) -> Pairing:
    """`ours` minus `theirs` by seed, at the profile's margin; `checkpoints` for a single seed."""
    differences = _differences(ours, theirs)
    margin = profiles.at(profile.margin, ours.labels)
    return Pairing(
        labels=ours.labels,
        implementation=ours.implementation,
        reference=theirs.implementation,
        margin=margin,
        differences=differences,
        result=statistics.equivalence(list(differences.values()), margin) if differences else None,
        checkpoints=checkpoints.of_single(ours, theirs, differences) if checkpoints else None,
        near_chance=_near_chance(ours, theirs),
    )


def _gain(ours: Cell, baseline: Cell, checkpoints: _Checkpoints) -> Gain:
    differences = _differences(ours, baseline)
    return Gain(
        labels=baseline.labels,
        implementation=ours.implementation,
        reference=baseline.implementation,
        differences=differences,
        sample=statistics.describe(list(differences.values())) if differences else None,
        checkpoints=checkpoints.of_single(ours, baseline, differences),
        near_chance=_near_chance(ours, baseline),
    )


def _differences(ours: Cell, theirs: Cell) -> dict[int, float]:
    """Of the seeds that are done on both sides."""
    return {
        seed: value - theirs.accuracies[seed]
        for seed, value in ours.accuracies.items()
        if seed in theirs.accuracies
    }


def _near_chance(*cells: Cell) -> bool:
    return all(cell.sample is not None and cell.sample.mean < 2 * cell.chance for cell in cells)


class _Checkpoints:
    """Final weights by label count and seed."""

    def __init__(self, done: Sequence[Run], predictions: Mapping[Key, Predictions]) -> None:
        self.runs = {(*run.key, run.manifest.implementation): run for run in done}
        self.predictions = predictions

    def of_single(self, ours: Cell, theirs: Cell, seeds: Collection[int]) -> Checkpoints | None:
        """Those of the one seed in `seeds`; None where there are more, or none."""
        if len(seeds) != 1:
            return None
        (seed,) = seeds
        return self.of(ours.labels, seed, (ours.implementation, theirs.implementation))

    def of(self, labels: int, seed: int, names: tuple[str, str]) -> Checkpoints:
        """From predictions where there are any, else from the last accuracy of the log."""
        first, second = (self._right(labels, seed, name) for name in names)
        images = first[1]
        return Checkpoints(
            seed=seed,
            images=images,
            right=(first[0], second[0]),
            intervals=(
                statistics.proportion_interval(*first),
                statistics.proportion_interval(*second),
            ),
            test=self._test(labels, seed, names),
        )

    def _right(self, labels: int, seed: int, name: str) -> tuple[int, int]:
        found = self.predictions.get((labels, seed, name))
        if found is not None:
            return int(found.correct.sum()), len(found.correct)
        run = self.runs[labels, seed, name]
        images = int(sum(run.manifest.settings["test_class_counts"]))
        return round(run.points[-1].top1 * images / 100), images

    def _test(self, labels: int, seed: int, names: tuple[str, str]) -> McNemar | None:
        first, second = (self.predictions.get((labels, seed, name)) for name in names)
        if first is None or second is None:
            return None
        if not np.array_equal(first.targets, second.targets):
            raise BadInput(
                f"predictions.csv of {labels}-seed{seed}-{names[0]} and -{names[1]}: not of the "
                "same test images; judge both runs again"
            )
        return statistics.mcnemar(first.correct, second.correct)
