"""Reported accuracies now against those of a git revision or a saved table."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import git
import pandas as pd

from harness.analysis import accepted as checklist
from harness.analysis import frames, results, selection
from harness.analysis.accepted import Accepted, Change
from harness.errors import BadInput, CheckFailed, NoRuns
from harness.experiment import profile as profiles
from harness.experiment.profile import Profile
from harness.implementations.interface import REPOSITORY
from harness.implementations.source import commit_of
from harness.report import outputs
from harness.runs.manifest import Status

SAME, WITHIN, MOVED, NEW, ACCEPTED = "same", "within tolerance", "moved", "new", "accepted"
INCOMPARABLE = Status.INCOMPARABLE.value
MISSING = Status.MISSING.value
PASSES = (SAME, WITHIN, NEW, ACCEPTED)
COLUMNS = ("labelled", "implementation", "old", "new", "change", "tolerance", "verdict")
ACCEPTABLE = (MOVED, INCOMPARABLE)  # where both numbers are there
# What must be equal in both tables, for all runs of a cell and for each seed.
OF_CELL = ("data_sha256", "iterations", "precision")
OF_SEED = ("split_sha256", "initial_weights_sha256")


class NoTable(BadInput):
    """The base is there and has no table for this profile."""


@dataclass(frozen=True)
class Base:
    """What is compared with: its name as given, a commit or SHA-256, and its table.csv."""

    name: str
    identity: str
    table: pd.DataFrame


@dataclass(frozen=True)
class Row:
    """One cell: mean accuracies over the done seeds in percent; tolerance in points."""

    labels: int
    implementation: str
    old: float | None
    new: float | None
    tolerance: float
    verdict: str
    note: str = ""

    @property
    def change(self) -> float | None:
        return None if self.old is None or self.new is None else round(self.new - self.old, 2)

    @property
    def passes(self) -> bool:
        return self.verdict in PASSES


@dataclass(frozen=True)
class Diff:
    """All cells of both tables; `stale` names a table on disk that the runs do not give."""

    base: str
    rule: str
    rows: Sequence[Row]
    stale: str = ""

    @property
    def holds(self) -> bool:
        return not self.stale and all(row.passes for row in self.rows)

    @property
    def failures(self) -> list[str]:
        """One phrase for each thing that does not pass."""
        lost = [row for row in self.rows if not row.passes]
        return [self.stale] * bool(self.stale) + [
            f"{row.labels} labels {row.implementation}: {row.verdict}"
            + (f" ({row.note})" if row.note else "")
            for row in lost
        ]


def base(spec: str, folder: Path) -> Base:
    """The table of `folder` at a git revision, or a saved table.csv. Raises BadInput, NoTable."""
    if not spec:
        raise BadInput("BASE: empty; name a git revision or a saved table.csv")
    if Path(spec).is_file():
        content = Path(spec).read_bytes()
        return Base(spec, hashlib.sha256(content).hexdigest(), read(content, spec))
    try:
        repository = git.Repo(folder.resolve(), search_parent_directories=True)
        root = Path(repository.working_tree_dir or "")
        path = (folder.resolve() / outputs.TABLE).relative_to(root.resolve()).as_posix()
    except (git.InvalidGitRepositoryError, git.NoSuchPathError, ValueError) as error:
        raise BadInput(f"BASE {spec}: no such file, and {folder} is in no git clone") from error
    try:
        commit = repository.commit(spec)
    except Exception as error:  # GitPython has one for each way in which a name can be wrong
        raise BadInput(
            f"BASE {spec}: neither a file nor a git revision here; try 'git fetch', or name another"
        ) from error
    try:
        blob = commit.tree / path
    except KeyError as error:
        raise NoTable(f"BASE {spec}: has no {path}; name a revision that has") from error
    content = blob.data_stream.read()
    return Base(spec, commit.hexsha, read(content, f"{spec}:{path}"))


def read(content: bytes, name: str) -> pd.DataFrame:
    """A table.csv. Raises BadInput for what is none, or is of another schema."""
    try:
        frame = pd.read_csv(io.BytesIO(content), dtype={"own_commit": str, "torchssl_commit": str})
    except ValueError as error:
        raise BadInput(f"{name}: not a table.csv ({error})") from error
    needed = [column for column in frames.RUN_COLUMNS if column not in frames.LATER_COLUMNS]
    absent = [column for column in needed if column not in frame.columns]
    if absent:
        raise BadInput(f"{name}: not a table.csv of this version: no column {absent[0]}")
    if set(frame["schema"]) - {frames.SCHEMA}:
        found = sorted(set(frame["schema"]) - {frames.SCHEMA})[0]
        raise BadInput(f"{name}: schema {found}, this code reads {frames.SCHEMA}; use its own code")
    return frame


def now(folder: Path, profile: Profile) -> tuple[pd.DataFrame, str]:
    """The table that the runs in `folder` give, and which one on disk they do not ('' if none)."""
    if not (folder / "runs").is_dir():
        raise NoRuns(folder)
    given = outputs.tables(results.read(folder), profile)
    other = [
        folder / name
        for name, content in given.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    ]
    stale = f"{other[0]} is not what runs/ give: see 'make verify'" if other else ""
    return read(given[outputs.TABLE], str(folder / outputs.TABLE)), stale


def against(folder: Path, profile: Profile, spec: str) -> tuple[Diff, Base]:
    """The results in `folder` now against `spec`."""
    before = base(spec, folder)
    after, stale = now(folder, profile)
    done = after[after["status"] == Status.DONE.value]
    rule = selection.in_use(profile.selection, [int(n) for n in done["evaluations"].dropna()])
    rows = cells(before.table, after, profile, rule, checklist.read(folder))
    return Diff(spec, rule, rows, stale), before


def cells(
    old: pd.DataFrame,
    new: pd.DataFrame,
    profile: Profile,
    rule: str,
    accepted: Accepted | None = None,
) -> list[Row]:
    """Every cell of either table: label counts in order, then implementations."""
    keys = {
        (int(labels), str(name))
        for frame in (old, new)
        for labels, name in zip(frame["labels"], frame["implementation"], strict=True)
    }
    return [_row(key, old, new, profile, rule, accepted or Accepted()) for key in sorted(keys)]


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
            commit=commit or commit_of(REPOSITORY),
            date=datetime.now(UTC).date().isoformat(),
        )
        for row in moved
    ]
    if changes:
        kept = checklist.read(folder)
        content = kept.model_copy(update={"changes": (*kept.changes, *changes)})
        checklist.write(folder, content)
        outputs.write(folder, outputs.build(results.read(folder), profile))
    return against(folder, profile, diff.base)[0]


def markdown(diff: Diff) -> str:
    """A table, and what does not pass."""
    lines = [
        f"Rule: {selection.DESCRIPTIONS[diff.rule]}. Base: `{diff.base}`.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "| ---: | --- | ---: | ---: | ---: | ---: | --- |",
        *("| " + " | ".join(line).replace("\n", " ") + " |" for line in texts(diff)),
    ]
    return "\n".join([*lines, *(["", f"**{diff.stale}**"] if diff.stale else [])]) + "\n"


def to_json(diff: Diff) -> str:
    """Everything, for a program."""
    rows = [asdict(row) | {"change": row.change, "passes": row.passes} for row in diff.rows]
    content = {
        "schema": 1, "base": diff.base, "rule": diff.rule, "holds": diff.holds,
        "stale": diff.stale, "cells": rows,
    }  # fmt: skip
    return json.dumps(content, indent=1) + "\n"


def texts(diff: Diff) -> list[list[str]]:
    """The cells of a row as they are shown."""
    return [
        [
            str(row.labels),
            row.implementation,
            "" if row.old is None else f"{row.old:.2f}",
            "" if row.new is None else f"{row.new:.2f}",
            "" if row.change is None else f"{row.change:+.2f}",
            f"±{row.tolerance:.2f}",
            ("" if row.passes else "✗ ") + row.verdict + (f": {row.note}" if row.note else ""),
        ]
        for row in diff.rows
    ]


def _row(
    key: tuple[int, str],
    old: pd.DataFrame,
    new: pd.DataFrame,
    profile: Profile,
    rule: str,
    accepted: Accepted,
) -> Row:
    before, after = (_of(frame, key) for frame in (old, new))
    row = Row(
        *key,
        old=_mean(before, rule),
        new=_mean(after, rule),
        tolerance=profiles.at(profile.tolerance, key[0]),
        verdict=NEW,
    )
    lost = _lost(before, after)
    if lost:
        return replace(row, verdict=lost[0][1], note=_seeds(lost))
    if row.new is None:
        few = "too few evaluations" if len(after) else "no run"
        return replace(row, verdict=MISSING, note=few)
    change = row.change
    if change is None:
        return row
    known = next((c for c in accepted.changes if _is(c, row, rule)), None)
    other = _other_settings(_done(before), _done(after))
    if other:
        row = replace(row, verdict=INCOMPARABLE, note=other)
    elif abs(change) > row.tolerance:
        row = replace(row, verdict=MOVED, note="")
    else:
        return replace(row, verdict=WITHIN if change else SAME)
    return row if known is None else replace(row, verdict=ACCEPTED, note=known.reason)


def _of(frame: pd.DataFrame, key: tuple[int, str]) -> pd.DataFrame:
    return frame[(frame["labels"] == key[0]) & (frame["implementation"] == key[1])]


def _done(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["status"] == Status.DONE.value]


def _mean(frame: pd.DataFrame, rule: str) -> float | None:
    values = _done(frame)[f"{rule}_top1"].dropna()
    return round(float(values.mean()), 2) if len(values) else None


def _lost(before: pd.DataFrame, after: pd.DataFrame) -> list[tuple[int, str]]:
    """(seed, status) of what is not done now: of every run here, and of every one done before."""
    status = dict(zip(after["seed"], after["status"], strict=True))
    wanted = {*status, *_done(before)["seed"]}
    found = [(int(seed), str(status.get(seed, MISSING))) for seed in sorted(wanted)]
    return [(seed, what) for seed, what in found if what != Status.DONE.value]


def _seeds(lost: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"seed {seed} {status}" for seed, status in lost)


def _other_settings(before: pd.DataFrame, after: pd.DataFrame) -> str:
    for column in OF_CELL:
        old, new = set(before[column]), set(after[column])
        if old != new:
            return f"{column} {_short(new)}, was {_short(old)}"
    for column in OF_SEED:
        old_by_seed = dict(zip(before["seed"], before[column], strict=True))
        for seed, value in zip(after["seed"], after[column], strict=True):
            if old_by_seed.get(seed, value) != value:
                return f"seed {seed}: another {column}"
    return ""


def _short(values: set[object]) -> str:
    texts = (f"{v:g}" if isinstance(v, float) else str(v)[:12] for v in values)
    return "/".join(sorted(texts))


def _is(change: Change, row: Row, rule: str) -> bool:
    return (change.labels, change.implementation, change.rule, change.old, change.new) == (
        row.labels, row.implementation, rule, row.old, row.new,
    )  # fmt: skip
