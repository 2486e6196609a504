"""Reported accuracies now against those of a base, seed by seed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from harness.analysis import selection
from harness.analysis.diff.accepted import Accepted, Change
from harness.experiment import profile as profiles
from harness.experiment.profile import Profile
from harness.runs.manifest import Status

SAME, WITHIN, MOVED, NEW, ACCEPTED = "same", "within tolerance", "moved", "new", "accepted"
INCOMPARABLE = Status.INCOMPARABLE.value
MISSING = Status.MISSING.value
NO_COMMON, NO_ACCURACY = "no common seed", "no accuracy"
PASSES = (SAME, WITHIN, NEW, ACCEPTED)
COLUMNS = ("labelled", "implementation", "old", "new", "change", "tolerance", "verdict")
ACCEPTABLE = (MOVED, INCOMPARABLE)  # where both numbers are there
# What must be equal in both tables, for all runs of a cell and for each seed.
OF_CELL = ("data_sha256", "iterations", "precision")
OF_SEED = ("split_sha256", "initial_weights_sha256")
IN_THE_BASE, HERE = "in the base", "here"
Accuracies = Mapping[int, float | None]  # percent by seed, of runs that are done
COLUMNS_ARE = (
    "old and new are means over the seeds that both sides have done; of a cell that only one side "
    "has, over its own."
)


@dataclass(frozen=True)
class DiffRow:
    """One cell, paired by seed: means over `seeds` in percent, tolerance in points.

    `seeds` are those that both sides have done, with an accuracy. Without any, the mean of a side
    is over all that it has, and only there if the other side has none.
    """

    labels: int
    implementation: str
    old: float | None
    new: float | None
    tolerance: float
    verdict: str
    note: str = ""
    seeds: tuple[int, ...] = ()

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
    rows: Sequence[DiffRow]
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


def rule_in_use(table: pd.DataFrame, profile: Profile) -> str:
    """The selection rule of a table: the profile's, or the last where its done runs are short."""
    done = table[table["status"] == Status.DONE.value]
    return selection.in_use(profile.selection, [int(n) for n in done["evaluations"].dropna()])


def cells(
    old: pd.DataFrame,
    new: pd.DataFrame,
    profile: Profile,
    rule: str,
    accepted: Accepted | None = None,
) -> list[DiffRow]:
    """Every cell of either table: label counts in order, then implementations."""
    keys = {
        (int(labels), str(name))
        for frame in (old, new)
        for labels, name in zip(frame["labels"], frame["implementation"], strict=True)
    }
    return [_row(key, old, new, profile, rule, accepted or Accepted()) for key in sorted(keys)]


def markdown(diff: Diff) -> str:
    """A table, and what does not pass."""
    lines = [
        f"Rule: {selection.DESCRIPTIONS[diff.rule]}. Base: `{diff.base}`.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "| ---: | --- | ---: | ---: | ---: | ---: | --- |",
        *("| " + " | ".join(line).replace("\n", " ") + " |" for line in texts(diff)),
    ]
    lines += ["", COLUMNS_ARE, *(["", f"**{diff.stale}**"] if diff.stale else [])]
    return "\n".join(lines) + "\n"


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
) -> DiffRow:
    before, after = (_of(frame, key) for frame in (old, new))
    then, here = (_accuracies(frame, rule) for frame in (before, after))
    row = _means(key, then, here, profiles.at(profile.tolerance, key[0]))
    failure = _failure(before, after, then, here, rule)
    if failure is not None:
        return replace(row, verdict=failure[0], note=failure[1])
    if not then:
        return replace(row, note=_joined(f"{text} {IN_THE_BASE}" for text in _not_done(before)))
    added = _only(here, then, HERE)
    known = next((c for c in accepted.changes if _is(c, row, rule)), None)
    if other := _other_settings(_done(before), _done(after)):
        row = replace(row, verdict=INCOMPARABLE, note=_joined([other, added]))
    elif abs(row.change or 0.0) > row.tolerance:
        row = replace(row, verdict=MOVED, note=added)
    else:
        equal = all(then[seed] == here[seed] for seed in row.seeds)
        return replace(row, verdict=SAME if equal else WITHIN, note=added)
    if known is None:
        return row
    return replace(row, verdict=ACCEPTED, note=_joined([known.reason, added]))


