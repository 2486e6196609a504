"""make study of claims: what it writes, what it lacks, verify, and what publishing leaves."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands import publish, verify
from harness.commands.cli import verbs
from harness.commands.console.terminal import Terminal
from harness.commands.results import claims as claims_command
from harness.commands.results import table
from harness.errors import BadInput, CheckFailed
from harness.experiment import claims as definition
from harness.experiment import profile
from tests.helpers import weighed

QUICK = profile.load("quick")
AGAIN = 'make compare ALGORITHMS="fixmatch mixmatch" IMPLEMENTATIONS="own torchssl" '


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All runs of one label count; nothing is drawn."""
    weighed.draw_nothing(monkeypatch)
    weighed.define(monkeypatch, tmp_path / "configs", labels=[40])
    return weighed.make(tmp_path / "results", labels=[40])


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["harness", *map(str, words)])
    return verbs.main()


def study(monkeypatch: pytest.MonkeyPatch, results: Path, *words: object) -> int:
    return call(monkeypatch, "study", "--name", "trial", "--results", results, *words)


def page(results: Path) -> Path:
    return results / "studies" / "trial" / "README.md"


def test_a_whole_comparison_is_weighed(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (results / "quick").rglob("*")}
    assert study(monkeypatch, results) == 0
    said = capsys.readouterr().out
    assert "Of 8 claims: 2 true, 4 false, 2 not shown." in said
    assert "    false  MixMatch processes all unlabelled images in every iteration.\n" in said
    assert f"  {page(results)}\n" in said and "make compare" not in said
    assert {path: path.stat().st_mtime_ns for path in (results / "quick").rglob("*")} == before


def test_a_missing_seed_is_told_and_done_without(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(results / "quick" / "runs" / "40-seed4-own")
    assert study(monkeypatch, results) == 0
    said = capsys.readouterr().out
    assert "  own at 40 labels: seed 4 missing\n" in said
    again = AGAIN + f'LABELS="40" SEEDS="4" PROFILE=quick RESULTS={results}'
    assert f"'{again}' makes them" in said


def test_a_cell_without_a_run_is_incomplete_after_all_is_written(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (results / "quick" / "runs").glob("*-own-mixmatch"):
        shutil.rmtree(place)
    assert study(monkeypatch, results) == 3
    error = capsys.readouterr().err
    assert error.startswith("error: no run that counts of own-mixmatch at 40 labels; '" + AGAIN)
    assert 'SEEDS="0 3 4"' in error and error.count("\n") == 1
    assert "no run" in page(results).read_text("utf-8")


def test_no_comparison_at_all(
    tmp_path: Path,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert study(monkeypatch, tmp_path / "none") == 2
    error = capsys.readouterr().err
    assert f"RESULTS {tmp_path / 'none' / 'quick'}: no runs in it; '{AGAIN}" in error
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [("labels", "LABELS 1"), ("seeds", "SEEDS 1"), ("iterations", "ITERATIONS 1")],
)
def test_what_is_not_trained_cannot_be_asked_for(
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    said: str,
) -> None:
    assert study(monkeypatch, results, f"--{option}", 1) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}: trial trains nothing and takes the runs that are")
    assert not page(results).exists()


def test_the_list_has_them(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "study") == 0
    assert "4 x 3, of make compare" in capsys.readouterr().out
    assert call(monkeypatch, "study", "--name", "vat") == 2
    assert "NAME vat: unknown; use batch-size, " in capsys.readouterr().err
    assert call(monkeypatch, "status", "--study", "trial") == 2
    assert "STUDY trial: trains nothing; 'make status PROFILE=quick'" in capsys.readouterr().err


def test_verify_of_the_page(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("verify", "--study", "trial", "--results", results)
    assert call(monkeypatch, *words) == 2
    assert "no page of these claims; 'make study NAME=trial' writes it" in capsys.readouterr().err
    study(monkeypatch, results)
    assert call(monkeypatch, *words) == 0
    page(results).write_text(page(results).read_text("utf-8").replace("false", "true", 1))
    assert call(monkeypatch, *words) == 1
    assert f"{page(results)}:5: has " in capsys.readouterr().err


def test_verify_names_a_log_that_was_altered(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(monkeypatch, results)
    weighed.edit(results / "quick" / "runs" / "40-seed3-own", 2, top5=98.0)
    altered = r"quick/runs/40-seed3-own/attempt-1/metrics\.jsonl: altered since"
    claims = definition.load("trial")
    with pytest.raises(CheckFailed, match=altered):
        verify.require(
            sorted(verify.check_claims(results, claims), key=lambda t: "altered" not in t)
        )


def test_verify_of_the_comparison_has_the_pages_that_are_made_from_it(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write(results / "quick", QUICK)
    words = ("verify", "--profile", "quick", "--results", results)
    assert call(monkeypatch, *words) == 0  # without a page there is nothing to verify
    study(monkeypatch, results)
    assert call(monkeypatch, *words) == 0
    (page(results).parent / "numbers.csv").write_text("claim\n")
    assert call(monkeypatch, *words) == 1
    assert f"{page(results).parent / 'numbers.csv'}:1: has " in capsys.readouterr().err


def publication(results: Path, target: Path) -> str:
    out = io.StringIO()
    asked = publish.Publication("quick", results, target, "seeds")
    publish.publish(asked, Terminal(Console(file=out, soft_wrap=True)))
    return out.getvalue()


def test_publishing_the_comparison_writes_the_page_again(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "commit_here", lambda: "3" * 40)
    target, claims = tmp_path / "published", definition.load("trial")
    aside = tmp_path / "aside"
    shutil.move(results / "quick" / "runs" / "40-seed4-own", aside)
    table.write(results / "quick", QUICK)
    said = publication(results, target)
    assert f"{target / 'studies' / 'trial'}: written again. Of 8 claims: 2 true" in said
    assert verify.check_with_claims(target, QUICK) == []
    assert "seed 4 missing" in page(target).read_text("utf-8")
    assert not page(results).exists()

    shutil.move(aside, results / "quick" / "runs" / "40-seed4-own")
    table.write(results / "quick", QUICK)
    publication(results, target)
    assert verify.check_with_claims(target, QUICK) == []
    assert "seed 4 missing" not in page(target).read_text("utf-8")
    assert claims_command.is_there(target, claims)


def test_publishing_what_has_no_other_algorithm_makes_no_page(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "commit_here", lambda: "3" * 40)
    for place in (results / "quick" / "runs").glob("*-mixmatch"):
        shutil.rmtree(place)
    table.write(results / "quick", QUICK)
    assert "trial" not in publication(results, tmp_path / "published")
    assert not page(tmp_path / "published").exists()
    with pytest.raises(BadInput, match="no page of these claims"):
        verify.check_claims(tmp_path / "published", definition.load("trial"))
