"""Bases: tables edited in a spreadsheet, and clones in which git lacks a revision or refuses."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import git
import pytest

from harness.analysis import frames
from harness.analysis.diff import base_table
from harness.commands import cli
from harness.errors import BadInput
from harness.implementations.interface import REPOSITORY

VALUES = {
    "labels": "40", "seed": "0", "implementation": "own", "status": "done", "iterations": "5000",
    "evaluations": "22", "best_top1": "86.60", "last_top1": "85.80", "mean20_top1": "72.79",
    "median20_top1": "84.70", "judged_top1": "", "wall_seconds": "551.3",
    "images_per_second": "145.1", "device": "cpu", "precision": "fp32", "data_sha256": "ef15",
    "split_sha256": "ea71", "initial_weights_sha256": "ae5e", "own_commit": "45ef",
    "torchssl_commit": "", "torch_version": "2.14.1", "schema": "1",
    **dict.fromkeys(frames.LATER_COLUMNS, ""),
}  # fmt: skip
HEADER = ",".join(frames.RUN_COLUMNS)


def line(**changes: object) -> str:
    values = VALUES | {column: str(value) for column, value in changes.items()}
    return ",".join(values[column] for column in frames.RUN_COLUMNS)


def text(*lines: str, header: str = HEADER) -> str:
    return "\n".join([header, *lines]) + "\n"


TWO = text(line(), line(seed=1))


def test_a_table_is_read_as_it_is_written() -> None:
    frame = base_table.read(TWO.encode(), "table.csv")
    assert list(frame.columns) == frames.RUN_COLUMNS
    first = frame.iloc[0]
    assert (first["labels"], first["seed"], first["iterations"]) == (40, 0, 5000)
    assert (first["last_top1"], first["own_commit"], first["torchssl_commit"]) == (85.8, "45ef", "")
    assert math.isnan(first["judged_top1"])


@pytest.mark.parametrize(
    "harmless",
    [
        TWO.replace("\n", "\r\n"),
        TWO.replace("\n", "\r"),
        TWO.replace("85.80", "85.8").replace("5000", "5000.0"),  # as spreadsheets and pandas write
        TWO.replace("85.80", '" 85.80 "'),
        TWO + "," * (len(frames.RUN_COLUMNS) - 1) + "\n\n",
        TWO.replace("\n", ",,\n"),  # blank columns on the right
        text(line(), line(seed=1), header=HEADER + ",note").replace(
            "2.14.1,,,,,1", "2.14.1,,,,,1,mine"
        ),
    ],
)
def test_what_a_spreadsheet_does_without_harm(harmless: str) -> None:
    found, plain = (base_table.read(t.encode(), "table.csv") for t in (harmless, TWO))
    assert found.equals(plain)


BEST_TWICE = HEADER.replace("last_top1", "best_top1")
SPREADSHEETS = {
    "a decimal comma": (text(line(last_top1='"85,80"')), "row 2, column last_top1: '85,80' has a"),
    "decimal commas, unquoted": (text(line(last_top1="85,80")), "row 2, column schema: 27 cells"),
    "semicolons": (TWO.replace(",", ";"), "row 1, column 1: .*separated by ';'"),
    "semicolons and decimal commas": (
        TWO.replace(",", ";").replace(".", ","), "row 1, column 1: .*separated by ';'",
    ),
    "tabs": (TWO.replace(",", "\t"), r"row 1, column 1: .*separated by '\\t'"),
    "the separator on a line of its own": ("sep=;\n" + TWO, "row 1, column 1: .*separated by ';'"),
    "a percent sign": (
        text(line(), line(seed=1, last_top1="85.8%")), "row 3, column last_top1: .*percent sign",
    ),
    "thousands": (text(line(iterations='"5,000"')), "row 2, column iterations: .*has a comma"),
    "thousands with points": (
        text(line(iterations="5.000")), "row 2, column iterations: '5.000' is no",
    ),
    "thousands with spaces": (
        text(line(iterations="5 000")), "row 2, column iterations: .* whole number",
    ),
    "an underscore": (
        text(line(iterations="5_000")), "row 2, column iterations: .* is no whole number",
    ),
    "a number in words": (
        text(line(labels="forty")), "row 2, column labels: 'forty' is no whole number",
    ),
    "part of a seed": (text(line(seed="0.5")), "row 2, column seed: '0.5' is no whole number"),
    "a negative seed": (text(line(seed="-1")), "row 2, column seed: '-1' is no whole number"),
    "a seed of thirty digits": (
        text(line(seed="1" * 30)), "row 2, column seed: .* is no whole number",
    ),
    "a date": (
        text(line(last_top1="2026-08-05")), "row 2, column last_top1: '2026-08-05' is a date",
    ),
    "a date of labels": (
        text(line(labels="4/10/2026")), "row 2, column labels: '4/10/2026' is a date",
    ),
    "a formula's failure": (
        text(line(best_top1="#DIV/0!")), "row 2, column best_top1: .* is no number",
    ),
    "text for a time": (
        text(line(wall_seconds="9 min")), "row 2, column wall_seconds: .* is no number",
    ),
    "above 100": (
        text(line(best_top1="100.2")), "row 2, column best_top1: '100.2' is no percentage",
    ),
    "below 0": (
        text(line(judged_top1="-0.2")), "row 2, column judged_top1: '-0.2' is no percentage",
    ),
    "infinite": (
        text(line(mean20_top1="1e999")), "row 2, column mean20_top1: '1e999' is no percentage",
    ),
    "no labels": (text(line(labels="")), "row 2, column labels: empty"),
    "no schema": (text(line(schema="")), "row 2, column schema: empty"),
    "no implementation": (text(line(implementation="")), "row 2, column implementation: empty"),
    "a capital": (
        text(line(status="Done")), "row 2, column status: 'Done' is no status; .*done, running",
    ),
    "a renamed column": (
        TWO.replace("last_top1", "Last"), "row 1: .*no column last_top1, but 'Last'; name the",
    ),
    "a column gone": (text(header="labels,seed"), "row 1: .*no column implementation; name the"),
    "no header": (line() + "\n", "row 1: .*no column labels, but '40', '0', 'own'; name the"),
    "a column twice": (text(line(), header=f"{HEADER},seed"), "row 1, column seed: there twice"),
    "a column under another's name": (
        text(line(), header=BEST_TWICE), "row 1: .*no column last_top1;",
    ),
    "a short row": (text("40,0,own"), "row 2, column implementation: 3 cells in this row"),
    "a run twice": (
        text(line(), line(seed=1), line(last_top1=1)),
        "row 4, column seed: 40 labels own seed 0 is in row 2 already; delete one",
    ),
    "another schema": (
        text(line(schema=2, labels="x")), "row 2, column schema: schema 2, this code .*own",
    ),
    "a byte-order mark": ("\ufeff" + TWO, "row 1, column 1: begins with a byte-order mark"),
    "a quote that never ends": (text(line(device='"cpu')), "row 2: no CSV"),
    "nothing": ("", "not a table.csv: it is empty"),
    "blank lines": ("\n,,\n\n", "not a table.csv: it is empty"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPREADSHEETS)
def test_a_table_edited_in_a_spreadsheet(
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, message = SPREADSHEETS[what]
    path = tmp_path / "base.csv"
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(BadInput, match=rf"base\.csv: {message}") as error:
        base_table.base(str(path), tmp_path)
    assert "; " in str(error.value) or "use its own code" in str(error.value)  # a remedy
    (tmp_path / "quick" / "runs").mkdir(parents=True)
    words = ["diff", "--profile", "quick", "--results", str(tmp_path), "--base", str(path)]
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    assert cli.main() == 2
    shown = capsys.readouterr()
    assert shown.err == f"error: {error.value}\n" and shown.out == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TWO.replace("cpu", "cpü").encode("latin-1"), "row 2: not UTF-8 .*; save it as CSV"),
        (TWO.encode("utf-16"), "row 1: not UTF-8"),
        (b"PK\x03\x04 and what an .xlsx has", "a spreadsheet or archive, not a table.csv; save it"),
        (TWO.encode() + b"\0", "row 4, column labels: 1 cells in this row"),
    ],
)
def test_bytes_that_are_no_table(content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=rf"base\.csv: ({message})") as error:
        base_table.read(content, "base.csv")
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of three commits: `empty` without a table, then two with one; a side branch."""
    root = tmp_path_factory.mktemp("origin")
    with git.Repo.init(root, initial_branch="trunk") as repository:
        with repository.config_writer() as config:
            config.set_value("user", "name", "Somebody").set_value("user", "email", "some@body.org")
            config.set_value("commit", "gpgsign", "false")
        repository.git.commit("--allow-empty", "-m", "nothing yet")
        repository.git.tag("empty")
        folder = root / "results" / "quick"
        folder.mkdir(parents=True)
        for last in (85.8, 86.2):
            (folder / "table.csv").write_text(text(line(last_top1=last)))
            repository.git.add("results")
            repository.git.commit("-m", f"last {last}")
        repository.git.branch("side", "HEAD~1")
    return root


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    shutil.copytree(origin, tmp_path / "clone")
    return tmp_path / "clone"


