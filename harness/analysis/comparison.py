"""What the runs of a folder say under one selection rule: cells, paired differences, verdicts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis import selection, statistics
from harness.analysis.published import Citation, Published
from harness.analysis.results import Key
from harness.analysis.statistics import Equivalence, McNemar, Sample
from harness.errors import BadInput
from harness.experiment import contender
from harness.experiment import profile as profiles
from harness.experiment.contender import Contender
from harness.experiment.profile import Profile
from harness.parity.levels import Levels
from harness.runs.folder import Run
from harness.runs.manifest import Status
from harness.runs.predictions import Predictions


@dataclass(frozen=True)
class Cell:
    """One implementation at one label count: accuracies in percent by seed, of done runs only."""

    labels: int
    implementation: str
    accuracies: Mapping[int, float]
    lost: tuple[str, ...]  # statuses of the runs that are not done
    done: int
    chance: float  # what guessing gives
    begins: int | None = None  # the iteration from which on evaluations count, where several do

    @property
    def sample(self) -> Sample | None:
        """None where no run gives an accuracy."""
        values = list(self.accuracies.values())
        return statistics.describe(values, bounds=(0.0, 100.0)) if values else None


@dataclass(frozen=True)
class FinalWeights:
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
class Paired:
    """One contender minus another at one label count, seed by seed.

    `sample` is None where no seed is done on both sides; `final_weights` is set for a single seed.
    `near_chance`: both means are below twice what guessing gives, so that nothing is learnt yet.
    """

    labels: int
    implementation: str
    reference: str
    differences: Mapping[int, float]
    sample: Sample | None
    final_weights: FinalWeights | None
    near_chance: bool


@dataclass(frozen=True)
class Pairing(Paired):
    """A contender minus the one that it is to be as good as; `result` is None with `sample`."""

    margin: float
    result: Equivalence | None
    lacking: str = ""  # what a verdict needs and is not shown of one of them, in words
    departs: str = ""  # in what their methods differ, as declared and seen
    begins: tuple[int, int] | None = None  # from which iteration on evaluations count, where unlike


@dataclass(frozen=True)
class Before:
    """One contender at one label count: today's cell, that of the version before, and the pair."""

    now: Cell
    then: Cell
    paired: Paired  # today's minus the version before's
    sources: tuple[str, str]  # short sums of today's code and of the code before


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
    gains: Sequence[Paired]  # what a contender has over its baselines
    contrasts: Sequence[Paired]  # a contender minus the same one with another algorithm
    contenders: Mapping[str, Contender]
    published_beside: Sequence[Citation]  # same data set, same rule
    published_apart: Sequence[Citation]
    published_data: str
    notes: Sequence[str] = ()  # what a reader must know of where the runs come from
    before: Sequence[Before] = ()  # against the version of the code before
    levels: Sequence[Levels] = ()  # of proof, where one contender is not held to every sum

    @property
    def labels(self) -> list[int]:
        return sorted({cell.labels for cell in self.cells})

    @property
    def implementations(self) -> list[str]:
        """The contenders that have runs here, by name, baselines last."""
        names = {cell.implementation for cell in self.cells}
        return sorted(names, key=lambda name: (name in self.baselines, name))

    @property
    def baselines(self) -> Mapping[str, Contender]:
        """Those of the contenders that have runs here which leave something out of another."""
        here = {cell.implementation for cell in self.cells}
        return {n: one for n, one in self.contenders.items() if one.baseline_of and n in here}

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
    contenders: Mapping[str, Contender],
    predictions: Mapping[Key, Predictions],
    published: Published,
    rule: str | None = None,
) -> Comparison:
    """Compare `runs` under `rule`: the profile's unless given, or the last for short runs.

    `contenders` say of each whom it is held against; those that have no runs here do not matter.
    """
    done = [run for run in runs if run.status is Status.DONE]
    rule = rule or selection.in_use(profile.selection, [len(run.points) for run in done])
    data = ", ".join(sorted({str(run.manifest.settings["data"]) for run in runs}))
    implementations = sorted({run.manifest.implementation for run in runs})
    labels = sorted({run.manifest.labels for run in runs})
    cells = [cell(runs, name, count, rule) for count in labels for name in implementations]
    by_key = {(c.labels, c.implementation): c for c in cells}
    baselines = {
        name: one.baseline_of
        for name, one in contenders.items()
        if one.baseline_of and name in implementations
    }
    final_weights = _FinalWeights(done, predictions)
    pairings = [
        pair(by_key[count, name], by_key[count, other], profile, final_weights)
        for count in labels
        for name in implementations
        if (other := _held_against(name, contenders)) in implementations
    ]
    gains = [
        paired(cell(runs, whole, count, rule), by_key[count, name], final_weights)
        for count in labels
        for name, whole in baselines.items()
    ]
    contrasts = [
        paired(by_key[count, other], by_key[count, name], final_weights)
        for count in labels
        for name in implementations
        if name in contenders and (other := contenders[name].counterpart) in implementations
    ]
    beside = published.of(data, rule)
    return Comparison(
        profile=profile,
        data=data,
        rule=rule,
        titles={
            name: contenders[name].title if name in contenders else name
            for name in (*implementations, *baselines.values())
        },
        runs=runs,
        cells=cells,
        pairings=pairings,
        gains=gains,
        contrasts=contrasts,
        contenders=contenders,
        published_beside=beside,
        published_apart=[row for row in published.rows if row not in beside],
        published_data=published.data,
    )


