"""study: definition -> data -> train each variant on the same terms -> read logs -> page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.analysis import study as findings
from harness.analysis.study import Findings, is_diverged
from harness.commands.console.terminal import Terminal
from harness.commands.results.entry import Means
from harness.commands.results.plan import Plan
from harness.errors import BadInput
from harness.experiment import claims
from harness.experiment import study as studies
from harness.experiment.claims import Claims
from harness.experiment.opening import open_on
from harness.experiment.study import Study, Variant
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.report.study import outputs, wording
from harness.runs.attempt import Limits
from harness.runs.execution import processor, space
from harness.runs.execution.lock import only_one
from harness.runs.folder import START_SECONDS, Run, RunsFolder
from harness.runs.manifest import Manifest, Status, read_manifest
from harness.runs.origins import taking
from harness.runs.progress import duration

COLUMNS = ("name", "question", "variants", "runs", "time, JOBS=1")


@dataclass(frozen=True)
class StudyQuestion:
    """What the user asked for; None: as the study's file has it."""

    name: str
    results: Path
    labels: Sequence[int] | None = None
    seeds: Sequence[int] | None = None
    iterations: int | None = None
    data_dir: Path | None = None
    jobs: int = 1
    limits: Limits = field(default_factory=Limits)
    implementation: str = "own"
    elsewhere: Path | None = None  # a results folder of another machine

    @property
    def means(self) -> Means:
        """With what its runs are trained."""
        return Means(self.jobs, self.limits)


def study(question: StudyQuestion, terminal: Terminal) -> None:
    """The whole study; whatever was finished before is kept and not run again.

    Raises BadInput before anything is written, and Incomplete after everything that could be done
    is done and written, if a run has failed for another reason than a loss that is not finite.
    """
    asked = studies.load(question.name)
    if question.elsewhere is not None and asked.elsewhere is None:
        raise BadInput(
            f"REFERENCE: study {asked.name} takes no runs of another machine; leave it out"
        )
    variants = studies.variants(asked, question.iterations)
    labels, seeds = question.labels or asked.labels, question.seeds or asked.seeds
    profile, side = variants[0].profile, registry.create(question.implementation)
    experiment = open_on(profile, question.data_dir, labels)
    dataset, device = experiment.dataset, experiment.device
    folder = studies.place(question.results, asked.name)

    terminal.say(f"Study {asked.name}: {asked.question}")
    terminal.say(
        f"Data {dataset.name}, {dataset.train_size} + {dataset.test_size} images, {device}"
    )
    with only_one(folder, terminal.say, what="study"):
        plan = Plan(folder, device, question.means, terminal)
        elsewhere = Plan(folder, device, question.means, terminal)
        # A seed's variants one after the other: what slows the machine for a while slows them all.
        places = [(variant, _runs(folder, variant)) for variant in variants]
        for count in labels:
            for seed in seeds:
                for variant, runs in places:
                    request = Request(
                        variant.profile, dataset, count, seed, device, variant.options
                    )
                    whose = elsewhere if variant.name == asked.elsewhere else plan
                    whose.add(runs, side, request)
        if question.elsewhere is not None:
            _take(elsewhere, question.elsewhere, side.name)
        plan.check_terms()
        plan.restore()
        space.check(folder, profile, len(plan.todo), question.jobs)
        plan.show()
        plan.put_away()
        try:
            plan.train()
        finally:
            found = write(folder, asked)
        _show(folder, found, terminal)
    plan.require_done(_places(folder, found), kept=_is_result)


def _take(elsewhere: Plan, folder: Path, contender: str) -> None:
    """Take the runs of another machine. Raises BadInput where its processor is like this one's."""
    here = processor.name()
    runs = taking.runs_in(folder, elsewhere.entries[0].planned.request.profile.name)
    for entry in elsewhere.todo:
        name = entry.planned.folder.name
        found = read_manifest(runs / name)
        if found is not None and found.facts is not None and found.facts.processor == here:
            raise BadInput(
                f"REFERENCE {folder}: {name} was made on a processor like this one, {here}; name a "
                "folder of another"
            )
    elsewhere.take(folder, contender)


def write(folder: Path, asked: Study) -> Findings:
    """Write all outputs of the study's runs in `folder`; returns what they say. Raises BadInput."""
    found = findings.read(folder, asked)
    outputs.write(folder, outputs.build(found))
    return found


def describe(terminal: Terminal) -> None:
    """The studies that there are, with what each varies and about how long it takes."""
    rows = []
    for name in studies.names():
        one = studies.load(name)
        variants = [one_of for one_of in studies.variants(one) if one_of.name != one.elsewhere]
        each = len(one.seeds) * len(one.labels)
        seconds = each * sum(guess(variant) for variant in variants)
        count = f"{len(variants)} x {each}"
        rows.append([name, one.question, ", ".join(one.variants), count, duration(seconds)])
    rows += [_of_claims(claims.load(name)) for name in claims.names()]
    terminal.table("Studies: make study NAME=<name>", COLUMNS, rows)


def _of_claims(one: Claims) -> list[str]:
    """It takes the runs of a comparison, and no time."""
    names = one.every_contender
    count = f"{len(names)} x {len(one.seeds) * len(one.labels)}, of make compare"
    return [one.name, one.question, ", ".join(names), count, "trains nothing"]


def guess(variant: Variant) -> float:
    """Seconds that a run of it may take, by the profile's own guess."""
    each = variant.profile.seconds_per_iteration.get("own", 0.0)
    return START_SECONDS + each * variant.profile.iterations


def _runs(folder: Path, variant: Variant) -> RunsFolder:
    return RunsFolder(folder / "runs" / variant.name, f"{variant.name}/", _is_kept)


def _is_kept(manifest: Manifest) -> bool:
    """A loss that diverged is a result too."""
    return manifest.status is Status.DONE or is_diverged(manifest)


def _is_result(run: Run) -> bool:
    return run.status is Status.DONE or is_diverged(run.manifest)


def _places(folder: Path, found: Findings) -> list[tuple[Path, Run]]:
    return [
        (folder / "runs" / variant / run.name, run)
        for variant, several in found.runs.items()
        for run in several
    ]


def _show(folder: Path, found: Findings, terminal: Terminal) -> None:
    """The conclusion on the terminal, and where the files are."""
    terminal.say()
    terminal.say(wording.conclusion(found))
    for name in outputs.NAMES:
        terminal.say(f"  {folder / name}")
