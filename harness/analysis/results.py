"""All that a results folder holds, read once and handed on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.analysis import provenance
from harness.analysis.diff import accepted
from harness.analysis.diff.accepted import Accepted
from harness.analysis.provenance import Provenance
from harness.experiment import algorithms
from harness.implementations import registry
from harness.parity import checklist, terms
from harness.parity.checklist import Ladder
from harness.runs import folder as run_folders
from harness.runs import predictions
from harness.runs.folder import Run, attempt_folder
from harness.runs.manifest import Status
from harness.runs.origins import earlier
from harness.runs.predictions import Predictions

Key = tuple[int, int, str]  # labels, seed, contender


@dataclass(frozen=True)
class Results:
    """What lies in `folder`: the runs, each held to the terms of its peers, and what they left.

    `predictions` are of done runs; `ladder` is None where it was never climbed by their code;
    `sums` are those of every file that the rest is made from, as `sha256sum --check` reads it.
    """

    folder: Path
    runs: Sequence[Run]
    predictions: Mapping[Key, Predictions]
    ladder: Ladder | None
    accepted: Accepted
    sums: str
    earlier: Sequence[Run]  # of the origins before, on the same terms
    provenance: Provenance | None  # None: no published evidence
    ladders: Mapping[str, Ladder | None] = field(default_factory=dict)  # of further algorithms


def read(folder: Path) -> Results:
    """Read all of it. Raises BadInput for what is there and cannot be read."""
    runs = load_all(folder)
    return Results(
        folder=folder,
        runs=runs,
        predictions=_predictions(folder, runs),
        ladder=_of_these(checklist.read(folder), runs),
        accepted=accepted.read(folder),
        sums=sums(folder, [(_place(folder, run), run) for run in runs]),
        earlier=_earlier(folder),
        provenance=provenance.read(folder),
        ladders=_ladders(folder, runs),
    )


def _ladders(folder: Path, runs: Sequence[Run]) -> dict[str, Ladder | None]:
    """Of the algorithms beside the default one that have runs there, and a ladder."""
    found = {algorithms.recorded(run.manifest.settings) for run in runs} - {algorithms.DEFAULT}
    climbed = sorted(name for name in found if algorithms.of(name).has_ladder)
    return {name: _of_these(checklist.read(folder, name), runs) for name in climbed}


def _of_these(ladder: Ladder | None, runs: Sequence[Run]) -> Ladder | None:
    """A ladder that the code of these runs climbed; None where other code did.

    One from before its sources were recorded counts.
    """
    if ladder is None:
        return None
    used = {
        (run.manifest.implementation, run.manifest.source_sha256)
        for run in runs
        if run.status is Status.DONE
    }
    same = all(ladder.sources.get(name, digest) == digest for name, digest in used)
    return ladder if same else None


def load_all(results: Path) -> list[Run]:
    """Every run under `results`, ordered by labels, seed, contender, each held to its terms.

    One of other code is stale, one of other terms incomparable.
    Raises BadInput for a manifest of another schema, and LogError for the log of a done run that
    cannot be read or has lost evaluations.
    """
    return held_to_terms(results, run_folders.read(results / "runs"))


def held_to_terms(results: Path, runs: Sequence[Run], varied: Collection[str] = ()) -> list[Run]:
    """The same runs, with those marked that are stale or incomparable; `varied`: see `terms`."""
    names = {run.manifest.implementation for run in runs}
    counts = sources(results, names)
    fresh = list(runs) if counts is None else terms.mark_stale(runs, counts)
    return terms.mark_incomparable(fresh, varied)


def sources(results: Path, names: Collection[str]) -> dict[str, str] | None:
    """The sum of the code that counts in `results`, of each contender that is known.

    Of evidence that which was published, else that of the code at hand. None: evidence from before
    sources were recorded, which says so.
    """
    published = provenance.read(results)
    if published is not None and published.mixed:
        return None
    if published is not None:
        return dict(published.sources)
    known = {
        name: registry.create(name).source_sha256() for name in names if registry.is_known(name)
    }
    return {name: digest for name, digest in known.items() if digest}


def sums(folder: Path, places: Sequence[tuple[Path, Run]]) -> str:
    """A line each for manifest, log and predictions of the runs; `places` are their folders."""
    lines = []
    for place, run in places:
        manifest = run.manifest
        attempt = attempt_folder(place, manifest.attempt)
        side = registry.of_run(place, manifest.implementation)
        kept = [place / name for name in side.kept_files()]
        for path in (place / "manifest.json", *side.logs(attempt), place / predictions.FILE, *kept):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines)


def _earlier(folder: Path) -> list[Run]:
    return [run for place in earlier.places(folder / "runs") for run in run_folders.read(place)]


def _predictions(folder: Path, runs: Sequence[Run]) -> dict[Key, Predictions]:
    found = {}
    for run in runs:
        content = predictions.read(_place(folder, run))
        if content is not None and run.status is Status.DONE:
            found[(*run.key, run.manifest.implementation)] = content
    return found


def _place(folder: Path, run: Run) -> Path:
    return folder / "runs" / run.name
