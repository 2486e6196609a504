"""publish: what was measured here becomes the evidence that the repository keeps."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.analysis import provenance, results
from harness.analysis.diff import rows as diff
from harness.analysis.provenance import Provenance
from harness.analysis.results import Results
from harness.commands import diff as diff_command
from harness.commands import verify
from harness.commands.console.terminal import Terminal
from harness.commands.results import claims, table
from harness.errors import BadInput, CheckFailed
from harness.experiment.profile import Profile
from harness.implementations.source import commit_here
from harness.runs.execution.lock import only_one
from harness.runs.folder import UNSAID, Run, read, run_folders
from harness.runs.manifest import Status, read_manifest
from harness.runs.origins.taking import copy_run

# Made by commands of their own, and evidence where they are.
BESIDE = ("parity.json", "parity-*.json", "step-drift*.*", "bench.*", "bench-*.*")


@dataclass(frozen=True)
class Publication:
    """What is to be published, where to, and why."""

    profile: str
    results: Path
    published: Path
    reason: str


def publish(asked: Publication, terminal: Terminal) -> None:
    """Verify the folder, show how it differs from what is published, and copy it.

    A published cell that is not measured here stays as it is, if it is of the same source, and must
    then be of the same terms. Pages of claims that are made from what is published are written
    again. Raises BadInput, or CheckFailed where the folder holds what may not be published; nothing
    is written then.
    """
    reason = checked(asked.reason)
    folder, profile = table.existing(asked.results, asked.profile)
    target = asked.published / profile.name
    if target.resolve() == folder.resolve():
        raise BadInput(f"RESULTS {asked.results}: is what is published; name what was measured")
    with only_one(folder, terminal.say):
        verify.require(verify.check(folder, profile))
        found = results.read(folder)
        _require_whole(found)
        commit = clean_commit()
        if (target / "runs").is_dir():
            _require_as_published(target, profile)
        sources = _sources(found, target)
        staying = _staying(found, sources, target)
        _require_one_set(found, staying, target)
        with only_one(target, terminal.say):
            _show_diff(found, target, profile, terminal)
            if staying:
                terminal.say(f"{len(staying)} published runs that are not measured here stay")
            _give_way(sources, target, terminal)
            _copy(folder, target)
            there = {_contender(path) for path in run_folders(target / "runs")}
            kept = {name: source for name, source in sources.items() if name in there}
            write_provenance(target, reason, commit, kept)
            table.write(target, profile)
            claims.write_again(asked.published, profile.name, terminal)
    for cell in _missing(found):
        terminal.say(f"not measured yet: {cell}")
    terminal.say(f"{target}: published; commit it with its reason")


def checked(reason: str) -> str:
    """The reason in one line. Raises BadInput where there is none."""
    reason = " ".join(reason.split())
    if not reason:
        raise BadInput('REASON: empty; say why these results are published: REASON="..."')
    return reason


def clean_commit() -> str:
    """The commit of the code at hand. Raises BadInput where it is no commit."""
    commit = commit_here()
    if not commit or commit.endswith("-dirty"):
        raise BadInput(
            "publish: the source is not a commit of git (see 'git status'); commit what trained "
            "these runs first"
        )
    return commit


def write_provenance(target: Path, reason: str, commit: str, sources: dict[str, str]) -> None:
    """What is published in `target` is from today on of that commit and those sources."""
    today = datetime.now(UTC).date().isoformat()
    provenance.write(target, Provenance(date=today, reason=reason, commit=commit, sources=sources))


def _require_as_published(target: Path, profile: Profile) -> None:
    """Raise CheckFailed where what is published is not what its runs give."""
    if found := verify.check(target, profile):  # what was altered by hand is no evidence
        raise CheckFailed(
            f"{verify.failure(found)}; restore it from git, or where the code that writes it has "
            f"changed: 'make report PROFILE={profile.name} RESULTS={target.parent}'"
        )


def _require_whole(found: Results) -> None:
    """Raise CheckFailed for a run that is no evidence."""
    for run in found.runs:
        if run.status is not Status.DONE:
            why = f" ({run.reason})" if run.reason else ""
            raise CheckFailed(
                f"{found.folder / 'runs' / run.name}: {run.status.value}{why}; run 'make compare' "
                "again, or move it away"
            )


def _show_diff(found: Results, target: Path, profile: Profile, terminal: Terminal) -> None:
    """How the accuracies that were measured stand to those that are published, by seed."""
    rows = diff_command.to_published(found.folder, profile, target, all_seeds=False)
    if not rows:
        terminal.say(f"{target}: nothing is published there yet")
        return
    shown = diff.Diff(str(target), "", rows)
    terminal.table(f"{found.folder} against {target}", diff.COLUMNS, diff.texts(shown))


def _sources(found: Results, target: Path) -> dict[str, str]:
    """The source of each contender, as it is to be published."""
    before = provenance.read(target)
    published = dict(before.sources) if before is not None else {}
    return published | {r.manifest.implementation: r.manifest.source_sha256 for r in found.runs}


def _is_of(sources: dict[str, str], run_folder: Path) -> bool:
    """Whether a published run is of what is to be published; not, where its own is not recorded."""
    manifest = read_manifest(run_folder)
    return manifest is not None and manifest.source_sha256 == sources.get(_contender(run_folder))


def _staying(found: Results, sources: dict[str, str], target: Path) -> list[Run]:
    """The published runs that stay beside those that are measured here."""
    measured = {run.name for run in found.runs}
    return [
        run
        for run in read(target / "runs")
        if run.name not in measured and _is_of(sources, target / "runs" / run.name)
    ]


def _require_one_set(found: Results, staying: Sequence[Run], target: Path) -> None:
    """Raise CheckFailed where a run that stays has other terms than those that join it."""
    remedy = f"measure it anew too, or remove it from {target} first"
    asked = {run.manifest.implementation: _terms(run) for run in found.runs}
    for run in staying:
        terms, place = _terms(run), target / "runs" / run.name
        for key, value in asked.get(run.manifest.implementation, terms).items():
            if terms.get(key) != value:
                raise CheckFailed(
                    f"{place}: made with {key} = {terms.get(key)}, now it is {value}; {remedy}"
                )
    for run in results.held_to_terms(found.folder, [*staying, *found.runs]):
        if run.status is not Status.DONE:
            raise CheckFailed(
                f"{run.name}: {run.status.value} ({run.reason}) with what is in {target}; measure "
                f"all of it anew, or remove what differs from {target} first"
            )


def _terms(run: Run) -> dict[str, Any]:
    """What was asked of it, without what is its seed's own."""
    return {k: v for k, v in (UNSAID | run.manifest.settings).items() if k != "split_sha256"}


