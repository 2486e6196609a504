"""All that a results folder holds, read once and handed on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis import accepted
from harness.analysis.accepted import Accepted
from harness.implementations import registry
from harness.parity import checklist, terms
from harness.parity.checklist import Ladder
from harness.runs import folder as run_folders
from harness.runs import predictions
from harness.runs.folder import Run, attempt_folder
from harness.runs.manifest import Status
from harness.runs.predictions import Predictions

Key = tuple[int, int, str]  # labels, seed, contender


@dataclass(frozen=True)
class Results:
    """What lies in `folder`: the runs, each held to the terms of its peers, and what they left.

    `predictions` are of done runs; `ladder` is None where it was never climbed; `sums` are those of
    every file that the rest is made from, as `sha256sum --check` reads it.
    """

    folder: Path
    runs: Sequence[Run]
    predictions: Mapping[Key, Predictions]
    ladder: Ladder | None
    accepted: Accepted
    sums: str


def read(folder: Path) -> Results:
    """Read all of it. Raises BadInput for what is there and cannot be read."""
    runs = load_all(folder)
    return Results(
        folder=folder,
        runs=runs,
        predictions=_predictions(folder, runs),
        ladder=checklist.read(folder),
        accepted=accepted.read(folder),
        sums=sums(folder, [(_place(folder, run), run) for run in runs]),
    )


def load_all(results: Path) -> list[Run]:
    """Every run under `results`, ordered by labels, seed, contender, and judged comparable.

    Raises BadInput for a manifest of another schema, and LogError for the log of a done run that
    cannot be read or has lost evaluations.
    """
    return terms.mark_incomparable(run_folders.read(results / "runs"))


def sums(folder: Path, places: Sequence[tuple[Path, Run]]) -> str:
    """A line each for manifest, log and predictions of the runs; `places` are their folders."""
    lines = []
    for place, run in places:
        manifest = run.manifest
        attempt = attempt_folder(place, manifest.attempt)
        log = registry.create(manifest.implementation).log(attempt)
        for path in (place / "manifest.json", log, place / predictions.FILE):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines)


def _predictions(folder: Path, runs: Sequence[Run]) -> dict[Key, Predictions]:
    found = {}
    for run in runs:
        content = predictions.read(_place(folder, run))
        if content is not None and run.status is Status.DONE:
            found[(*run.key, run.manifest.implementation)] = content
    return found


def _place(folder: Path, run: Run) -> Path:
    return folder / "runs" / run.name
