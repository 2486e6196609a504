"""diff: moved and lost accuracies, bases, acceptance, and how they are shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import git
import pandas as pd
import pytest

from harness.analysis import accepted, diff, frames, results
from harness.commands import table as outputs_command
from harness.commands import verify
from harness.errors import BadInput, CheckFailed
from harness.experiment import profile
from harness.report import outputs, table
from harness.runs.manifest import Status
from tests.helpers import made

QUICK = profile.load("quick")
TOLERANCE = QUICK.tolerance[40]


def frame(folder: Path) -> pd.DataFrame:
    text = table.to_csv(frames.runs_frame(results.load_all(folder)))
    return diff.read(text.encode(), "table.csv")


def compare(old: pd.DataFrame, new: pd.DataFrame, rule: str = "last") -> dict[str, diff.Row]:
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


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git clone with results of one label count committed at `HEAD`."""
    root = tmp_path_factory.mktemp("clone")
    folder = made.results(root / "results" / "quick", judged=False)
    outputs_command.write(folder, QUICK)
    repository = git.Repo.init(root)
    with repository.config_writer() as config:
        config.set_value("user", "name", "Somebody").set_value("user", "email", "some@body.org")
    repository.git.commit("--allow-empty", "-m", "nothing yet")
    repository.git.tag("empty")
    repository.git.add("results")
    repository.git.commit("-m", "results")
    repository.close()
    return root


@pytest.fixture
def folder(clone: Path, tmp_path: Path) -> Path:
    shutil.copytree(clone, tmp_path / "clone")
    return tmp_path / "clone" / "results" / "quick"


def rerun(folder: Path, shift: float) -> None:
    """As if own had been trained again with other code."""
    made.run(folder, "own", 40, 0, shift=shift, judged=False)
    write_tables(folder)


def write_tables(folder: Path) -> None:
    for name, content in outputs.tables(results.read(folder), QUICK).items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(("shift", "holds"), [(2.0, True), (-30.0, False)])
def test_against_a_revision(folder: Path, shift: float, holds: bool) -> None:
    rerun(folder, shift)
    found, before = diff.against(folder, QUICK, "HEAD")
    assert before.identity == git.Repo(folder.parent.parent).head.commit.hexsha
    assert found.holds == holds
    assert found.rows[0].verdict == ("within tolerance" if holds else "moved")
    assert found.rule == "last"


