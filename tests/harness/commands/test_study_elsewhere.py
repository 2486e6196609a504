"""A study that holds another machine's runs beside those of this one: REFERENCE."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from harness.commands.console.terminal import Terminal
from harness.commands.study import StudyQuestion as Question
from harness.commands.study import study
from harness.errors import BadInput
from harness.experiment import study as definition
from harness.report.figures import curves
from harness.runs.attempt import Limits
from harness.runs.execution import processor
from tests.faults.comparison import Comparison
from tests.helpers import studied

VARIANTS = {"one": {"threads": 1}, "two": {"threads": 2}, "another": {"threads": 1}}
NOISE = {
    "seeds": [0, 1], "baseline": "one", "variants": VARIANTS, "elsewhere": "another",
    "scaled_with_batch_size": [],
}  # fmt: skip


class Case:
    """A study of threads, and the results of another machine with a run of seed 0."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.other = Comparison(folder / "other", data_dir, iterations=20)
        self.folder = definition.place(folder / "here", "trial")
        self.question: dict[str, Any] = {
            "name": "trial", "results": folder / "here", "labels": [40], "iterations": 20,
            "data_dir": data_dir, "limits": Limits(retries=0), "implementation": "fake",
        }  # fmt: skip
        self.other.run()
        self.made_with(threads=1, processor="Another CPU")

    def made_with(self, **facts: object) -> None:
        path = self.other.run_folder / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["facts"] |= facts
        path.write_text(json.dumps(manifest))

    def study(self, **options: Any) -> str:
        out = io.StringIO()
        terminal = Terminal(Console(file=out, soft_wrap=True))
        study(Question(**(self.question | options)), terminal)
        return out.getvalue()

    def variants(self) -> list[tuple[str, int]]:
        table = pd.read_csv(self.folder / "table.csv")
        return list(zip(table["variant"], table["seed"], strict=True))


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Nothing is drawn: that takes most of the time."""
    monkeypatch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")
    studied.define(monkeypatch, tmp_path / "configs", **NOISE)
    return Case(tmp_path, data_dir)


def test_its_runs_are_taken_and_not_trained(case: Case) -> None:
    text = case.study(elsewhere=case.other.results)
    assert f"another/40-seed0-fake: taken from {case.other.results}" in text
    assert f"another/40-seed1-fake: not in {case.other.results}: no finished run of it" in text
    assert case.variants() == [("one", 0), ("one", 1), ("two", 0), ("two", 1), ("another", 0)]
    page = (case.folder / "README.md").read_text()
    assert "| 40 | `another` | 50.00 (n=1) | 0: +0.00 |" in page
    assert "| `another` | 1 |" in page and "`Another CPU`" in page
    assert "ITERATIONS=20" in page and 'REFERENCE="<results of another machine>"' in page

    again = case.study()  # what was taken stays
    assert "all 4 runs are done" in again and ("another", 0) in case.variants()


def test_without_it_the_variant_has_no_run(case: Case) -> None:
    text = case.study()
    assert ("another", 0) not in case.variants()
    assert "`another` has no accuracy to compare (no run of it is here)" in text


def test_runs_of_a_processor_like_this_one_show_nothing(case: Case) -> None:
    case.made_with(processor=processor.name())
    with pytest.raises(BadInput, match=r"40-seed0-fake was made on a processor like this one, "):
        case.study(elsewhere=case.other.results)
    assert not list(case.folder.glob("runs/*/*"))


def test_runs_of_other_threads_are_another_variant(case: Case) -> None:
    case.made_with(threads=2)
    with pytest.raises(BadInput, match=r"done with threads = 2, asked for is 1"):
        case.study(elsewhere=case.other.results)


def test_a_study_that_holds_none_takes_none(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studied.define(monkeypatch, tmp_path / "configs", **(NOISE | {"elsewhere": None}))
    with pytest.raises(
        BadInput, match=r"^REFERENCE: study trial takes no runs of another machine; leave it out$"
    ):
        case.study(elsewhere=case.other.results)


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_it_has_the_settings_of_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    studied.define(monkeypatch, tmp_path / "configs", **(NOISE | {"elsewhere": name}))
    with pytest.raises(BadInput, match=f"elsewhere {name}: is no other variant with the baseline"):
        definition.load("trial")
