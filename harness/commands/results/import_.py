"""import: a finished log of somebody else's stands in table, curves and page, as unproven."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from harness.commands.console.terminal import Terminal
from harness.commands.results import table
from harness.errors import BadInput
from harness.experiment import contender
from harness.experiment.opening import open_experiment
from harness.implementations import registry
from harness.implementations.imported import Imported, ImportedLog, log_options
from harness.implementations.interface import Request
from harness.implementations.reported import Point
from harness.runs import kept
from harness.runs.execution.lock import only_one
from harness.runs.folder import attempt_folder, folder_name, run_folders
from harness.runs.inputs import request_settings
from harness.runs.manifest import Manifest, Status, read_manifest, write_manifest


@dataclass(frozen=True)
class Import:
    """The log of one finished run, and whose it is said to be."""

    log: Path
    format: str
    name: str
    labels: int
    seed: int
    profile: str
    results: Path
    title: str = ""
    data_dir: Path | None = None


def run(asked: Import, terminal: Terminal) -> None:
    """Put it beside the runs that are there, and write all outputs again.

    Raises BadInput, before anything is written, for a log that cannot be read to its end, a name
    that is taken and a run that is there already.
    """
    side = _side(asked)
    experiment = open_experiment(
        asked.profile, data_dir=asked.data_dir, labels=[asked.labels], device="cpu"
    )
    profile, dataset = experiment.profile, experiment.dataset
    points = described_points(side, asked.log, dataset.test_class_counts)
    folder = asked.results / profile.name
    place = folder / "runs" / folder_name(asked.labels, asked.seed, asked.name)
    reached = profile.model_copy(update={"iterations": points[-1].iteration})
    request = Request(reached, dataset, asked.labels, asked.seed, "cpu")
    with only_one(folder, terminal.say):
        if place.exists():
            raise BadInput(f"{place}: is there already; move it away, or give AS another name")
        if trained := _trained(folder, asked.name):
            raise BadInput(f"AS {asked.name}: {trained} was trained here; give AS another name")
        attempt = attempt_folder(place, 1)
        attempt.mkdir(parents=True)
        shutil.copy2(asked.log, attempt / asked.log.name)
        kept.write(place, side)
        manifest = Manifest(
            implementation=asked.name,
            labels=asked.labels,
            seed=asked.seed,
            settings=request_settings(request),
            status=Status.DONE,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            facts=side.facts(attempt),
            evaluations=len(points),
            spec_sha256=kept.sha256(side),
            imported=asked.log.name,
        )
        write_manifest(place, manifest)
        table.write(folder, profile)
    terminal.say(
        f"{place}: {len(points)} evaluations, the last one {points[-1].top1:.2f} at "
        f"{points[-1].iteration}; no rung is shown, so it is in no verdict"
    )
    table.show(folder, terminal)


def _trained(folder: Path, name: str) -> Path | None:
    """A run of that name that was not imported."""
    for place in run_folders(folder / "runs"):
        manifest = read_manifest(place)
        if manifest is not None and manifest.implementation == name and not manifest.imported:
            return place
    return None


def described_points(side: Imported, log: Path, class_counts: list[int]) -> list[Point]:
    """The evaluations in `log`. Raises BadInput where there are none, LogError."""
    if not log.is_file():
        raise BadInput(f"LOG {log}: no such file; name the log of one finished run")
    points = side.points(log.parent, class_counts)
    if not points:
        raise BadInput(f"LOG {log}: no evaluation of format {side.about.log.reader} in it")
    return points


def _side(asked: Import) -> Imported:
    if registry.is_known(asked.name) or asked.name in contender.described():
        raise BadInput(f"AS {asked.name}: is a contender here; give the imported one another name")
    try:
        about = ImportedLog(
            name=asked.name,
            title=asked.title or f"{asked.name} (imported)",
            files=(asked.log.name,),
            log=log_options(asked.format),
        )
    except ValidationError as error:
        raise BadInput(
            f"AS {asked.name}: must be letters, digits, '_', '.' and '-'; give another name"
        ) from error
    return Imported(about)
