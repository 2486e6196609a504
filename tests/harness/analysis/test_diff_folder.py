"""diff of a results folder against a revision or file: what its runs give, and acceptance."""

from __future__ import annotations

import shutil
from pathlib import Path

import git
import pytest

from harness.analysis import results
from harness.analysis.diff import accepted
from harness.commands import diff as diff_command
from harness.commands import verify
from harness.commands.results import table as rebuilt
from harness.errors import BadInput, CheckFailed
from harness.experiment import profile
from harness.report import outputs
from tests.helpers import made

QUICK = profile.load("quick")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git clone with results of one label count committed at `HEAD`."""
    root = tmp_path_factory.mktemp("clone")
    folder = made.results(root / "results" / "quick", judged=False)
    rebuilt.write(folder, QUICK)
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
    found, before = diff_command.against(folder, QUICK, "HEAD")
    assert before.identity == git.Repo(folder.parent.parent).head.commit.hexsha
    assert found.holds == holds
    assert found.rows[0].verdict == ("within tolerance" if holds else "moved")
    assert found.rule == "last"


def test_against_a_saved_table(folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved table.csv"
    saved.write_bytes((folder / "table.csv").read_bytes())
    rerun(folder, -30.0)
    found, before = diff_command.against(folder, QUICK, str(saved))
    assert found.failures == ["40 labels own: moved"]
    assert len(before.identity) == 64


def test_a_table_that_its_runs_do_not_give_is_no_pass(folder: Path) -> None:
    path = folder / "table.csv"
    path.write_text(path.read_text().replace("180.0", "180.1", 1))
    found, _ = diff_command.against(folder, QUICK, "HEAD")
    assert not found.holds
    assert "table.csv is not what runs/ give: see 'make verify'" in found.failures[0]
    path.unlink()
    assert not diff_command.against(folder, QUICK, "HEAD")[0].holds


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
    found, _ = diff_command.against(folder, QUICK, "HEAD")
    assert not found.holds
    reported = "runs.sha256" if name.endswith("log.txt") else name
    assert f"{reported} is not what runs/ give" in found.stale


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no runs in it"):
        diff_command.now(tmp_path, QUICK)


def test_an_accepted_change_passes_until_it_moves_again(folder: Path) -> None:
    rerun(folder, -30.0)
    found, before = diff_command.against(folder, QUICK, "HEAD")
    reason = "a shorter\nschedule"
    after = diff_command.accept(folder, QUICK, found, before, reason, commit="c" * 40)
    assert after.holds
    assert (after.rows[0].verdict, after.rows[0].note) == ("accepted", "a shorter schedule")
    [change] = accepted.read(folder).changes
    assert (change.base, change.commit, change.rule) == (before.identity, "c" * 40, "last")
    assert (change.old, change.new) == (found.rows[0].old, found.rows[0].new)
    assert len(change.date) == len("2026-01-01")
    assert "a shorter schedule" in (folder / "report.html").read_text()
    assert verify.check(folder, QUICK) == []
    rerun(folder, -40.0)
    assert not diff_command.against(folder, QUICK, "HEAD")[0].holds


def test_an_accepted_change_is_known_by_the_seeds_that_it_was_of(folder: Path) -> None:
    rerun(folder, -30.0)
    found, before = diff_command.against(folder, QUICK, "HEAD")
    diff_command.accept(folder, QUICK, found, before, "another schedule", commit="c" * 40)
    made.results(folder, (40,), (1,), judged=False)  # a seed that is added changes no pair
    write_tables(folder)
    row = diff_command.against(folder, QUICK, "HEAD")[0].rows[0]
    assert (row.verdict, row.note) == ("accepted", "another schedule; seed 1 only here")
    assert row.change == found.rows[0].change
    made.run(folder, "own", 40, 0, shift=-32.0, judged=False)
    write_tables(folder)
    row = diff_command.against(folder, QUICK, "HEAD")[0].rows[0]
    assert (row.verdict, row.note) == ("moved", "seed 1 only here")


def test_what_cannot_be_paired_is_never_accepted(folder: Path) -> None:
    shutil.rmtree(folder / "runs" / "40-seed0-own")
    made.run(folder, "own", 40, 1, judged=False)
    write_tables(folder)
    found, before = diff_command.against(folder, QUICK, "HEAD")
    with pytest.raises(CheckFailed, match="nothing accepted: 40 labels own: no common seed"):
        diff_command.accept(folder, QUICK, found, before, "other seeds")


def test_nothing_to_accept_leaves_no_file(folder: Path) -> None:
    found, before = diff_command.against(folder, QUICK, "HEAD")
    assert diff_command.accept(folder, QUICK, found, before, "why not").holds
    assert not (folder / "accepted.json").exists()


def test_a_lost_accuracy_is_never_accepted(folder: Path) -> None:
    rerun(folder, -30.0)
    shutil.rmtree(folder / "runs" / "40-seed0-torchssl")
    write_tables(folder)
    found, before = diff_command.against(folder, QUICK, "HEAD")
    with pytest.raises(CheckFailed, match="nothing accepted: 40 labels torchssl: missing"):
        diff_command.accept(folder, QUICK, found, before, "who needs it")
    assert not (folder / "accepted.json").exists()


def test_an_empty_reason_is_refused(folder: Path) -> None:
    found, before = diff_command.against(folder, QUICK, "HEAD")
    with pytest.raises(BadInput, match="ACCEPT: empty"):
        diff_command.accept(folder, QUICK, found, before, " \n")
