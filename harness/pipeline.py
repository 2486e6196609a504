"""compare(): profile -> data -> split -> run both -> read logs -> judge -> table -> figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock

from harness import data, outputs, profile, runs, split
from harness.errors import BadInput, Incomplete
from harness.implementations import base
from harness.implementations.base import Implementation, Request
from harness.launch import Launcher
from harness.profile import Profile
from harness.records import Status
from harness.terminal import Terminal, duration


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


def compare(question: Question, terminal: Terminal) -> None:
    """The whole comparison; whatever was finished before is kept and not run again.

    Raises BadInput before anything is written, and Incomplete after everything that could be done
    is done and written.
    """
    name, why = profile.resolve_auto(question.profile)
    settings = profile.load(name, question.iterations)
    chosen = [base.create(name) for name in question.implementations]
    device = _device(settings)
    dataset = data.open_dataset(settings.data, question.data_dir)
    for labels in question.labels:
        split.check_labels(labels, dataset)
    folder = question.results / name

    terminal.say(f"Profile {name} ({why}): {settings.description}")
    terminal.say(
        f"Data {dataset.name}, {dataset.train_size} + {dataset.test_size} images, {device}"
    )
    with only_one(folder):
        launcher = Launcher(folder, terminal)
        requests = [
            (implementation, Request(settings, dataset, labels, seed, device))
            for labels in question.labels
            for seed in question.seeds
            for implementation in chosen
        ]
        for _, request in requests:
            launcher.check_same_settings(request)
        todo = [pair for pair in requests if not launcher.is_done(*pair)]
        _show_plan(terminal, launcher, requests, todo)
        try:
            for implementation, request in todo:
                launcher.run(implementation, request)
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
        raise BadInput(f"RESULTS {folder}: no runs in it; 'make compare' makes some")
    with only_one(folder):
        outputs.write(folder, settings)
        outputs.show(folder, terminal)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the results folder: one comparison at a time. Raises BadInput if it cannot be held."""
    lock = filelock.FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise BadInput(
            f"RESULTS {folder}: another comparison is running in it; wait for it, or name another "
            "folder"
        ) from error
    except OSError as error:
        raise BadInput(
            f"RESULTS {folder}: cannot be written ({error.strerror}); name a writable folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _device(settings: Profile) -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if settings.requires_cuda:
        raise BadInput(
            f"PROFILE {settings.name}: needs CUDA, and there is none here; use PROFILE=quick"
        )
    return "cpu"


def _show_plan(
    terminal: Terminal,
    launcher: Launcher,
    requests: Sequence[tuple[Implementation, Request]],
    todo: Sequence[tuple[Implementation, Request]],
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
            rows.append((name, f"{request.profile.iterations} iterations{about}"))
    terminal.table("To do" + (f", about {duration(total)} in all" if total else ""), (), rows)


def _raise_if_incomplete(folder: Path, requests: Sequence[tuple[Implementation, Request]]) -> None:
    by_name = {
        runs.folder_name(run.manifest.labels, run.manifest.seed, run.manifest.implementation): run
        for run in runs.load_all(folder)
    }
    asked = (runs.folder_name(r.labels, r.seed, i.name) for i, r in requests)
    lost = [
        f"{name} {by_name[name].status.value if name in by_name else 'missing'}"
        for name in asked
        if name not in by_name or by_name[name].status is not Status.DONE
    ]
    if lost:
        raise Incomplete("not all runs are done: " + ", ".join(lost))
