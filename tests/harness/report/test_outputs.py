"""What a results folder holds: all files, stable bytes, and nothing stale."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from harness.analysis import results
from harness.commands.results import table
from harness.errors import BadInput
from harness.experiment import profile
from harness.report import outputs
from tests.helpers import made

QUICK = profile.load("quick")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made.results(tmp_path_factory.mktemp("results") / "quick", seeds=(0, 1))
    table.write(folder, QUICK)
    return folder


def test_every_output_is_written(built: Path) -> None:
    for name in outputs.NAMES:
        assert (built / name).stat().st_size > 0, name


def test_the_same_runs_elsewhere_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "runs", tmp_path / "runs")
    again = outputs.build(results.read(tmp_path), QUICK.model_copy(update={"iterations": 20}))
    assert tuple(again) == outputs.NAMES
    for name, content in again.items():
        assert content == (built / name).read_bytes(), name


def test_no_path_and_no_clock_of_this_machine_is_in_them(built: Path) -> None:
    for name in outputs.NAMES:
        content = (built / name).read_bytes()
        assert str(built).encode() not in content, name


def test_sums_are_those_of_the_files(built: Path) -> None:
    lines = (built / outputs.SUMS).read_text().splitlines()
    named = [line.split("  ") for line in lines]
    assert [name for _, name in named][:3] == [
        "runs/40-seed0-own/manifest.json",
        "runs/40-seed0-own/attempt-1/metrics.jsonl",
        "runs/40-seed0-own/predictions.csv",
    ]
    assert len(named) == 4 * 3
    for digest, name in named:
        assert hashlib.sha256((built / name).read_bytes()).hexdigest() == digest


def test_a_figure_that_is_given_no_more_is_removed(tmp_path: Path) -> None:
    made.results(tmp_path, judged=False)
    (tmp_path / "per-class.svg").write_text("of predictions that are gone")
    (tmp_path / "notes.txt").write_text("mine")
    table.write(tmp_path, QUICK)
    assert not (tmp_path / "per-class.svg").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_another_rule_is_shown_and_nothing_written(built: Path) -> None:
    before = {path: path.read_bytes() for path in built.iterdir() if path.is_file()}
    found = outputs.compare(results.read(built), QUICK, "best")
    assert found.rule == "best" and found.cell("own", 40).sample is not None
    assert before == {path: path.read_bytes() for path in built.iterdir() if path.is_file()}


def test_a_damaged_ladder_is_named(tmp_path: Path) -> None:
    made.results(tmp_path, judged=False)
    (tmp_path / "parity.json").write_text('{"schema": 9}')
    with pytest.raises(BadInput, match=r"parity\.json: .*run 'make parity' again"):
        outputs.build(results.read(tmp_path), QUICK)