def test_against_a_saved_table(folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved table.csv"
    saved.write_bytes((folder / "table.csv").read_bytes())
    rerun(folder, -30.0)
    found, before = diff.against(folder, QUICK, str(saved))
    assert found.failures == ["40 labels own: moved"]
    assert len(before.identity) == 64


def test_a_table_that_its_runs_do_not_give_is_no_pass(folder: Path) -> None:
    path = folder / "table.csv"
    path.write_text(path.read_text().replace("180.0", "180.1", 1))
    found, _ = diff.against(folder, QUICK, "HEAD")
    assert not found.holds
    assert "table.csv is not what runs/ give: see 'make verify'" in found.failures[0]
    path.unlink()
    assert not diff.against(folder, QUICK, "HEAD")[0].holds


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("table.md", "71.60", "71.61"),
        ("table.tex", "71.60", "71.61"),
        ("points.csv", "71.60", "71.61"),
        ("runs/40-seed0-torchssl/attempt-1/torchssl/log.txt", "at 0 iters", "at 7 iters"),
    ],
)
def test_any_digit_or_log_line_that_is_altered_is_no_pass(
    folder: Path, name: str, old: str, new: str
) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    found, _ = diff.against(folder, QUICK, "HEAD")
    assert not found.holds
    reported = "runs.sha256" if name.endswith("log.txt") else name
    assert f"{reported} is not what runs/ give" in found.stale


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "BASE: empty"),
        ("no-such-branch", "BASE no-such-branch: neither a file nor a git revision"),
        ("--upload-pack=x", "neither a file nor a git revision"),
        ("empty", r"BASE empty: has no results/quick/table\.csv"),
    ],
)
def test_a_base_that_cannot_be_had(folder: Path, spec: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        diff.base(spec, folder)


def test_a_folder_in_no_clone(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere" / "quick")
    with pytest.raises(BadInput, match="is in no git clone"):
        diff.base("HEAD", tmp_path / "elsewhere" / "quick")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a table.csv"),
        ("labels,seed\n40,0\n", "no column implementation"),
        (",".join(frames.RUN_COLUMNS) + "\n" + "0," * 21 + "2\n", "schema 2, this code reads 1"),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "base.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=rf"base\.csv: .*{message}"):
        diff.base(str(path), tmp_path)


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no runs in it"):
        diff.now(tmp_path, QUICK)


def test_an_accepted_change_passes_until_it_moves_again(folder: Path) -> None:
    rerun(folder, -30.0)
    found, before = diff.against(folder, QUICK, "HEAD")
    after = diff.accept(folder, QUICK, found, before, "a shorter\nschedule", commit="c" * 40)
    assert after.holds
    assert (after.rows[0].verdict, after.rows[0].note) == ("accepted", "a shorter schedule")
    [change] = accepted.read(folder).changes
    assert (change.base, change.commit, change.rule) == (before.identity, "c" * 40, "last")
    assert (change.old, change.new) == (found.rows[0].old, found.rows[0].new)
    assert len(change.date) == len("2026-01-01")
    assert "a shorter schedule" in (folder / "report.html").read_text()
    assert verify.check(folder, QUICK) == []
    rerun(folder, -40.0)
    assert not diff.against(folder, QUICK, "HEAD")[0].holds


def test_nothing_to_accept_leaves_no_file(folder: Path) -> None:
    found, before = diff.against(folder, QUICK, "HEAD")
    assert diff.accept(folder, QUICK, found, before, "why not").holds
    assert not (folder / "accepted.json").exists()


def test_a_lost_accuracy_is_never_accepted(folder: Path) -> None:
    rerun(folder, -30.0)
    shutil.rmtree(folder / "runs" / "40-seed0-torchssl")
    write_tables(folder)
    found, before = diff.against(folder, QUICK, "HEAD")
    with pytest.raises(CheckFailed, match="nothing accepted: 40 labels torchssl: missing"):
        diff.accept(folder, QUICK, found, before, "who needs it")
    assert not (folder / "accepted.json").exists()


def test_an_empty_reason_is_refused(folder: Path) -> None:
    found, before = diff.against(folder, QUICK, "HEAD")
    with pytest.raises(BadInput, match="ACCEPT: empty"):
        diff.accept(folder, QUICK, found, before, " \n")


ROWS = [
    diff.Row(40, "own", 80.0, 70.5, 6.0, "moved"),
    diff.Row(40, "torchssl", 80.0, None, 6.0, "missing", "seed 0 missing"),
    diff.Row(250, "own", None, 90.0, 3.0, "new"),
]


def test_as_markdown() -> None:
    lines = diff.markdown(diff.Diff("main", "last", ROWS, "table.csv is stale")).splitlines()
    assert lines[0] == "Rule: last evaluation. Base: `main`."
    assert lines[4] == "| 40 | own | 80.00 | 70.50 | -9.50 | ±6.00 | ✗ moved |"
    assert lines[5] == "| 40 | torchssl | 80.00 |  |  | ±6.00 | ✗ missing: seed 0 missing |"
    assert lines[6] == "| 250 | own |  | 90.00 |  | ±3.00 | new |"
    assert lines[-1] == "**table.csv is stale**"


def test_as_json() -> None:
    content = json.loads(diff.to_json(diff.Diff("main", "last", ROWS)))
    assert (content["schema"], content["holds"], content["base"]) == (1, False, "main")
    assert content["cells"][0]["change"] == -9.5
    assert [cell["passes"] for cell in content["cells"]] == [False, False, True]
