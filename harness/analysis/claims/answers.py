"""What the runs of a comparison say of claims: of each a ruling, and its numbers by cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis import comparison, published, results
from harness.analysis.claims import costs
from harness.analysis.claims.costs import Cost, Spread, spread
from harness.analysis.claims.measures import MEASURES, Measure, Reading, Ruling, Trained
from harness.analysis.comparison import Comparison, Paired
from harness.analysis.results import Results
from harness.experiment.claims import Claim, Claims
from harness.implementations import registry
from harness.runs.folder import Run
from harness.runs.manifest import Status


@dataclass(frozen=True)
class Answer:
    """What one claim's measure gives for one implementation at one label count.

    `ruling` is None where no run there records what the rule needs; `readings` are by seed.
    """

    labels: int
    implementation: str
    readings: Mapping[int, Reading]
    ruling: Ruling | None

    def spread(self, number: str) -> Spread | None:
        """Of that number over the seeds that have it."""
        return spread(r.numbers[number] for r in self.readings.values() if number in r.numbers)


@dataclass(frozen=True)
class Ruled:
    """A claim, what is said of it, and the answers by label count and implementation."""

    claim: Claim
    ruling: Ruling
    answers: Sequence[Answer]

    @property
    def measure(self) -> Measure | None:
        """None where nothing measures it."""
        return MEASURES.get(self.claim.measure)

    def spread(self, number: str) -> Spread | None:
        """Of that number over all runs here."""
        readings = (r for answer in self.answers for r in answer.readings.values())
        return spread(r.numbers[number] for r in readings if number in r.numbers)


@dataclass(frozen=True)
class Lacking:
    """A run that a whole comparison has, and that does not count here: why."""

    labels: int
    seed: int
    contender: str
    status: Status


@dataclass(frozen=True)
class Weighed:
    """Everything that the page of claims shows."""

    claims: Claims
    results: Results  # with the runs of its contenders alone
    comparison: Comparison
    judged: Sequence[Ruled]
    lacking: Sequence[Lacking]
    costs: Sequence[Cost]
    unseen: Sequence[Paired]  # as `comparison.contrasts`, without the seeds that were looked at
    memory: Mapping[str, int]  # peak bytes on the host by contender, where a benchmark is there

    @property
    def done(self) -> list[Run]:
        return [run for run in self.results.runs if run.status is Status.DONE]

    @property
    def empty(self) -> list[tuple[int, str]]:
        """(labels, contender) of each cell without a run that counts."""
        have = {(run.manifest.labels, run.manifest.implementation) for run in self.done}
        asked = [(n, name) for n in self.claims.labels for name in self.claims.every_contender]
        return [cell for cell in asked if cell not in have]


def read(folder: Path, claims: Claims) -> Weighed:
    """What the comparison in `folder` says. Raises BadInput for runs that cannot be read."""
    return build(_used(results.read(folder), claims), claims, costs.memory(folder))


def build(found: Results, claims: Claims, memory: Mapping[str, int]) -> Weighed:
    """Of `found`, whose runs are all of the contenders and label counts of `claims`."""
    done = [run for run in found.runs if run.status is Status.DONE]
    by_key = {(*run.key, run.manifest.implementation): run for run in done}
    seeds = sorted({run.manifest.seed for run in done})
    cells = {
        (labels, name): {
            seed: Trained(*(by_key.get((labels, seed, one)) for one in pair)) for seed in seeds
        }
        for labels in claims.labels
        for name, pair in claims.contenders.items()
    }
    compared = comparison.build(
        found.runs, claims.asked, registry.entered(), found.predictions, published.load()
    )
    return Weighed(
        claims=claims,
        results=found,
        comparison=compared,
        judged=[judge(claim, cells) for claim in claims.claims],
        lacking=_lacking(found.runs, claims),
        costs=[costs.cost(*key, by_seed) for key, by_seed in cells.items()],
        unseen=_unseen(compared, claims),
        memory={name: memory[name] for name in claims.every_contender if name in memory},
    )


def judge(claim: Claim, cells: Mapping[tuple[int, str], Mapping[int, Trained]]) -> Ruled:
    """A cell has a ruling where all seeds that record what it takes agree; the claim where all
    cells that have one do. Else it is not shown.
    """
    measure = MEASURES.get(claim.measure)
    if measure is None:
        return Ruled(claim, Ruling.NOT_SHOWN, [])
    answers = []
    for (labels, name), by_seed in cells.items():
        readings = {
            seed: reading
            for seed, trained in by_seed.items()
            if (reading := measure.read(trained, claim.threshold or 0.0)) is not None
        }
        ruling = _agreed(reading.ruling for reading in readings.values())
        answers.append(Answer(labels, name, readings, ruling))
    return Ruled(claim, _agreed(answer.ruling for answer in answers) or Ruling.NOT_SHOWN, answers)


def _agreed(rulings: Iterable[Ruling | None]) -> Ruling | None:
    """What all say that say anything; not shown where they disagree, None where none does."""
    said = {ruling for ruling in rulings if ruling is not None}
    if not said:
        return None
    return said.pop() if len(said) == 1 else Ruling.NOT_SHOWN


def sums(found: Results) -> str:
    """Of the files of the done runs, each named from `studies/<name>` beside their folder."""
    places = [
        (found.folder / "runs" / run.name, run) for run in found.runs if run.status is Status.DONE
    ]
    lines = results.sums(found.folder, places).splitlines(keepends=True)
    above = f"../../{found.folder.name}/"
    return "".join(line.replace("  ", f"  {above}", 1) for line in lines)


def _used(found: Results, claims: Claims) -> Results:
    """With the runs alone that the claims are about."""
    names = claims.every_contender
    runs = [
        run
        for run in found.runs
        if run.manifest.implementation in names and run.manifest.labels in claims.labels
    ]
    return replace(found, runs=runs)


def _lacking(runs: Sequence[Run], claims: Claims) -> list[Lacking]:
    """Runs of the seeds that are asked for or that others here have, and that do not count."""
    status = {(*run.key, run.manifest.implementation): run.status for run in runs}
    seeds = sorted({*claims.seeds, *(run.manifest.seed for run in runs)})
    return [
        Lacking(labels, seed, name, found)
        for labels in claims.labels
        for name in claims.every_contender
        for seed in seeds
        if (found := status.get((labels, seed, name), Status.MISSING)) is not Status.DONE
    ]


def _unseen(compared: Comparison, claims: Claims) -> list[Paired]:
    if claims.looked_at is None:
        return []
    seen = set(claims.looked_at.seeds)
    cells = {
        (cell.labels, cell.implementation): replace(
            cell, accuracies={s: v for s, v in cell.accuracies.items() if s not in seen}
        )
        for cell in compared.cells
    }
    return [
        comparison.paired(
            cells[pair.labels, pair.implementation], cells[pair.labels, pair.reference]
        )
        for pair in compared.contrasts
    ]
