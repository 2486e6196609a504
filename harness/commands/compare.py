"""compare(): profile -> data -> split -> run both -> read logs -> judge -> table -> figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.commands.terminal import Terminal, duration
from harness.errors import Incomplete, NoRuns
from harness.experiment import data, profile, split
from harness.experiment.profile import Profile
from harness.implementations import registry
from harness.implementations.interface import Implementation, Request
from harness.parity import preflight
from harness.report import outputs
from harness.runs import cluster
from harness.runs import folder as runs
from harness.runs import manifest as records
from harness.runs import train as launch
from harness.runs.attempt import Limits
from harness.runs.execution import pool
from harness.runs.execution import space as room
from harness.runs.execution.lock import only_one
from harness.runs.execution.slurm import Settings
from harness.runs.manifest import Manifest, Status
from harness.runs.train import Launcher


@dataclass(frozen=True)
class Question:
    """What the user asked for."""

    labels: Sequence[int]
    seeds: Sequence[int]
    implementations: Sequence[str]
    profile: str
    results: Path
    iterations: int | None = None
    data_dir: Path | None = None
    jobs: int = 1
    limits: Limits = field(default_factory=Limits)
    slurm: Settings | None = None  # None: on this machine


def compare(question: Question, terminal: Terminal) -> None:
    """The whole comparison; whatever was finished before is kept and not run again.

    Raises BadInput before anything is written, and Incomplete after everything that could be done
    is done and written.
    """
    name, why = profile.resolve_auto(question.profile)
    settings = profile.load(name, question.iterations)
    chosen = [registry.create(name) for name in question.implementations]
    device = _device(settings, question.slurm)
    dataset = data.open_dataset(settings.data, question.data_dir)
    for labels in question.labels:
        split.check_labels(labels, dataset)
    folder = question.results / name

    terminal.say(f"Profile {name} ({why}): {settings.description}")
    terminal.say(
        f"Data {dataset.name}, {dataset.train_size} + {dataset.test_size} images, {device}"
    )
    with only_one(folder, terminal.say):
        launcher = Launcher(folder, terminal, question.limits)
        requests = [
            (implementation, implementation.asked(Request(settings, dataset, labels, seed, device)))
            for labels in question.labels
            for seed in question.seeds
            for implementation in chosen
        ]
        for pair in requests:
            launcher.check_same_terms(*pair)
        for notice in launcher.notices(device):
            terminal.say(f"Notice: {notice}")
        todo = [pair for pair in requests if not launcher.is_done(*pair)]
        room.check(folder, settings, len(todo), question.jobs)
        _show_plan(terminal, launcher, requests, todo, question.jobs)
        try:
            refused = _refuse(launcher, todo, terminal)
            _train(launcher, [pair for pair in todo if pair not in refused], question, device)
            for pair in requests:
                launcher.judge(*pair)
        finally:
            outputs.write(folder, settings)
        outputs.show(folder, terminal)
    _raise_if_incomplete(folder, requests)


def rebuild(results: Path, name: str, terminal: Terminal) -> None:
    """Write table and figure again from what the runs left; trains nothing."""
    name, _ = profile.resolve_auto(name)
    settings = profile.load(name)
    folder = results / name
    if not (folder / "runs").is_dir():
        raise NoRuns(folder)
    with only_one(folder, terminal.say):
        outputs.write(folder, settings)
        outputs.show(folder, terminal)


def _train(
    launcher: Launcher,
    pairs: Sequence[tuple[Implementation, Request]],
    question: Question,
    device: str,
) -> None:
    """Here, `jobs` at once, or on the cluster."""
    if question.slurm is not None:
        cluster.run_all(launcher, pairs, question.slurm)
    else:
        tasks = [partial(launcher.run, *pair) for pair in pairs]
        pool.run_all(tasks, pool.slots(question.jobs, device))


def _device(settings: Profile, cluster_settings: Settings | None) -> str:
    if cluster_settings is not None and cluster_settings.gpus:
        return "cuda"  # of the cluster's nodes, whatever this one has
    return launch.device_here(settings)


def _show_plan(
    terminal: Terminal,
    launcher: Launcher,
    requests: Sequence[tuple[Implementation, Request]],
    todo: Sequence[tuple[Implementation, Request]],
    jobs: int,
) -> None:
    if not todo:
        terminal.say(f"Nothing to do: all {len(requests)} runs are done.")
        return
    rows, total = [], 0.0
    for implementation, request in requests:
        name = runs.folder_name(request.labels, request.seed, implementation.name)
        if (implementation, request) not in todo:
            rows.append((name, "done"))
        elif reason := implementation.unavailable():
            rows.append((name, f"unavailable: {reason}"))
        else:
            seconds = launcher.expected_seconds(implementation, request)
            total += seconds or 0.0
            about = f", about {duration(seconds)}" if seconds else ""
            before = records.read_manifest(launcher.run_folder(implementation, request))
            state = _left_by(before)
            rows.append((name, f"{request.profile.iterations} iterations{about}{state}"))
    total /= min(jobs, len(todo))
    terminal.table("To do" + (f", about {duration(total)} in all" if total else ""), (), rows)


def _refuse(
    launcher: Launcher, todo: Sequence[tuple[Implementation, Request]], terminal: Terminal
) -> list[tuple[Implementation, Request]]:
    """Climb rungs 1-4 for all that is to be trained; the runs that break one are not."""
    if not todo:
        return []
    done = [
        (run.key, run.evidence)
        for run in runs.load_all(launcher.folder)
        if run.status is Status.DONE
    ]
    refused = []
    for pair, difference in preflight.check(todo, done, terminal):
        launcher.refuse(*pair, difference)
        refused.append(pair)
    return refused


def _left_by(before: Manifest | None) -> str:
    """What the last comparison left of a run that is to be done."""
    if before is None:
        return ""
    if before.is_abandoned:
        return "; stopped half way, its process is gone"
    return f"; {before.status.value} before"


def _raise_if_incomplete(folder: Path, requests: Sequence[tuple[Implementation, Request]]) -> None:
    by_name = {
        runs.folder_name(run.manifest.labels, run.manifest.seed, run.manifest.implementation): run
        for run in runs.load_all(folder)
    }
    asked = (runs.folder_name(r.labels, r.seed, i.name) for i, r in requests)
    lost = {
        name: by_name[name].status if name in by_name else Status.MISSING
        for name in asked
        if name not in by_name or by_name[name].status is not Status.DONE
    }
    if lost:
        names = ", ".join(f"{name} {status.value}" for name, status in lost.items())
        anew = [
            name
            for name, status in lost.items()
            if status is Status.INCOMPARABLE and by_name[name].manifest.status is Status.DONE
        ]
        remedy = f"; to train it anew move {folder / 'runs' / anew[0]} away" if anew else ""
        raise Incomplete(f"not all runs are done: {names}{remedy}")
