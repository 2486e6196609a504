"""compare: profile -> data -> split -> train both -> read logs -> judge -> table -> figure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.commands.console.terminal import Terminal
from harness.commands.results import ending, table
from harness.commands.results.entry import Means
from harness.commands.results.plan import Plan
from harness.experiment import algorithms, arithmetic, contender
from harness.experiment.opening import Experiment, open_experiment
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.runs.attempt import Limits
from harness.runs.execution import space
from harness.runs.execution.lock import only_one
from harness.runs.execution.slurm import Settings
from harness.runs.folder import RunsFolder
from harness.runs.manifest import Status

PUBLISHED = Path("results/published")
# Of the Makefile: what need not be said again.
DEFAULTS = {
    "SEEDS": "0", "PROFILE": "auto", "IMPLEMENTATIONS": "own torchssl",
    "ALGORITHMS": algorithms.DEFAULT, "RESULTS": "results", "JOBS": "1", "EXECUTOR": "local",
}  # fmt: skip


@dataclass(frozen=True)
class CompareQuestion:
    """What the user asked for."""

    labels: Sequence[int]
    seeds: Sequence[int]
    implementations: Sequence[str]  # contenders, by name
    profile: str
    results: Path
    iterations: int | None = None
    data_dir: Path | None = None
    jobs: int = 1
    limits: Limits = field(default_factory=Limits)
    slurm: Settings | None = None  # None: on this machine
    reference: Path | None = None  # a results folder with finished runs of the reference
    reuse: Path | None = None  # a results folder with finished runs of anyone, where they are these
    only: Collection[tuple[int, int, str]] | None = None  # labels, seed, contender; None: all
    precision: str = ""  # '': the profile's
    compiled: bool = False
    published: Path = PUBLISHED  # what the accuracies are held against at the end
    algorithms: Sequence[str] = (algorithms.DEFAULT,)  # with which each contender is trained

    @property
    def means(self) -> Means:
        """With what its runs are trained."""
        return Means(self.jobs, self.limits, self.slurm)

    @property
    def contenders(self) -> list[str]:
        """Each of the implementations with each of the algorithms. Raises BadInput."""
        asked = (registry.under(n, a) for a in self.algorithms for n in self.implementations)
        return list(dict.fromkeys(asked))

    @property
    def variables(self) -> dict[str, str]:
        """As make takes them, those that are no defaults: the same question asked again."""
        given = {
            "LABELS": " ".join(map(str, self.labels)),
            "SEEDS": " ".join(map(str, self.seeds)),
            "PROFILE": self.profile,
            "IMPLEMENTATIONS": " ".join(map(registry.word, self.implementations)),
            "ALGORITHMS": " ".join(self.algorithms),
            "ITERATIONS": str(self.iterations or ""),
            "DATA_DIR": str(self.data_dir or ""),
            "RESULTS": str(self.results),
            "REFERENCE": str(self.reference or ""),
            "JOBS": str(self.jobs),
            "EXECUTOR": "slurm" if self.slurm else "local",
            "PRECISION": self.precision,
            "COMPILE": "1" if self.compiled else "",
        }
        return {name: value for name, value in given.items() if value != DEFAULTS.get(name, "")}


def compare(question: CompareQuestion, terminal: Terminal) -> None:
    """The whole comparison; whatever was finished before is kept and not run again.

    Raises BadInput before anything is written, and Incomplete after everything that could be done
    is done and written.
    """
    sides = [registry.create(name) for name in question.contenders]
    experiment = _open(question)
    profile, folder = experiment.profile, question.results / experiment.profile.name
    options = arithmetic.asked(question.precision, question.compiled, experiment.device)
    terminal.say(str(experiment))
    with only_one(folder, terminal.say):
        plan = Plan(folder, experiment.device, question.means, terminal)
        runs = RunsFolder(folder / "runs")
        for labels in question.labels:
            for seed in question.seeds:
                terms = (profile, experiment.dataset, labels, seed, experiment.device)
                request = Request(*terms, options)
                for side in sides:
                    if question.only is None or (labels, seed, side.name) in question.only:
                        plan.add(runs, side, side.asked(request))
        plan.check_terms()
        plan.restore()
        plan.reread()
        if question.reference is not None:
            for algorithm in dict.fromkeys(side.contender.algorithm for side in sides):
                plan.take(question.reference, contender.reference_with(algorithm))
        if question.reuse is not None:
            plan.reuse(question.reuse)
        space.check(folder, profile, len(plan.todo), question.jobs, plan.shared_memory)
        plan.show()
        plan.put_away()
        try:
            plan.train(refused=plan.refuse())
            plan.judge()
        finally:
            found = table.write(folder, profile)
        ending.show(found, profile, question.published, question.variables, terminal)
    places = [(runs.place / run.name, run) for run in found.runs]
    plan.require_done(places, kept=lambda run: run.status is Status.DONE)


def _open(question: CompareQuestion) -> Experiment:
    slurm = question.slurm
    # Of the cluster's nodes, whatever this machine has.
    device = "cuda" if slurm is not None and slurm.gpus else ""
    return open_experiment(
        question.profile, question.iterations, question.data_dir, question.labels, device
    )