@pytest.fixture
def shallow(origin: Path, tmp_path: Path) -> Path:
    git.Repo.clone_from(f"file://{origin}", tmp_path / "shallow", depth=1).close()
    return tmp_path / "shallow"


def last_of(base: base_table.Base) -> float:
    return float(base.table["last_top1"].iloc[0])


def refused(spec: str, clone: Path) -> str:
    with pytest.raises(BadInput) as error:
        base_table.base(spec, clone / "results" / "quick")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("spec", "last"), [("HEAD", 86.2), ("HEAD~1", 85.8), ("side", 85.8)])
def test_a_revision(clone: Path, spec: str, last: float) -> None:
    base = base_table.base(spec, clone / "results" / "quick")
    assert last_of(base) == last
    with git.Repo(clone) as repository:
        assert base.identity == repository.commit(spec).hexsha


def test_a_revision_asked_for_in_a_hook(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    monkeypatch.setenv("GIT_DIR", ".git")
    assert last_of(base_table.base("HEAD~1", Path("results/quick"))) == 85.8


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no-such-branch", "neither a file nor a git revision here; try 'git fetch'"),
        ("HEAD~9", "neither a file nor a git revision here"),
        ("--upload-pack=x", "neither a file nor a git revision here"),
        ("^HEAD", "neither a file nor a git revision here"),
        ("0" * 40, "neither a file nor a git revision here"),
        ("HEAD@{99}", "git says: fatal: log for 'HEAD' only has"),
        ("HEAD@{upstream}", "git says: fatal: no upstream configured"),
        ("HEAD^{tree}", "git says: error: .*expected commit type"),
        ("HEAD:results/quick/table.csv", "a file of a revision; name the revision alone: HEAD"),
    ],
)
def test_what_is_no_revision(clone: Path, spec: str, message: str) -> None:
    assert re.match(re.escape(f"BASE {spec}: ") + message, refused(spec, clone))


