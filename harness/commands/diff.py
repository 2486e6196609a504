"""diff: reported accuracies now against those of a base, and changes that are accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from harness.analysis import results
from harness.analysis.diff import accepted, base_table
from harness.analysis.diff.accepted import Change
from harness.analysis.diff.base_table import Base
from harness.analysis.diff.rows import ACCEPTABLE, Diff, DiffRow, cells, rule_in_use
from harness.commands.results import table
from harness.errors import BadInput, CheckFailed
from harness.experiment.profile import Profile
from harness.implementations.source import commit_here
from harness.report import outputs

RUN = ["labels", "seed", "implementation"]


def now(folder: Path, profile: Profile) -> tuple[pd.DataFrame, str]:
    """The table that the runs in `folder` give, and which one on disk they do not ('' if none)."""
    table.require_runs(folder)
    given = outputs.tables(results.read(folder), profile)
    other = [
        folder / name
        for name, content in given.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    ]
    stale = f"{other[0]} is not what runs/ give: see 'make verify'" if other else ""
    return base_table.read(given[outputs.TABLE], str(folder / outputs.TABLE)), stale


def against(folder: Path, profile: Profile, spec: str) -> tuple[Diff, Base]:
    """The results in `folder` now against `spec`."""
    before = base_table.base(spec, folder)
    after, stale = now(folder, profile)
    rule = rule_in_use(after, profile)
    rows = cells(before.table, after, profile, rule, accepted.read(folder))
    return Diff(spec, rule, rows, stale), before


def accept(
    folder: Path, profile: Profile, diff: Diff, before: Base, reason: str, commit: str = ""
) -> Diff:
    """Record every change that is too large in accepted.json, and say the diff again.

    Raises CheckFailed, and records nothing, where anything else fails: a cell without a number
    is never accepted. The report lists what was accepted, so outputs are written again.
    """
    if not " ".join(reason.split()):
        raise BadInput("ACCEPT: empty; say why the change is intended")
    moved = [row for row in diff.rows if row.verdict in ACCEPTABLE and row.change is not None]
    others = replace(diff, rows=[row for row in diff.rows if row not in moved])
    if not others.holds:
        raise CheckFailed(f"nothing accepted: {'; '.join(others.failures)}")
    changes = [
        Change(
            labels=row.labels,
            implementation=row.implementation,
            rule=diff.rule,
            old=row.old or 0.0,
            new=row.new or 0.0,
            reason=" ".join(reason.split()),
            base=before.identity,
            commit=commit or commit_here(),
            date=datetime.now(UTC).date().isoformat(),
        )
        for row in moved
    ]
    if changes:
        kept = accepted.read(folder)
        content = kept.model_copy(update={"changes": (*kept.changes, *changes)})
        accepted.write(folder, content)
        table.write(folder, profile)
    return against(folder, profile, diff.base)[0]


def published(folder: Path) -> pd.DataFrame:
    """The table that stands in a folder, as it was written. Raises BadInput."""
    path = folder / outputs.TABLE
    return base_table.read(path.read_bytes(), str(path))


def to_published(
    folder: Path, profile: Profile, target: Path, all_seeds: bool = True
) -> list[DiffRow]:
    """The cells of the table in `folder` against the one published in `target`; [] without one.

    Not `all_seeds`: what `folder` does not hold is not asked for, and so not missed.
    """
    if not (target / outputs.TABLE).is_file():
        return []
    before, after = published(target), published(folder)
    if not all_seeds:
        before = before.merge(after[RUN], on=RUN)
    return cells(before, after, profile, rule_in_use(after, profile))
