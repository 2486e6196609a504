"""Somebody else's finished log beside ours: in table and curves, and in no verdict."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis import results
from harness.commands import cli, verify
from harness.experiment import profile
from harness.implementations import registry
from harness.parity import terms
from harness.report import outputs
from harness.report.figures import curves as figure
from tests.faults.comparison import Comparison

LOG = Path(__file__).parents[2] / "logs" / "own-30.jsonl"
QUICK = profile.load("quick")


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """A comparison with one done run; nothing is drawn: that takes most of the time."""
    monkeypatch.setattr(figure, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setattr(registry, "_KEPT", {})
    made = Comparison(tmp_path / "results", data_dir)
    made.run()
    return made


def imports(case: Comparison, monkeypatch: pytest.MonkeyPatch, **options: object) -> int:
    asked = {
        "log": LOG, "format": "own", "as": "theirs", "labels": 40, "seed": 0,
        "profile": "quick", "results": case.results, "data-dir": case.data_dir,
    } | options  # fmt: skip
    words = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["harness", "import", *words])
    return cli.main()


def test_it_has_a_row_and_a_curve_and_no_verdict(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert imports(case, monkeypatch) == 0
    table = case.table().set_index("implementation")
    assert table.loc["theirs", "last_top1"] == 13.4 and table.loc["theirs", "status"] == "done"
    assert pd.isna(table.loc["theirs", "data_sha256"]) and pd.isna(table.loc["theirs", "precision"])
    assert table.loc["fake", "status"] == "done"
    points = pd.read_csv(case.folder / "points.csv")
    assert points[points["implementation"] == "theirs"]["iteration"].tolist() == [10, 20, 30]

    compared = outputs.compare(results.read(case.folder), QUICK)
    assert not any("theirs" in (p.implementation, p.reference) for p in compared.pairings)
    told = (case.folder / "table.md").read_text()
    assert "| theirs (imported) | " + " | ".join(["not shown"] * 9) + " |" in told
    assert "40-seed0-theirs was not trained here: its log own-30.jsonl was imported" in told
    page = (case.folder / "report.html").read_text()
    settings = page[page.index('<section id="settings">') :].split("</section>")[0]
    assert "theirs" not in settings  # nobody knows them
    assert verify.check(case.folder, QUICK) == []


def test_a_comparison_goes_on_beside_it(case: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    assert imports(case, monkeypatch, title="Another's FixMatch") == 0
    text = case.run(seeds=[0, 1])
    assert "\nerror" not in text and "Nothing to do" not in text
    assert "theirs" in text  # in the table of accuracies at its end
    assert "Another's FixMatch" in (case.folder / "table.md").read_text()


def test_a_log_that_a_file_says_how_to_read(
    case: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, spec = tmp_path / "run.csv", tmp_path / "log.yaml"
    log.write_text("step,acc\n10,0.31\n60,0.52\n")
    spec.write_text(
        "log: {reader: csv, file: run.csv, points: {iteration: step, top1: acc}, "
        "scale: {top1: 100}}\n"
    )
    assert imports(case, monkeypatch, log=log, format=spec) == 0
    assert case.table().set_index("implementation").loc["theirs", "last_top1"] == 52.0
    shutil.rmtree(case.folder / "runs" / "40-seed0-theirs")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log": "nowhere.txt"}, "LOG nowhere.txt: no such file"),
        ({"format": "excel"}, "FORMAT excel: unknown; use torchssl, own, progress, or a YAML"),
        ({"format": "nowhere.yaml"}, "FORMAT nowhere.yaml: cannot be read"),
        ({"format": "torchssl"}, "no evaluation of format torchssl in"),
        ({"as": "torchssl"}, "AS torchssl: is a contender here"),
        ({"as": "a/b"}, "AS a/b: must be letters, digits"),
        ({"labels": 45}, "LABELS 45"),
    ],
)
def test_bad_input_writes_nothing(
    case: Comparison,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, object],
    message: str,
) -> None:
    before = sorted(case.folder.rglob("*"))
    assert imports(case, monkeypatch, **options) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(case.folder.rglob("*")) == before


def test_a_described_implementation_keeps_its_name_and_its_runs(
    case: Comparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the imported run, of no source, would make those that were trained stale."""
    assert imports(case, monkeypatch, **{"as": "kekmodel"}) == 2
    assert "AS kekmodel: is a contender here" in capsys.readouterr().err
    run = case.folder / "runs/40-seed0-fake"
    other = run.with_name("40-seed0-gone")
    shutil.copytree(run, other)
    manifest = (other / "manifest.json").read_text()
    (other / "manifest.json").write_text(
        manifest.replace('"implementation": "fake"', '"implementation": "gone"')
    )
    assert imports(case, monkeypatch, **{"as": "gone", "seed": 1}) == 2
    assert "40-seed0-gone was trained here; give AS another name" in capsys.readouterr().err


def test_an_imported_run_is_never_stale(case: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    assert imports(case, monkeypatch) == 0
    runs = results.load_all(case.folder)
    marked = terms.mark_stale(runs, {"theirs": "another", "fake": ""})
    assert {run.name: run.status.value for run in marked} == {
        "40-seed0-fake": "done", "40-seed0-theirs": "done",
    }  # fmt: skip


def test_a_run_that_is_there_is_not_replaced(
    case: Comparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imports(case, monkeypatch) == 0
    registry._KEPT.clear()  # as in a process of its own
    assert imports(case, monkeypatch) == 2
    assert "40-seed0-theirs: is there already" in capsys.readouterr().err
