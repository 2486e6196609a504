"""Levels of proof as they are shown: in the table, on the page, and as columns of table.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from harness.analysis.comparison import Comparison
from harness.parity import levels
from harness.parity.checklist import Ladder
from harness.parity.levels import BUDGET, NAMES, Levels
from harness.runs.folder import Run

HEADING = "Levels of proof"
ABOUT = (
    "Shown: measured, or seen from inside its process. Handed out: given to it, and not seen whole "
    "in use. Declared: its owner says so. Departs: it does otherwise. A verdict needs the same "
    "images, labelled images, judge and budget to be shown; in what the methods differ stands "
    "beside it. Initial weights are the same only where that is shown."
)
COLUMNS = {rung: f"rung_{rung}" for rung in NAMES if rung != BUDGET} | {BUDGET: "budget"}


def heads() -> list[str]:
    """Of the columns, the budget's last."""
    return [f"{rung} {NAMES[rung]}" if rung else NAMES[rung] for rung in NAMES]


def words(one: Levels) -> list[str]:
    """A contender's level of each rung."""
    return [one.proofs[rung].level.value for rung in NAMES]


def sentences(comparison: Comparison) -> list[str]:
    """Of each contender that is not held to every sum: what is known of it, and its notes."""
    said = []
    for one in comparison.levels:
        if one.is_peer:
            continue
        known = [f"{NAMES[r]}: {p.text}" for r, p in one.proofs.items() if p.text]
        note = comparison.contenders[one.contender].note if one.contender in (
            comparison.contenders
        ) else ""  # fmt: skip
        departs = f"Departs in {'; '.join(one.departures)}." if one.departures else ""
        parts = (f"{comparison.titles[one.contender]}. {'. '.join(known)}.", departs, note)
        said.append(" ".join(filter(None, parts)))
    return said


def with_levels(
    frame: pd.DataFrame,
    runs: Sequence[Run],
    ladder: Ladder | None,
    further: Mapping[str, Ladder | None] = levels.NONE,
) -> pd.DataFrame:
    """The rows of `runs` with their levels, where one of them is not held to every sum."""
    if all(run.evidence.is_peer for run in runs):
        return frame
    rows = []
    for run in runs:
        found = levels.of_run(run, ladder, further)
        row = {name: found[rung].level.value for rung, name in COLUMNS.items()}
        departs = "; ".join(f"{key}: {value}" for key, value in run.differs.items())
        rows.append({**row, "departs": departs, "source_commit": run.manifest.source_commit})
    return pd.concat([frame, pd.DataFrame(rows, index=frame.index)], axis=1)