def _held_against(name: str, contenders: Mapping[str, Contender]) -> str:
    return contenders[name].held_against if name in contenders else contender.reference()


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
        begins=selection.begins(rule, done[0].points) if done else None,
    )


def _chance(run: Run) -> float:
    return 100 / max(1, len(run.manifest.settings["test_class_counts"]))


def pair(
    ours: Cell, theirs: Cell, profile: Profile, final_weights: _FinalWeights | None = None
) -> Pairing:
    """`ours` minus `theirs` by seed, at the profile's margin; `final_weights` of a single seed."""
    both = paired(ours, theirs, final_weights)
    margin = profiles.at(profile.margin, ours.labels)
    values = list(both.differences.values())
    result = statistics.equivalence(values, margin) if values else None
    begins = None
    if ours.begins and theirs.begins and ours.begins != theirs.begins:
        begins = (ours.begins, theirs.begins)
    return Pairing(**vars(both), margin=margin, result=result, begins=begins)


def paired(ours: Cell, theirs: Cell, final_weights: _FinalWeights | None = None) -> Paired:
    """`ours` minus `theirs` by seed; `final_weights` of a single seed."""
    differences = _differences(ours, theirs)
    return Paired(
        labels=ours.labels,
        implementation=ours.implementation,
        reference=theirs.implementation,
        differences=differences,
        sample=statistics.describe(list(differences.values())) if differences else None,
        final_weights=final_weights.of_single(ours, theirs, differences) if final_weights else None,
        near_chance=_near_chance(ours, theirs),
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


class _FinalWeights:
    """Final weights by label count and seed."""

    def __init__(self, done: Sequence[Run], predictions: Mapping[Key, Predictions]) -> None:
        self.runs = {(*run.key, run.manifest.implementation): run for run in done}
        self.predictions = predictions

    def of_single(self, ours: Cell, theirs: Cell, seeds: Collection[int]) -> FinalWeights | None:
        """Those of the one seed in `seeds`; None where there are more, or none."""
        if len(seeds) != 1:
            return None
        (seed,) = seeds
        return self.of(ours.labels, seed, (ours.implementation, theirs.implementation))

    def of(self, labels: int, seed: int, names: tuple[str, str]) -> FinalWeights:
        """From predictions where there are any, else from the last accuracy of the log."""
        first, second = (self._right(labels, seed, name) for name in names)
        images = first[1]
        return FinalWeights(
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
