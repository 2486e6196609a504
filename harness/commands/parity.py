"""`make parity`: climb the ladder for a profile, show it, keep it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from harness.commands.terminal import Terminal
from harness.errors import CheckFailed
from harness.experiment import data, profile, split
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.parity import checklist, ladder
from harness.parity.checklist import Rung
from harness.report.figures import step_drift as drift
from harness.report.figures.curves import render
from harness.runs import manifest as records

FIGURE = "step-drift"


@dataclass(frozen=True)
class Climb:
    """What the user asked for."""

    profile: str
    labels: int
    seed: int
    data_dir: Path | None
    results: Path


def climb(asked: Climb, terminal: Terminal) -> None:
    """The eight rungs of one profile, on the CPU whatever the profile needs for training.

    Raises CheckFailed if one does not hold, Incomplete without TorchSSL, BadInput.
    """
    name, why = profile.resolve_auto(asked.profile)
    settings = profile.load(name)
    dataset = data.open_dataset(settings.data, asked.data_dir)
    split.check_labels(asked.labels, dataset)
    mine, reference = registry.create("own"), registry.create("torchssl")
    request = Request(settings, dataset, asked.labels, asked.seed, "cpu")
    terminal.say(f"Profile {name} ({why}), data {dataset.name}, seed {asked.seed}, on the CPU")
    began = time.monotonic()
    found = ladder.climb(mine, reference, request, terminal.say)
    folder = asked.results / name
    about = {
        "data": dataset.name,
        "labels": asked.labels,
        "seed": asked.seed,
        "own_commit": mine.commit(),
        "torchssl_commit": reference.commit(),
    }
    checklist.write(folder, name, about, found.rungs)
    caption = f"profile {name}, {dataset.name}: own step against TorchSSL's on equal batches"
    drawn = drift.step_drift(found.drift, caption)
    for kind in ("svg", "png"):
        records.write_bytes(folder / f"{FIGURE}.{kind}", render(drawn, kind))
    show(found.rungs, terminal)
    terminal.say(f"  {folder / checklist.FILE}, {time.monotonic() - began:.0f} s")
    lacking = [rung for rung in found.rungs if not rung.holds]
    if lacking:
        first = next((rung for rung in lacking if rung.broken), lacking[0])
        raise CheckFailed(f"rung {first.number}, {first.name}: {first.first_difference}")


def show(rungs: tuple[Rung, ...], terminal: Terminal) -> None:
    """The checklist: each rung with what was measured and what it may be."""
    rows = []
    for rung in rungs:
        mark = "ok" if rung.holds else "BROKEN" if rung.broken else "not climbed"
        rows.append((str(rung.number), rung.name, mark, rung.blocked, ""))
        equal = [check for check in rung.checks if check.tolerance == "equal" and check.holds]
        if equal:
            rows.append(("", "", "", f"{len(equal)} settings", "equal"))
        rows += [
            (
                "",
                "",
                "" if check.holds else "<-",
                f"{check.quantity}: {check.measured}",
                check.tolerance,
            )
            for check in rung.checks
            if check not in equal
        ]
    terminal.table("The ladder", ("", "rung", "", "measured", "tolerance"), rows)
