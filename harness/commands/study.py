"""study(): definition -> data -> train each variant on the same terms -> read logs -> page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.analysis import study as findings
from harness.analysis.study import Findings
from harness.commands.terminal import Terminal, duration
from harness.errors import Incomplete
from harness.experiment import data, split
from harness.experiment import study as definition
from harness.experiment.data import Dataset
from harness.experiment.study import Variant
from harness.implementations import registry
from harness.implementations.interface import Implementation, Request
from harness.report.study import outputs as files
from harness.report.study import wording as verdicts
from harness.runs import folder as runs
from harness.runs import train as launch
from harness.runs.attempt import Limits
from harness.runs.execution import pool
from harness.runs.execution import space as room
from harness.runs.execution.lock import only_one
from harness.runs.manifest import Manifest, Status
from harness.runs.train import Launcher

COLUMNS = ("name", "question", "variants", "runs", "time, JOBS=1")


@dataclass(frozen=True)
class Question:
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


class VariantLauncher(Launcher):
    """The runs of one variant, in a folder of their own; a loss that diverged is a result."""

    def __init__(self, folder: Path, variant: Variant, terminal: Terminal, limits: Limits) -> None:
        super().__init__(folder, terminal, limits)
        self.variant = variant

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs" / self.variant.name

    def title(self, run_folder: Path) -> str:
        return f"{self.variant.name}/{run_folder.name}"

    def is_result(self, manifest: Manifest) -> bool:
        return super().is_result(manifest) or findings.is_diverged(manifest)


@dataclass(frozen=True, eq=False)
class Planned:
    """One run of one variant."""

    launcher: VariantLauncher
    implementation: Implementation
    request: Request

    @property
    def title(self) -> str:
        """`bf16/250-seed0-own`."""
        return self.launcher.title(self.launcher.run_folder(self.implementation, self.request))

    @property
    def is_done(self) -> bool:
        return self.launcher.is_done(self.implementation, self.request)


def study(question: Question, terminal: Terminal) -> None:
    """The whole study; whatever was finished before is kept and not run again.

    Raises BadInput before anything is written, and Incomplete after everything that could be done
    is done and written, if a run has failed for another reason than a loss that is not finite.
    """
    asked = definition.load(question.name)
    variants = definition.variants(asked, question.iterations)
    profile = variants[0].profile
    device = launch.device_here(profile)
    dataset = data.open_dataset(profile.data, question.data_dir)
    labels, seeds = question.labels or asked.labels, question.seeds or asked.seeds
    for count in labels:
        split.check_labels(count, dataset)
    implementation = registry.create(question.implementation)
    folder = files.place(question.results, asked.name)

    terminal.say(f"Study {asked.name}: {asked.question}")
    terminal.say(
        f"Data {dataset.name}, {dataset.train_size} + {dataset.test_size} images, {device}"
    )
    with only_one(folder, terminal.say, what="study"):
        launchers = [VariantLauncher(folder, v, terminal, question.limits) for v in variants]
        # A seed's variants one after the other: what slows the machine for a while slows them all.
        plan = [
            Planned(
                launcher, implementation, _request(launcher.variant, dataset, count, seed, device)
            )
            for count in labels
            for seed in seeds
            for launcher in launchers
        ]
        for planned in plan:
            planned.launcher.check_same_terms(planned.implementation, planned.request)
        for notice in dict.fromkeys(n for each in launchers for n in each.notices(device)):
            terminal.say(f"Notice: {notice}")
        todo = [planned for planned in plan if not planned.is_done]
        room.check(folder, profile, len(todo), question.jobs)
        _show_plan(terminal, plan, todo, question.jobs)
        try:
            work = [partial(p.launcher.run, p.implementation, p.request) for p in todo]
            pool.run_all(work, pool.slots(question.jobs, device))
        finally:
            found = files.write(folder, asked)
        _show(folder, found, terminal)
    _raise_if_incomplete(found, plan)


def describe(terminal: Terminal) -> None:
    """The studies that there are, with what each varies and about how long it takes."""
    rows = []
    for name in definition.names():
        one = definition.load(name)
        variants = definition.variants(one)
        each = len(one.seeds) * len(one.labels)
        seconds = each * sum(guess(variant) for variant in variants)
        runs_ = f"{len(variants)} x {each}"
        rows.append([name, one.question, ", ".join(one.variants), runs_, duration(seconds)])
    terminal.table("Studies: make study NAME=<name>", COLUMNS, rows)


def _request(variant: Variant, dataset: Dataset, labels: int, seed: int, device: str) -> Request:
    return Request(variant.profile, dataset, labels, seed, device, variant.options)


def _show(folder: Path, found: Findings, terminal: Terminal) -> None:
    """The conclusion on the terminal, and where the files are."""
    terminal.say()
    terminal.say(verdicts.conclusion(found))
    for name in files.NAMES:
        terminal.say(f"  {folder / name}")


def guess(variant: Variant) -> float:
    """Seconds that a run of it may take, by the profile's own guess."""
    each = variant.profile.seconds_per_iteration.get("own", 0.0)
    return launch.START_SECONDS + each * variant.profile.iterations


def _show_plan(
    terminal: Terminal, plan: Sequence[Planned], todo: Sequence[Planned], jobs: int
) -> None:
    if not todo:
        terminal.say(f"Nothing to do: all {len(plan)} runs are done.")
        return
    rows, total = [], 0.0
    for planned in plan:
        if planned not in todo:
            rows.append((planned.title, "done"))
            continue
        seconds = planned.launcher.expected_seconds(planned.implementation, planned.request)
        total += seconds or 0.0
        about = f", about {duration(seconds)}" if seconds else ""
        rows.append((planned.title, f"{planned.request.profile.iterations} iterations{about}"))
    total /= min(jobs, len(todo))
    terminal.table("To do" + (f", about {duration(total)} in all" if total else ""), (), rows)


def _raise_if_incomplete(found: Findings, plan: Sequence[Planned]) -> None:
    """Of the runs that were asked for, those that are neither done nor diverged."""
    there = {
        f"{variant}/{runs.folder_name(*run.key, run.manifest.implementation)}": run
        for variant, several in found.runs.items()
        for run in several
    }
    lost = []
    for title in (planned.title for planned in plan):
        run = there.get(title)
        if run is None:
            lost.append(f"{title} {Status.MISSING.value}")
        elif run.status is Status.INCOMPARABLE:
            lost.append(f"{title} {run.status.value} ({run.reason}), move it away to train it anew")
        elif run.status is not Status.DONE and not findings.is_diverged(run.manifest):
            lost.append(f"{title} {run.status.value}")
    if lost:
        raise Incomplete(f"not all runs are done: {', '.join(lost)}")
