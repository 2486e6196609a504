"""A study's files: golden text, the same bytes each time, and verify."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness.commands import cli, verify
from harness.commands import study as study_command
from harness.errors import BadInput, CheckFailed
from harness.experiment import study as definition
from harness.experiment.study import Study
from harness.report.study import outputs as files
from harness.runs.manifest import Status
from tests.helpers import studied

GOLDEN = Path(__file__).parents[2] / "golden" / "study"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    studied.define(monkeypatch, tmp_path / "configs")
    return definition.load("trial")


@pytest.fixture
def folder(tmp_path: Path, study: Study) -> Path:
    made = studied.make(definition.place(tmp_path / "results", "trial"), study)
    study_command.write(made, study)
    return made


@pytest.mark.parametrize("name", ["README.md", "table.csv", "points.csv"])
def test_golden(folder: Path, name: str) -> None:
    assert (folder / name).read_text("utf-8") == (GOLDEN / name).read_text("utf-8")


def require_study(root: Path) -> None:
    """As `make verify STUDY=trial`."""
    study = definition.load("trial")
    verify.require(verify.check_study(definition.place(root, "trial"), study))


def test_the_same_runs_give_the_same_bytes_wherever_they_lie(
    folder: Path, study: Study, tmp_path: Path
) -> None:
    again = tmp_path / "elsewhere"
    shutil.copytree(folder / "runs", again / "runs")
    study_command.write(again, study)
    assert sorted(path.name for path in again.iterdir()) == sorted([*files.NAMES, "runs"])
    for name in files.NAMES:
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name
    assert (again / "accuracy-vs-epoch.svg").read_bytes().startswith(b"<?xml")
    assert (again / "accuracy-vs-epoch.png").read_bytes().startswith(b"\x89PNG")


def test_a_row_a_run_whatever_became_of_it(folder: Path) -> None:
    table = pd.read_csv(folder / "table.csv")
    assert list(table.columns[:3]) == ["variant", "labels", "seed"]
    assert table.groupby("variant", sort=False)["status"].apply(set).to_dict() == {
        "b08": {"done"}, "b16": {"done"}, "no-ema": {"done"}, "hot": {"failed"},
    }  # fmt: skip
    points = pd.read_csv(folder / "points.csv")
    assert set(points["variant"]) == {"b08", "b16", "no-ema", "hot"}
    assert set(points[points["variant"] == "hot"]["status"]) == {"failed"}


def test_a_shortened_study_says_so_in_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studied.define(monkeypatch, tmp_path / "configs")
    study, folder = definition.load("trial"), tmp_path / "short"
    for variant in definition.variants(study, 40):
        studied.run(folder, variant, 80, 3)
    study_command.write(folder, study)
    command = 'make study NAME=trial LABELS="80" SEEDS="3" ITERATIONS=40\nmake verify STUDY=trial\n'
    assert command in (folder / "README.md").read_text("utf-8")


def test_runs_on_other_data_and_of_another_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studied.define(monkeypatch, tmp_path / "configs", profile="cifar10")
    study, folder = definition.load("trial"), tmp_path / "photographs"
    for variant in definition.variants(study):
        studied.run(folder, variant, 250, 0)
    study_command.write(folder, study)
    text = (folder / "README.md").read_text("utf-8")
    assert 'DATA_DIR="<folder of mnist5k>"' in text
    assert "last evaluation (the profile's rule is the median of the last 20 evaluations;" in text


def test_no_run_yet(tmp_path: Path, study: Study) -> None:
    study_command.write(tmp_path / "empty", study)
    assert "**No run is here" in (tmp_path / "empty" / "README.md").read_text("utf-8")
    assert (tmp_path / "empty" / "table.csv").read_text().startswith("variant,labels,seed")


def test_a_crashed_run_is_told(folder: Path, study: Study) -> None:
    variant = definition.variants(study)[2]
    reason = "exit code 7: a | pipe in what it said"
    studied.run(folder, variant, 250, 2, status=Status.FAILED, reason=reason, failure="crash")
    study_command.write(folder, study)
    text = (folder / "README.md").read_text("utf-8")
    assert r"| `no-ema` | 250 | 2 | failed: exit code 7: a \| pipe in what it said |" in text


def test_a_study_of_which_no_run_counts(
    folder: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variant in definition.variants(study):
        for seed in study.seeds:
            studied.run(folder, variant, 250, seed, status=Status.FAILED, reason="no", failure="x")
    study_command.write(folder, study)
    assert "| `b08` | 250 | 0 | failed: no |" in (folder / "README.md").read_text("utf-8")


def test_verify(folder: Path, tmp_path: Path) -> None:
    require_study(tmp_path / "results")
    readme = folder / "README.md"
    readme.write_text(readme.read_text("utf-8").replace("better", "best"))
    with pytest.raises(CheckFailed, match=r"README\.md:5: has "):
        require_study(tmp_path / "results")
    readme.unlink()
    remedy = r"README\.md: missing; 'make study NAME=trial' writes it"
    with pytest.raises(CheckFailed, match=remedy):
        require_study(tmp_path / "results")


def test_verify_names_a_log_that_was_altered(folder: Path, tmp_path: Path) -> None:
    log = folder / "runs/b16/250-seed1-own/attempt-1/metrics.jsonl"
    log.write_text(log.read_text().replace('"top5": 99.0', '"top5": 98.0', 1))
    with pytest.raises(CheckFailed, match=r"b16/250-seed1-own/attempt-1/metrics\.jsonl: altered"):
        require_study(tmp_path / "results")


def test_verify_of_a_study_that_has_not_been_run(tmp_path: Path, study: Study) -> None:
    with pytest.raises(BadInput, match=r"no runs in it; 'make study NAME=trial' makes some"):
        require_study(tmp_path)


def test_verify_on_the_command_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["harness", "verify", "--study", "trial", "--results", str(tmp_path / "results")]
    monkeypatch.setattr(sys, "argv", words)
    assert cli.main() == 0
    assert "every output is what runs/ give, to the byte" in capsys.readouterr().out
    (folder / "table.csv").write_text("variant\n")
    assert cli.main() == 1
    assert capsys.readouterr().err.startswith(f"error: {folder / 'table.csv'}:1: has 'variant'")
