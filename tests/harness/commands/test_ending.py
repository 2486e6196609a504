"""The end of a comparison on the terminal: one screen, and the command that comes next."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.analysis import comparison
from harness.experiment import contender
from harness.experiment.contender import Contender
from harness.implementations import registry
from harness.report.figures import curves as figure
from tests.faults.comparison import Comparison

COLUMNS, LINES = 80, 24


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Two stand-ins, one the other's reference; nothing is drawn: that takes most of the time."""
    monkeypatch.setattr(figure, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setattr(contender, "reference", lambda: "fake")
    other = Contender(name="other_fake", title="Other", implementation="fake")
    monkeypatch.setitem(registry._FURTHER, "other_fake", other)
    return Comparison(tmp_path / "results", data_dir, implementations=["fake", "other_fake"])


def end(text: str) -> list[str]:
    """The lines of the last screen."""
    return text[text.index("quick on ") :].splitlines()


def test_it_is_one_screen_with_the_verdict_the_report_and_what_comes_next(
    case: Comparison,
) -> None:
    shown = end(case.run(labels=[40, 80, 120], seeds=[0, 1]))
    assert "40 labels: equivalent: other_fake - fake +0.00" in "\n".join(shown)
    assert len(shown) < LINES
    assert shown[0].startswith("quick on") and "top-1 accuracy" in shown[0]
    assert shown[1].split() == ["labelled", "40", "80", "120"]
    assert shown[2].split()[0] == "fake"
    assert shown[-2].startswith("Report  ") and "report.html" in shown[-2]
    assert shown[-1].startswith("Next    make ")
    assert all(len(line) <= COLUMNS for line in shown[:-2])


def test_it_says_how_the_accuracies_stand_to_what_is_published(
    case: Comparison, tmp_path: Path
) -> None:
    published = tmp_path / "published"
    assert f"Nothing of this is published in {published / 'quick'}" in " ".join(
        case.run(published=published).split()
    )
    shutil.copytree(case.folder, published / "quick")
    text = case.run(published=published)
    assert f"Against {published / 'quick'}, by seed:" in " ".join(text.split())
    assert "fake        40: the same" in text
    table = published / "quick" / "table.csv"
    table.write_text(table.read_text().replace("50.00,", "41.00,"))
    assert "40: 50.00, was 41.00, moved" in case.run(published=published)
    text = case.run(published=published, labels=[40, 80])
    assert "80: not published" in text


def test_where_no_verdict_can_be_given_no_more_seeds_are_asked_for(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_near_chance", lambda *_cells: True)
    assert "more seeds" not in end(case.run())[-1]


def test_a_seed_that_was_not_asked_for_is_not_missed(case: Comparison, tmp_path: Path) -> None:
    case.run(seeds=[0, 1])
    published = tmp_path / "published"
    shutil.move(case.folder, published / "quick")
    assert "fake        40: the same" in case.run(published=published)


def test_a_run_that_failed_says_why_and_the_same_command_goes_on(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "crash")
    shown = "\n".join(end(case.run()))
    assert "40-seed0-fake failed: " in shown
    assert "Next    make compare LABELS=40 " in shown and "goes on with what is not done" in shown
