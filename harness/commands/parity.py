"""parity: climb the ladder for a profile, show it, keep it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.commands.console.terminal import Terminal
from harness.errors import CheckFailed
from harness.experiment import algorithms, gpu
from harness.experiment.opening import chosen_device, open_experiment
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.parity import checklist, ladder
from harness.parity.checklist import Check, Rung
from harness.report.figures import step_drift
from harness.report.figures.curves import render
from harness.runs.files import write_bytes

FIGURE = "step-drift"


@dataclass(frozen=True)
class LadderQuestion:
    """What the user asked for."""

    profile: str
    labels: int
    seed: int
    data_dir: Path | None
    results: Path
    algorithm: str = algorithms.DEFAULT
    device: str = "cpu"


def climb(asked: LadderQuestion, terminal: Terminal) -> None:
    """The eight rungs of one profile, on the CPU whatever the profile needs for training.

    With `device` cuda on the GPU, beside what the CPU's ladder leaves: `parity-cuda.json`.

    Raises CheckFailed if one does not hold, Incomplete without the reference, BadInput.
    """
    algorithm = algorithms.of(asked.algorithm, "ALGORITHM")
    device = chosen_device(asked.device)
    experiment = open_experiment(
        asked.profile, data_dir=asked.data_dir, labels=[asked.labels], device=device
    )
    profile, dataset = experiment.profile, experiment.dataset
    mine = registry.create(registry.under("own", algorithm.name))
    reference = registry.reference(algorithm.name)
    request = Request(profile, dataset, asked.labels, asked.seed, device).under(algorithm.name)
    terminal.say(
        f"Profile {profile.name} ({experiment.why}), data {dataset.name}, seed {asked.seed}, on "
        f"the {'GPU' if device == 'cuda' else 'CPU'}"
    )
    began = time.monotonic()
    found = ladder.climb(mine, reference, request, terminal.say)
    folder = asked.results / profile.name
    about = {
        "data": dataset.name,
        "labels": asked.labels,
        "seed": asked.seed,
        "own_commit": mine.commit(),
        "torchssl_commit": reference.commit(),
        "sources": {side.name: side.source_sha256() for side in (mine, reference)},
    }
    is_default = algorithm.name == algorithms.DEFAULT
    if not is_default:
        about["algorithm"] = algorithm.name
    if device == "cuda":
        about["device"] = gpu.name()
    checklist.write(folder, profile.name, about, found.rungs, algorithm.name, device)
    step = "own step" if is_default else f"own {algorithm.title} step"
    caption = f"profile {profile.name}, {dataset.name}: {step} against TorchSSL's on equal batches"
    drawn = step_drift.step_drift(found.drift, caption)
    for kind in ("svg", "png"):
        name = FIGURE if is_default else f"{FIGURE}-{algorithm.name}"
        name += "-cuda" * (device == "cuda")
        write_bytes(folder / f"{name}.{kind}", render(drawn, kind))
    show(found.rungs, terminal)
    file = checklist.file_of(algorithm.name, device)
    terminal.say(f"  {folder / file}, {time.monotonic() - began:.0f} s")
    lacking = [rung for rung in found.rungs if not rung.holds]
    if lacking:
        first = next((rung for rung in lacking if rung.broken), lacking[0])
        raise CheckFailed(f"rung {first.number}, {first.name}: {first.first_difference}")


def show(rungs: Sequence[Rung], terminal: Terminal) -> None:
    """The checklist: each rung with what was measured and what it may be."""
    rows = []
    for rung in rungs:
        mark = "ok" if rung.holds else "BROKEN" if rung.broken else "not climbed"
        rows.append((str(rung.number), rung.name, mark, rung.blocked, ""))
        equal = [check for check in rung.checks if check.tolerance == "equal" and check.holds]
        if equal:
            rows.append(("", "", "", f"{len(equal)} settings", "equal"))
        rows += [_row(check) for check in rung.checks if check not in equal]
    terminal.table("The ladder", ("", "rung", "", "measured", "tolerance"), rows)


def _row(check: Check) -> tuple[str, str, str, str, str]:
    mark = "" if check.holds else "<-"
    return "", "", mark, f"{check.quantity}: {check.measured}", check.tolerance
