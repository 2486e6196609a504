"""Commands: exit codes, one-line errors that name the thing and the remedy, nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands import cli
from harness.commands import compare as pipeline
from harness.commands.bench import command as bench
from harness.commands.bench.asked import BenchQuestion
from harness.commands.console import arguments
from harness.commands.results import table
from harness.experiment import data, profile
from tests.conftest import REPOSITORY, write_small_data
from tests.helpers import batches, made

pytestmark = pytest.mark.usefixtures("fake")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["harness", *(str(a) for a in arguments)])
    return cli.main()


def compare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path | str, **options: object
) -> int:
    chosen: dict[str, object] = {
        "labels": "40",
        "profile": "quick",
        "iterations": "20",
        "implementations": "fake",
        "data-dir": data_dir,
        "results": tmp_path / "results",
    }
    chosen |= {key.replace("_", "-"): value for key, value in options.items()}
    words = [word for key, value in chosen.items() for word in (f"--{key}", value)]
    return call(monkeypatch, "compare", *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": "45"}, ["LABELS 45", "multiple of 10"]),
        ({"labels": "0"}, ["LABELS 0", "multiple of 10"]),
        ({"labels": "-40"}, ["LABELS -40", "whole number"]),
        ({"labels": "forty"}, ["LABELS forty", "whole number"]),
        ({"labels": ""}, ["LABELS", "empty"]),
        ({"labels": "10"}, ["LABELS 10", "fixed in its source", "20 or more"]),
        ({"labels": "410"}, ["LABELS 410", "at most 400"]),
        ({"seeds": "1.5"}, ["SEEDS 1.5", "whole number"]),
        ({"seeds": "-1"}, ["SEEDS -1", "whole number"]),
        ({"seeds": "²"}, ["SEEDS ²", "whole number"]),
        ({"seeds": "4294967296"}, ["SEEDS 4294967296", "at most 4294967295"]),
        ({"profile": "fast"}, ["PROFILE fast", "unknown", "quick"]),
        ({"profile": "cifar10"}, ["PROFILE cifar10", "CUDA", "PROFILE=quick"]),
        ({"implementations": "ours"}, ["IMPLEMENTATIONS ours", "unknown", "own, torchssl"]),
        ({"implementations": " "}, ["IMPLEMENTATIONS", "none named"]),
        ({"implementations": " , "}, ["IMPLEMENTATIONS", "none named"]),
        ({"implementations": "fake,ours"}, ["IMPLEMENTATIONS ours", "unknown"]),
        ({"iterations": "0"}, ["ITERATIONS 0"]),
        ({"iterations": "many"}, ["ITERATIONS many", "whole number"]),
        ({"iterations": "20 30"}, ["ITERATIONS 20 30"]),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    data_dir: Path,
    options: dict[str, object],
    words: list[str],
) -> None:
    assert compare(monkeypatch, tmp_path, data_dir, **options) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("text", ["own,torchssl", "own, torchssl", " own torchssl,own,"])
def test_names_take_commas_as_numbers_do(text: str) -> None:
    assert arguments.names(text) == ["own", "torchssl"]
    assert arguments.whole_numbers("LABELS", "40,250, 40") == [40, 250]


def test_implementations_and_variants_take_commas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(pipeline, "compare", lambda question, _: asked.append(question))
    monkeypatch.setattr(bench, "run", lambda question, _: asked.append(question))
    assert compare(monkeypatch, tmp_path, "", implementations="own,torchssl") == 0
    assert call(monkeypatch, "bench", "--variants", "fp32,fp32+compile") == 0
    comparison, timing = asked
    assert isinstance(comparison, pipeline.CompareQuestion) and isinstance(timing, BenchQuestion)
    assert comparison.implementations == ["own", "torchssl"]
    assert timing.variants == ("fp32", "fp32+compile")


def test_a_folder_without_the_layout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert compare(monkeypatch, tmp_path, tmp_path / "empty") == 2
    error = capsys.readouterr().err
    assert "DATA_DIR" in error and "cifar-10-batches-py" in error
    assert not (tmp_path / "results").exists()


def test_a_truncated_batch_file(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    data_dir: Path,
) -> None:
    batch = data_dir / data.LAYOUT / "data_batch_3"
    batch.write_bytes(batch.read_bytes()[:1000])
    assert compare(monkeypatch, tmp_path, data_dir) == 2
    error = capsys.readouterr().err
    assert "data_batch_3" in error and "replace the file" in error and error.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "kind", ["pixels: channels last", "pixels: 0 to 1", "pixels: wide", "labels: fractional"]
)
def test_a_batch_of_another_layout_trains_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    data_dir: Path,
    kind: str,
) -> None:
    path = batches.change(data_dir, "data_batch_1", batches.REFUSED[kind][0])
    assert compare(monkeypatch, tmp_path, data_dir) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {path}: ") and shown.err.count("\n") == 1
    assert shown.out == ""
    assert not (tmp_path / "results").exists()


def test_other_images_than_the_profiles_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_small_data(data.cache_folder() / "mnist5k")
    assert compare(monkeypatch, tmp_path, data_dir="") == 2
    shown = capsys.readouterr()
    assert "data_batch_1: not mnist5k: SHA-256" in shown.err and shown.err.count("\n") == 1
    assert shown.out == ""
    assert not (tmp_path / "results").exists()


def test_an_unwritable_results_folder(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    data_dir: Path,
) -> None:
    (tmp_path / "a file").write_text("mine")
    assert compare(monkeypatch, tmp_path, data_dir, results=tmp_path / "a file") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "a file").read_text() == "mine"


@pytest.mark.parametrize(("version", "remedy"), [(99, "update"), (0, "new folder")])
def test_results_of_another_schema_are_refused_and_kept(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    data_dir: Path,
    version: int,
    remedy: str,
) -> None:
    assert compare(monkeypatch, tmp_path, data_dir) == 0
    manifest = tmp_path / "results/quick/runs/40-seed0-fake/manifest.json"
    content = json.loads(manifest.read_text()) | {"schema_version": version}
    manifest.write_text(json.dumps(content))
    before = {path: path.read_bytes() for path in manifest.parent.rglob("*.json*")}
    capsys.readouterr()
    assert compare(monkeypatch, tmp_path, data_dir, seeds="1") == 2
    error = capsys.readouterr().err
    assert f"schema {version}" in error and remedy in error and error.count("\n") == 1
    assert before == {path: path.read_bytes() for path in manifest.parent.rglob("*.json*")}
    assert not (tmp_path / "results/quick/runs/40-seed1-fake").exists()


def test_an_unknown_option_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "compare", "--label", "40") == 2
    error = capsys.readouterr().err
    assert "--label" in error and error.count("\n") == 1


def test_read_prints_points_as_csv(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = REPOSITORY / "tests/logs/torchssl-60-run0.txt"
    assert call(monkeypatch, "read", "torchssl", log) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("iteration,top1,top5")
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "21", "41", "60"]


def test_read_refuses_an_unknown_format_and_a_missing_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(monkeypatch, "read", "wandb", tmp_path / "log") == 2
    assert "own, " in capsys.readouterr().err or "torchssl" in capsys.readouterr().err
    assert call(monkeypatch, "read", "own", tmp_path / "no log") == 2
    assert "no log" in capsys.readouterr().err


def test_table_of_an_empty_folder_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(monkeypatch, "table", "--profile", "quick", "--results", tmp_path) == 2
    assert "make compare" in capsys.readouterr().err


def results(tmp_path: Path) -> Path:
    """Results of two made-up runs, written out."""
    folder = made.results(tmp_path / "results" / "quick", judged=False)
    table.write(folder, profile.load("quick"))
    return folder


def test_verify_says_that_it_holds_and_what_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = results(tmp_path)
    options = ("verify", "--profile", "quick", "--results", folder.parent)
    assert call(monkeypatch, *options) == 0
    assert "every output is what runs/ give" in capsys.readouterr().out
    path = folder / "table.md"
    path.write_text(path.read_text().replace("71.60", "71.61", 1))
    assert call(monkeypatch, *options) == 1
    error = capsys.readouterr().err
    assert "table.md:7: has " in error and "71.61" in error and error.count("\n") == 1


@pytest.mark.parametrize("format", ["terminal", "markdown", "json"])
def test_diff_in_every_format(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, format: str
) -> None:
    folder = results(tmp_path)
    saved = tmp_path / "base.csv"
    saved.write_bytes((folder / "table.csv").read_bytes())
    options = ("diff", "--profile", "quick", "--results", folder.parent, "--base", saved)
    assert call(monkeypatch, *options, "--format", format) == 0
    out = capsys.readouterr().out
    assert "torchssl" in out and "same" in out
    if format == "json":
        assert json.loads(out)["holds"] is True


def test_diff_fails_and_an_accepted_change_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = results(tmp_path)
    saved = tmp_path / "base.csv"
    saved.write_text((folder / "table.csv").read_text().replace(",71.60,71.60,", ",99.60,99.60,"))
    options = ("diff", "--profile", "quick", "--results", folder.parent, "--base", saved)
    assert call(monkeypatch, *options) == 1
    assert capsys.readouterr().err == "error: 40 labels own: moved\n"
    assert call(monkeypatch, *options, "--accept", "an intended change") == 0
    assert call(monkeypatch, *options) == 0
    assert "accepted: an intended change" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("diff", "--base", "main"), ["no runs in it", "make compare"]),
        (("diff", "--base", "main", "--format", "html"), ["FORMAT html", "markdown"]),
        (("verify",), ["no runs in it", "make compare"]),
        (("report",), ["no runs in it", "make compare"]),
        (("accuracy-check",), ["no runs in it", "make compare"]),
        (("accuracy-check", "--labels", "x"), ["LABELS x"]),
        (("table", "--selection", "luckiest"), ["SELECTION luckiest", "best, last"]),
        (("table", "--selection", "best"), ["no runs in it"]),
    ],
)
def test_bad_input_of_the_checks(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    words: list[str],
) -> None:
    options = ("--profile", "quick", "--results", tmp_path)
    assert call(monkeypatch, *arguments, *options) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for word in words:
        assert word in error


def test_a_table_under_another_rule_is_shown_and_not_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = results(tmp_path)
    before = (folder / "table.md").read_bytes()
    options = ("table", "--profile", "quick", "--results", folder.parent, "--selection", "best")
    assert call(monkeypatch, *options) == 0
    assert "chosen on the test set from 12 evaluations" in capsys.readouterr().out
    assert (folder / "table.md").read_bytes() == before


def test_report_writes_the_page_and_says_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = results(tmp_path)
    (folder / "report.html").unlink()
    options = ("report", "--profile", "quick", "--results", folder.parent)
    assert call(monkeypatch, *options) == 0
    assert str(folder / "report.html") in capsys.readouterr().out
    assert (folder / "report.html").exists()


def test_help_teaches(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "compare", "--help") == 0
    text = capsys.readouterr().out
    for word in ("--labels", "--seeds", "Example", "quick"):
        assert word in text


def test_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "compare", "--labels", "41", "--profile", "quick"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: LABELS 41") and done.stderr.count("\n") == 1