def _give_way(sources: dict[str, str], target: Path, terminal: Terminal) -> None:
    """Remove published runs of a contender whose source is another: git's history has them."""
    for folder in run_folders(target / "runs"):
        if not _is_of(sources, folder):
            shutil.rmtree(folder)
            terminal.say(f"{folder}: gives way, being of other source; git's history has it")


def _contender(run_folder: Path) -> str:
    """`40-seed0-own` -> `own`."""
    return run_folder.name.split("-", 2)[2]


def _copy(folder: Path, target: Path) -> None:
    (target / "runs").mkdir(parents=True, exist_ok=True)
    for source in run_folders(folder / "runs"):
        shutil.rmtree(target / "runs" / source.name, ignore_errors=True)
        copy_run(source, target / "runs" / source.name)
    for pattern in BESIDE:
        for path in folder.glob(pattern):
            shutil.copy2(path, target / path.name)


def _missing(found: Results) -> list[str]:
    """The label counts and seeds that one contender has and another lacks."""
    by_name: dict[str, set[tuple[int, int]]] = {}
    for run in found.runs:
        by_name.setdefault(run.manifest.implementation, set()).add(run.key)
    every = set().union(*by_name.values()) if by_name else set()
    return [
        f"{labels} labels, seed {seed}, {name}"
        for name, keys in by_name.items()
        for labels, seed in sorted(every - keys)
    ]
