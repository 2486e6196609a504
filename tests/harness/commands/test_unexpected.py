"""A defect of this program is not a difference: an exit code, a line and a file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.commands import cli
from harness.commands.console import unexpected
from harness.commands.results import table as pipeline
from tests.conftest import REPOSITORY


@pytest.fixture
def defect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`report` fails in a way that nobody thought of, in an empty working directory."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a cause\nof two lines ±")

    monkeypatch.setattr(pipeline, "rebuild", broken)
    monkeypatch.setattr(sys, "argv", ["harness", "report", "--profile", "quick"])
    monkeypatch.chdir(tmp_path)


LINE = "error: unexpected: ZeroDivisionError: a cause of two lines ±; the traceback is in "


def test_it_is_one_line_and_the_traceback_is_kept(
    defect: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main() == unexpected.EXIT_CODE == 70
    error = capsys.readouterr().err
    [path] = (tmp_path / ".cache").iterdir()
    assert error == f"{LINE}.cache/{path.name}; please report it\n"
    kept = path.read_text(encoding="utf-8")
    assert kept.startswith("harness report --profile quick\nPython 3.")
    assert "Traceback (most recent call last)" in kept
    assert kept.endswith("ZeroDivisionError: a cause\nof two lines ±\n")


def test_the_temporary_folder_where_the_working_directory_cannot_be_written(
    defect: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / ".cache").write_text("a file")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert cli.main() == 70
    [path] = (tmp_path / "temporary").iterdir()
    assert capsys.readouterr().err == f"{LINE}{path}; please report it\n"
    assert path.read_text().endswith("of two lines ±\n")


def test_standard_error_where_nothing_can_be_written(
    defect: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / ".cache").write_text("a file")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ".cache"))
    assert cli.main() == 70
    *traceback, line = capsys.readouterr().err.splitlines()
    assert traceback[0] == "Traceback (most recent call last):"
    assert line.endswith(
        "lines ±; the traceback is above, for no file could be written; please report it"
    )


def test_a_long_text_is_cut_and_an_empty_one_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    unexpected.report(ValueError("x" * 10_000))
    unexpected.report(MemoryError())
    long, empty = capsys.readouterr().err.splitlines()
    assert len(long) < 500
    assert empty.startswith("error: unexpected: MemoryError; the traceback is in .cache/")


def test_a_library_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('no such symbol')\n")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "verify"],
        cwd=tmp_path,  # found first
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 70
    assert done.stderr.startswith(
        "error: unexpected: ImportError: no such symbol; the traceback is"
    )
    assert done.stderr.count("\n") == 1


def test_the_help_names_every_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "--help"])
    assert cli.main() == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("0 done", "1 a check found", "2 bad input", "3 incomplete", "70 unexpected"):
        assert words in text
