"""verify: the first file and line that are not what the runs give, and nothing written."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import pytest

from harness.commands import verify
from harness.commands.results import table
from harness.errors import BadInput, CheckFailed, LogError
from harness.experiment import profile
from tests.helpers import made

QUICK = profile.load("quick")


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made.results(
        tmp_path_factory.mktemp("committed") / "quick", seeds=(0, 1), judged=False
    )
    table.write(folder, QUICK)
    return folder


@pytest.fixture
def folder(committed: Path, tmp_path: Path) -> Path:
    shutil.copytree(committed, tmp_path / "quick")
    return tmp_path / "quick"


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_the_runs_give_holds_and_nothing_is_written(folder: Path) -> None:
    for name in (
        "parity.json.lock",
        "step-drift.svg",
        "bench.json",
        ".lock",
    ):  # others' files, and no output
        (folder / name).write_text("theirs")
    before = content(folder)
    verify.require(verify.check(folder, QUICK))
    assert content(folder) == before


def test_one_digit_in_a_table(folder: Path) -> None:
    path = folder / "table.csv"
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace("180.0", "180.1")
    path.write_text("".join(lines))
    with pytest.raises(
        CheckFailed, match=r"quick/table\.csv:3: has '.*180\.1.*runs/ give .*180\.0"
    ):
        verify.require(verify.check(folder, QUICK))


def test_all_that_differs_is_listed_and_the_first_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "table.md").write_text("")
    (folder / "training.png").write_bytes(b"\x89PNG")
    (folder / "accuracy-vs-time.svg").unlink()
    found = verify.check(folder, QUICK)
    assert [text.split(": ")[0].removeprefix(f"{folder}/") for text in found] == [
        "table.md:1", "accuracy-vs-time.svg", "training.png",
    ]  # fmt: skip
    assert "has '', runs/ give '<!-- schema: 1 -->'" in found[0]
    assert "missing; 'make table' writes it" in found[1]
    assert "not the bytes that runs/ give" in found[2]
    assert verify.failure(found).startswith(f"{found[0]} (and 2 more files)")


def test_a_longer_file_differs_after_its_end(folder: Path) -> None:
    with (folder / "points.csv").open("a") as file:
        file.write("one line more\n")
    [text] = verify.check(folder, QUICK)
    assert text.endswith("has 'one line more', runs/ give ''")


def test_a_run_folder_deleted(folder: Path) -> None:
    shutil.rmtree(folder / "runs" / "40-seed1-own")
    gone = r"40-seed1-own/manifest\.json: gone since .*runs\.sha256:5\) \(and \d+ more files\)"
    with pytest.raises(CheckFailed, match=gone):
        verify.require(verify.check(folder, QUICK))


def test_a_file_renamed(folder: Path) -> None:
    """Its content is not altered, and it is not gone."""
    made.run(folder, "own", 40, 0)  # with predictions
    table.write(folder, QUICK)
    path = folder / "runs/40-seed0-own/predictions.csv"
    path.rename(path.with_name("Predictions.csv"))
    [text, *_] = verify.check(folder, QUICK)
    assert text.startswith(f"{path}: renamed to 'runs/40-seed0-own/Predictions.csv' since ")


def test_a_run_folder_renamed(folder: Path) -> None:
    path = folder / "runs/40-seed1-own"
    path.rename(folder / "runs/old 40-seed1-own")
    [text, *_] = verify.check(folder, QUICK)
    now = "renamed to 'runs/old 40-seed1-own/manifest.json' since"
    assert text.startswith(f"{path / 'manifest.json'}: {now}")


def test_a_file_that_is_there_and_not_read(folder: Path) -> None:
    name = "runs/40-seed0-own/attempt-1/notes.txt"
    (folder / name).write_text("mine")
    with (folder / "runs.sha256").open("a") as sums:
        sums.write(f"{'0' * 64}  {name}\n")
    [text] = verify.check(folder, QUICK)
    assert text.startswith(f"{folder / name}: there, but of no run that is read any more, since")


@pytest.mark.parametrize("change", ["runs/40-seed0-own/manifest.JSON", "runs/elsewhere", ""])
def test_a_name_altered_in_the_sums(folder: Path, change: str) -> None:
    name = "runs/40-seed0-own/manifest.json"
    sums = folder / "runs.sha256"
    sums.write_text(sums.read_text().replace(name, change))
    [text] = verify.check(folder, QUICK)
    assert text == f"{sums}:1: names '{change}', which is '{name}' in runs/"


def test_line_ends_changed(folder: Path) -> None:
    """As git's core.autocrlf, or an editor, leaves files: altered, and nothing is gone."""
    for path in (folder / "runs").rglob("*.json*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (folder / "table.csv").write_bytes((folder / "table.csv").read_bytes().replace(b"\n", b"\r\n"))
    sums = folder / "runs.sha256"
    before = sums.read_bytes()
    sums.write_bytes(before.replace(b"\n", b"\r\n"))
    texts = verify.check(folder, QUICK)
    assert len(texts) == 2 and all("CR LF and not in LF" in text for text in texts)
    assert texts[0].startswith(f"{folder / 'runs/40-seed0-own/manifest.json'}: its lines end")
    assert texts[1].startswith(f"{folder / 'table.csv'}: its lines end")
    assert "core.autocrlf" in texts[0] and "gone" not in "".join(texts)


def test_a_log_line_altered(folder: Path) -> None:
    path = folder / "runs/40-seed0-own/attempt-1/metrics.jsonl"
    path.write_text(path.read_text().replace('"top5": 99.0', '"top5": 98.0', 1))
    found = verify.check(folder, QUICK)
    assert "attempt-1/metrics.jsonl: altered since the outputs were written" in found[0]
    assert any("points.csv:2" in text for text in found)


def test_a_log_line_that_enters_no_table_altered(folder: Path) -> None:
    path = folder / "runs/40-seed0-torchssl/attempt-1/torchssl/log.txt"
    path.write_text(path.read_text().replace("at 0 iters", "at 7 iters", 1))
    [text] = verify.check(folder, QUICK)
    assert "torchssl/log.txt: altered since" in text and "runs.sha256:4" in text


def test_a_run_that_came_after_the_tables(folder: Path) -> None:
    made.run(folder, "own", 40, 2, judged=False)
    assert "40-seed2-own/manifest.json: not in " in verify.check(folder, QUICK)[0]


def test_sums_in_another_order(folder: Path) -> None:
    path = folder / "runs.sha256"
    path.write_text("".join(sorted(path.read_text().splitlines(keepends=True))))
    [text] = verify.check(folder, QUICK)
    assert "runs.sha256:1: has" in text


def test_a_log_line_that_cannot_be_read(folder: Path) -> None:
    path = folder / "runs/40-seed0-own/attempt-1/metrics.jsonl"
    path.write_text("{\n" + path.read_text())
    with pytest.raises(LogError, match=r"metrics\.jsonl:1"):
        verify.require(verify.check(folder, QUICK))


def test_a_file_that_nothing_gives(folder: Path) -> None:
    (folder / "old-table.md").write_text("87.3\n")
    with pytest.raises(CheckFailed, match=r"old-table\.md: nothing in runs/ gives it"):
        verify.require(verify.check(folder, QUICK))


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no runs in it; 'make compare' makes some"):
        verify.require(verify.check(tmp_path, QUICK))


def test_other_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify.library_note() == ""
    version = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "3.0.0" if name == "matplotlib" else version(name)
    )
    note = verify.library_note()
    assert "matplotlib 3.0.0 for " in note and "'make setup' installs them" in note
    assert "numpy" not in note


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)
    assert "matplotlib none for " in verify.library_note()