def test_a_revision_without_a_table(clone: Path) -> None:
    with pytest.raises(base_table.NoTable, match=r"BASE empty: has no results/quick/table\.csv"):
        base_table.base("empty", clone / "results" / "quick")


def test_a_revision_from_before_results_were_published(clone: Path) -> None:
    """They lay in results/<profile> then, and lie in results/published/<profile> now."""
    folder = clone / "results" / "published" / "quick"
    folder.mkdir(parents=True)
    base = base_table.base("HEAD~1", folder)
    assert last_of(base) == 85.8


def test_a_folder_is_named_as_such(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    assert refused("results", clone) == "BASE results: a folder; name the table.csv in it"


def test_a_folder_in_no_clone(clone: Path, tmp_path: Path) -> None:
    shutil.copytree(clone / "results", tmp_path / "elsewhere" / "results")
    message = refused("HEAD", tmp_path / "elsewhere")
    assert "is in no git clone (git says: fatal: not a git repository" in message


@pytest.mark.parametrize("name", ["HEAD~1", "trunk~1", "a full SHA", "a short SHA"])
def test_what_a_shallow_clone_lacks(origin: Path, shallow: Path, name: str) -> None:
    with git.Repo(origin) as repository:
        sha = repository.commit("HEAD~1").hexsha
    spec = {"a full SHA": sha, "a short SHA": sha[:9]}.get(name, name)
    folder = shallow / "results" / "quick"
    assert last_of(base_table.base("HEAD", folder)) == 86.2
    message = refused(spec, shallow)
    assert message == f"BASE {spec}: not in this shallow clone; git fetch --unshallow"
    subprocess.run(["git", "fetch", "--quiet", "--unshallow"], check=True, cwd=shallow)
    assert last_of(base_table.base(spec, folder)) == 85.8


@pytest.mark.parametrize("spec", ["origin/side", "empty"])
def test_the_remedy_for_a_branch_that_a_shallow_clone_lacks(shallow: Path, spec: str) -> None:
    _, _, remedy = refused(spec, shallow).partition("not in this shallow clone; git ")
    subprocess.run(f"git {remedy}", shell=True, check=True, cwd=shallow, capture_output=True)
    if spec == "empty":
        assert "BASE empty: has no results/quick/table.csv" in refused(spec, shallow)
    else:
        assert last_of(base_table.base(spec, shallow / "results" / "quick")) == 85.8


def own_configuration_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """So that nobody's `safe.directory = *` counts."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.mark.parametrize("by", ["git's switch for its tests", "chown"])
def test_a_clone_of_another_owner(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    own_configuration_only(monkeypatch, tmp_path)
    if by == "chown":
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        for path in (clone, *clone.rglob("*")):
            os.chown(path, 12345, 12345)
    else:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    message = refused("HEAD", clone)
    assert f"BASE HEAD: git says: fatal: detected dubious ownership in repository at '{clone}'" in (
        message
    )
    remedy = f"git config --global --add safe.directory {clone}"
    assert message.endswith(remedy)
    monkeypatch.delenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", raising=False)
    if by == "chown":
        subprocess.run(remedy, shell=True, check=True)
        assert last_of(base_table.base("HEAD", clone / "results" / "quick")) == 86.2


def test_a_damaged_clone_is_told_in_gits_words(clone: Path) -> None:
    with git.Repo(clone) as repository:
        blob = (repository.head.commit.tree / "results/quick/table.csv").hexsha
    path = clone / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"")
    assert "BASE HEAD: git says: " in refused("HEAD", clone) and "is empty" in refused(
        "HEAD", clone
    )


@pytest.mark.parametrize("spec", ["HEAD", "table.csv"])
def test_without_git(origin: Path, spec: str) -> None:
    # In a process of its own: GitPython looks for git when it is imported.
    folder = origin / "results" / "quick"
    code = (
        "from pathlib import Path; from harness import errors\n"
        "from harness.analysis.diff import base_table\n"
        f"try: print(len(base_table.base({spec!r}, Path({str(folder)!r})).table))\n"
        "except errors.BadInput as error: print(error)"
    )
    environment = os.environ | {"PATH": "", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=environment
    )
    said = {"table.csv": "1", "HEAD": "BASE HEAD: git cannot be found; install it"}[spec]
    assert done.stdout.startswith(said) and done.stderr == ""


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    unreadable = Path("/proc/self/mem")  # also for root
    for path in (loop, *([unreadable] if unreadable.exists() else [])):
        message = refused(str(path), tmp_path)
        assert message.startswith(f"BASE {path}: cannot be read (")
        assert message.endswith("; make it readable, or name another")