def _means(key: tuple[int, str], then: Accuracies, here: Accuracies, tolerance: float) -> DiffRow:
    """The numbers of a cell, as if it were new."""
    seeds = sorted(seed for seed, value in then.items() if None not in (value, here.get(seed)))
    if seeds:
        old, new = (_mean([side[seed] for seed in seeds]) for side in (then, here))
    else:
        old = None if here else _mean(list(then.values()))
        new = None if then else _mean(list(here.values()))
    return DiffRow(*key, old, new, tolerance, NEW, seeds=tuple(seeds))


def _failure(
    before: pd.DataFrame, after: pd.DataFrame, then: Accuracies, here: Accuracies, rule: str
) -> tuple[str, str] | None:
    """(verdict, note) of a cell of which no change can be told, or which has lost a run."""
    lost, added = _lost(before, after), _only(here, then, HERE) if then else ""
    if then and here and not then.keys() & here.keys():
        return NO_COMMON, _joined([_only(then, here, IN_THE_BASE), added, *_not_done(after)])
    empty = _empty(then, here)
    if lost:
        return lost[0][1], _joined([_seeds(lost), *empty, added])
    if not here:
        return MISSING, "no run"
    short = {seed for seed, n in _evaluations(after).items() if selection.is_too_short(rule, n)}
    if short.issuperset(here) and set(here.values()) == {None}:
        return MISSING, "too few evaluations"
    return (NO_ACCURACY, _joined([*empty, added])) if empty else None


def _empty(then: Accuracies, here: Accuracies) -> list[str]:
    """`done without an accuracy in the base: seed 0`, for each side that has such runs."""
    return [
        f"done without an accuracy {where}: {_numbered(seeds)}"
        for side, where in ((then, IN_THE_BASE), (here, HERE))
        if (seeds := [seed for seed, value in side.items() if value is None])
    ]


def _of(frame: pd.DataFrame, key: tuple[int, str]) -> pd.DataFrame:
    return frame[(frame["labels"] == key[0]) & (frame["implementation"] == key[1])]


def _done(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["status"] == Status.DONE.value]


def _accuracies(frame: pd.DataFrame, rule: str) -> Accuracies:
    """Of each run that is done, by seed; None where it has none."""
    done = _done(frame)
    values = zip(done["seed"], done[f"{rule}_top1"], strict=True)
    return {int(seed): None if pd.isna(value) else float(value) for seed, value in values}


def _evaluations(frame: pd.DataFrame) -> dict[int, int]:
    known = _done(frame).dropna(subset=["evaluations"])
    return {int(s): int(n) for s, n in zip(known["seed"], known["evaluations"], strict=True)}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.fmean(known), 2) if known else None


def _lost(before: pd.DataFrame, after: pd.DataFrame) -> list[tuple[int, str]]:
    """(seed, status) of what is not done now: of every run here, and of every one done before."""
    status = dict(zip(after["seed"], after["status"], strict=True))
    wanted = {*status, *_done(before)["seed"]}
    found = [(int(seed), str(status.get(seed, MISSING))) for seed in sorted(wanted)]
    return [(seed, what) for seed, what in found if what != Status.DONE.value]


def _not_done(frame: pd.DataFrame) -> list[str]:
    rows = frame[frame["status"] != Status.DONE.value].sort_values("seed")
    return [f"seed {seed} {what}" for seed, what in zip(rows["seed"], rows["status"], strict=True)]


def _only(mine: Accuracies, others: Accuracies, where: str) -> str:
    """`seeds 3, 4 only here`; '' where the others have all of them."""
    seeds = mine.keys() - others.keys()
    return f"{_numbered(seeds)} only {where}" if seeds else ""


def _numbered(seeds: Collection[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, sorted(seeds)))}"


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(text for text in texts if text)


def _seeds(lost: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"seed {seed} {status}" for seed, status in lost)


def _other_settings(before: pd.DataFrame, after: pd.DataFrame) -> str:
    for column in OF_CELL:
        old, new = set(before[column]), set(after[column])
        if old != new:
            return f"{column} {_short(new)}, was {_short(old)}"
    for column in (*OF_CELL, *OF_SEED):
        old_by_seed = dict(zip(before["seed"], before[column], strict=True))
        for seed, value in zip(after["seed"], after[column], strict=True):
            if old_by_seed.get(seed, value) != value:
                return f"seed {seed}: another {column}"
    return ""


def _short(values: set[object]) -> str:
    texts = ("none" if value in ("", None) else str(value)[:12] for value in values)
    return "/".join(sorted(texts))


def _is(change: Change, row: DiffRow, rule: str) -> bool:
    return (change.labels, change.implementation, change.rule, change.old, change.new) == (
        row.labels, row.implementation, rule, row.old, row.new,
    )  # fmt: skip
