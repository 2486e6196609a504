"""diff: moved and lost accuracies, seed by seed, and how they are shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis import frames, results
from harness.analysis.diff import base_table
from harness.analysis.diff import rows as diff
from harness.experiment import profile
from harness.report import table
from harness.runs.manifest import Status
from tests.helpers import made

QUICK = profile.load("quick")
TOLERANCE = QUICK.tolerance[40]


def frame(folder: Path) -> pd.DataFrame:
    text = table.to_csv(frames.runs_frame(results.load_all(folder)))
    return base_table.read(text.encode(), "table.csv")


def compare(old: pd.DataFrame, new: pd.DataFrame, rule: str = "last") -> dict[str, diff.DiffRow]:
    found = diff.cells(old, new, QUICK, rule)
    return {f"{row.labels} {row.implementation}": row for row in found}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return frame(made.results(tmp_path_factory.mktemp("base"), (40, 250), (0, 1), judged=False))


def edited(base: pd.DataFrame, row: int, **values: object) -> pd.DataFrame:
    """The table with one run (40-seed0-own is the first, seed1-own the third) changed."""
    changed = base.copy()
    for column, value in values.items():
        changed[column] = changed[column].astype(object)
        changed.loc[row, column] = value  # type: ignore[call-overload]
    return changed


def test_the_same_table(base: pd.DataFrame) -> None:
    rows = compare(base, base)
    assert list(rows) == ["40 own", "40 torchssl", "250 own", "250 torchssl"]
    assert {(row.verdict, row.change, row.passes) for row in rows.values()} == {("same", 0.0, True)}


@pytest.mark.parametrize(
    ("moved", "verdict"),
    [
        (0.9 * TOLERANCE, "within tolerance"),
        (-0.9 * TOLERANCE, "within tolerance"),
        (1.1 * TOLERANCE, "moved"),
        (-1.1 * TOLERANCE, "moved"),
    ],
)
def test_a_mean_that_moves(base: pd.DataFrame, moved: float, verdict: str) -> None:
    # Both seeds are moved, so the mean is.
    new = base.copy()
    own = (new["labels"] == 40) & (new["implementation"] == "own")
    new.loc[own, "last_top1"] += moved
    row = compare(base, new)["40 own"]
    assert row.verdict == verdict
    assert row.passes == (verdict != "moved")
    assert row.change == pytest.approx(moved, abs=0.01)
    assert row.tolerance == TOLERANCE
    assert compare(base, new)["40 torchssl"].verdict == "same"
    assert compare(base, new, "best")["40 own"].verdict == "same"  # only the rule's column counts


@pytest.mark.parametrize("status", [s.value for s in Status if s is not Status.DONE])
def test_a_run_that_is_not_done_any_more_fails_its_cell(base: pd.DataFrame, status: str) -> None:
    row = compare(base, edited(base, 0, status=status))["40 own"]
    assert not row.passes
    assert (row.verdict, row.note) == (status, f"seed 0 {status}")


def test_a_run_that_is_gone_fails_its_cell(base: pd.DataFrame) -> None:
    row = compare(base, base.drop(index=0))["40 own"]
    assert (row.verdict, row.note, row.passes) == ("missing", "seed 0 missing", False)


def test_a_whole_cell_that_is_gone(base: pd.DataFrame) -> None:
    rows = compare(base, base[base["labels"] == 40])
    assert rows["250 own"].verdict == "missing" and rows["250 own"].new is None
    assert not rows["250 torchssl"].passes


def test_a_further_seed_that_fails_is_told(base: pd.DataFrame) -> None:
    extra = edited(base.iloc[[0]].reset_index(drop=True), 0, seed=9, status="failed")
    row = compare(base, pd.concat([base, extra]))["40 own"]
    assert (row.verdict, row.note) == ("failed", "seed 9 failed")


def test_what_failed_before_and_fails_now_is_no_pass(base: pd.DataFrame) -> None:
    failed = base[base["implementation"] == "own"].assign(status="failed")
    assert {row.passes for row in compare(failed, failed).values()} == {False}


def test_a_new_cell_passes(base: pd.DataFrame) -> None:
    row = compare(base[base["labels"] == 40], base)["250 own"]
    assert (row.verdict, row.old, row.passes) == ("new", None, True)


@pytest.mark.parametrize(
    ("column", "note"),
    [
        ("data_sha256", "data_sha256 da7ada7ada7a/other, was da7ada7ada7a"),
        ("precision", "precision fp32/other, was fp32"),
        ("split_sha256", "seed 0: another split_sha256"),
        ("initial_weights_sha256", "seed 0: another initial_weights_sha256"),
    ],
)
def test_other_terms_are_incomparable(base: pd.DataFrame, column: str, note: str) -> None:
    row = compare(base, edited(base, 0, **{column: "other"}))["40 own"]
    assert (row.verdict, row.note, row.passes) == ("incomparable", note, False)


def test_other_lengths_are_incomparable(base: pd.DataFrame) -> None:
    row = compare(base, base.assign(iterations=20))["40 own"]
    assert (row.verdict, row.note) == ("incomparable", f"iterations 20, was {QUICK.iterations}")


def test_too_few_evaluations_is_no_pass(base: pd.DataFrame) -> None:
    row = compare(base, base, "median20")["40 own"]
    assert (row.verdict, row.note, row.passes) == ("missing", "too few evaluations", False)


def test_terms_that_two_seeds_exchanged_are_incomparable(base: pd.DataFrame) -> None:
    old, new = (
        edited(edited(base, 0, iterations=a), 2, iterations=b) for a, b in ((10, 20), (20, 10))
    )
    row = compare(old, new)["40 own"]
    assert (row.verdict, row.note) == ("incomparable", "seed 0: another iterations")


def test_terms_that_the_base_does_not_say_are_incomparable(base: pd.DataFrame) -> None:
    old = base.assign(iterations=None, data_sha256="")
    assert compare(old, base)["40 own"].note == "data_sha256 da7ada7ada7a, was none"
    old = base.assign(iterations=None)
    assert compare(old, base)["40 own"].note == f"iterations {QUICK.iterations}, was none"


def cell(**seeds: float | None) -> pd.DataFrame:
    """40 labels of own: accuracies in percent by seed, as `_0=80.0`; None: done without one."""
    values = dict.fromkeys(frames.RUN_COLUMNS, "") | {
        "labels": "40", "implementation": "own", "status": "done", "iterations": "5000",
        "evaluations": "22", "schema": "1",
    }  # fmt: skip
    rows = [
        values | {"seed": seed[1:], "last_top1": "" if value is None else str(value)}
        for seed, value in seeds.items()
    ]
    text = pd.DataFrame(rows, columns=frames.RUN_COLUMNS).to_csv(index=False)
    return base_table.read(text.encode(), "table.csv")


def only(old: pd.DataFrame, new: pd.DataFrame, rule: str = "last") -> diff.DiffRow:
    [row] = diff.cells(old, new, QUICK, rule)
    return row


def test_seeds_that_were_added_do_not_hide_a_run_that_moved() -> None:
    # Its own mean over all seeds would be 82.68: within tolerance of what one seed had.
    new = cell(_0=85.8, _1=79.2, _2=86.0, _3=83.6, _4=78.8)
    row = only(cell(_4=87.8), new)
    assert (row.old, row.new, row.change, row.seeds) == (87.8, 78.8, -9.0, (4,))
    assert (row.verdict, row.note) == ("moved", "seeds 0, 1, 2, 3 only here")


def test_seeds_that_were_added_move_nothing() -> None:
    row = only(cell(_0=80.0, _1=90.0), cell(_0=80.0, _1=90.0, _2=10.0))
    assert (row.verdict, row.old, row.new, row.note) == ("same", 85.0, 85.0, "seed 2 only here")
    assert row.passes


def test_the_same_only_where_every_run_is() -> None:
    row = only(cell(_0=80.0, _1=90.0), cell(_0=81.0, _1=89.0))
    assert (row.verdict, row.change) == ("within tolerance", 0.0)


def test_the_order_of_rows_changes_nothing() -> None:
    old = cell(_0=80.1, _1=90.7, _2=70.3)
    assert only(old, old.iloc[::-1]).verdict == "same"


def test_no_seed_in_common_is_no_pass() -> None:
    row = only(cell(_0=80.0, _1=80.0), cell(_2=80.0))
    assert (row.verdict, row.passes) == ("no common seed", False)
    assert row.note == "seeds 0, 1 only in the base; seed 2 only here"
    assert (row.old, row.new, row.seeds) == (None, None, ())


def test_no_seed_in_common_since_one_failed_here() -> None:
    failed = pd.concat([cell(_0=80.0).assign(status="failed"), cell(_1=80.0)], ignore_index=True)
    row = only(cell(_0=80.0), failed)
    note = "seed 0 only in the base; seed 1 only here; seed 0 failed"
    assert (row.verdict, row.note) == ("no common seed", note)


def test_a_seed_that_is_gone_and_one_that_was_added() -> None:
    row = only(cell(_0=80.0, _1=81.0), cell(_1=81.0, _2=60.0))
    assert (row.verdict, row.note) == ("missing", "seed 0 missing; seed 2 only here")
    assert (row.old, row.new) == (81.0, 81.0)


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        (cell(_0=None), cell(_0=82.0), "done without an accuracy in the base: seed 0"),
        (cell(_0=82.0), cell(_0=None), "done without an accuracy here: seed 0"),
        (cell(_0=None, _1=82.0), cell(_0=82.0, _1=82.0), "in the base: seed 0"),
        (cell(_0=82.0), cell(_0=82.0, _1=None), "without an accuracy here: seed 1; seed 1 only"),
        (cell(_1=None, _0=None), cell(_0=82.0, _1=None), "base: seeds 0, 1; done .* here: seed 1"),
        (cell(_1=82.0).iloc[:0], cell(_0=None), "done without an accuracy here: seed 0"),
    ],
)
def test_done_without_an_accuracy_is_no_pass(
    old: pd.DataFrame, new: pd.DataFrame, note: str
) -> None:
    row = only(old, new)
    assert (row.verdict, row.passes) == ("no accuracy", False)
    assert re.search(note, row.note)


def test_a_lost_run_hides_no_empty_accuracy() -> None:
    row = only(cell(_0=None, _1=81.0), cell(_0=82.0))
    assert row.verdict == "missing" and not row.passes
    assert row.note == "seed 1 missing; done without an accuracy in the base: seed 0"


def test_evaluations_too_few_for_the_rule_on_one_side_are_no_pass() -> None:
    long = cell(_0=80.0).assign(median20_top1=80.0)
    short = cell(_0=80.0).assign(evaluations=12)
    assert only(short, long, "median20").note == "done without an accuracy in the base: seed 0"
    assert only(long, short, "median20").note == "too few evaluations"
    assert not only(short, long, "median20").passes and not only(long, short, "median20").passes


def test_a_cell_that_failed_in_the_base_is_new() -> None:
    row = only(cell(_0=80.0).assign(status="failed"), cell(_0=80.0))
    assert (row.verdict, row.note, row.passes) == ("new", "seed 0 failed in the base", True)
    assert (row.old, row.new) == (None, 80.0)


ROWS = [
    diff.DiffRow(40, "own", 80.0, 70.5, 6.0, "moved", seeds=(0, 1)),
    diff.DiffRow(40, "torchssl", 80.0, None, 6.0, "missing", "seed 0 missing"),
    diff.DiffRow(250, "own", None, 90.0, 3.0, "new"),
]


def test_as_markdown() -> None:
    lines = diff.markdown(diff.Diff("main", "last", ROWS, "table.csv is stale")).splitlines()
    assert lines[0] == "Rule: last evaluation. Base: `main`."
    assert lines[4] == "| 40 | own | 80.00 | 70.50 | -9.50 | ±6.00 | ✗ moved |"
    assert lines[5] == "| 40 | torchssl | 80.00 |  |  | ±6.00 | ✗ missing: seed 0 missing |"
    assert lines[6] == "| 250 | own |  | 90.00 |  | ±3.00 | new |"
    assert lines[8].startswith("old and new are means over the seeds that both sides have done")
    assert lines[-1] == "**table.csv is stale**"


def test_as_json() -> None:
    content = json.loads(diff.to_json(diff.Diff("main", "last", ROWS)))
    assert (content["schema"], content["holds"], content["base"]) == (1, False, "main")
    assert content["cells"][0]["change"] == -9.5
    assert content["cells"][0]["seeds"] == [0, 1]
    assert [cell["passes"] for cell in content["cells"]] == [False, False, True]
