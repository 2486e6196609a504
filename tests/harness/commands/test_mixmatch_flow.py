"""Both algorithms of both sides in one comparison, for real: four rows on equal terms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.commands import verify
from harness.experiment import algorithms, profile
from harness.implementations import registry
from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.torchssl,
    pytest.mark.skipif(
        not (REPOSITORY / "third_party" / "torchssl" / "mixmatch.py").exists(),
        reason="the submodule TorchSSL could not be had",
    ),
]
MIXMATCH = ["own-mixmatch", "torchssl-mixmatch"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One comparison of 12 iterations of the quick profile, on mnist5k."""
    place = tmp_path_factory.mktemp("both algorithms")
    command = [sys.executable, "-m", "harness", "compare", "--profile", "quick", "--labels", "40"]
    command += ["--algorithms", "fixmatch,mixmatch", "--iterations", "12", "--results", str(place)]
    environment = {k: v for k, v in os.environ.items() if k != "TORCHSSL_DIR"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "quick"


def manifest(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"runs/40-seed0-{name}/manifest.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_four_rows_are_done_from_the_same_start(folder: Path) -> None:
    table = pd.read_csv(folder / "table.csv")
    assert table["implementation"].tolist() == ["own", MIXMATCH[0], "torchssl", MIXMATCH[1]]
    assert set(table["status"]) == {"done"} and set(table["iterations"]) == {12}
    for column in ("data_sha256", "split_sha256", "initial_weights_sha256"):
        assert table[column].nunique() == 1 and table[column].str.len().eq(64).all()


def test_the_judge_agrees_with_every_side(folder: Path) -> None:
    table = pd.read_csv(folder / "table.csv")
    assert (table["judged_top1"] - table["last_top1"]).abs().max() < 0.01


def test_both_sides_evaluate_after_the_same_updates(folder: Path) -> None:
    points = pd.read_csv(folder / "points.csv")
    ours, theirs = (points[points["implementation"] == name] for name in MIXMATCH)
    assert ours["iteration"].tolist() == theirs["iteration"].tolist()
    assert ours["iteration"].tolist() == profile.load("quick", 12).evaluated_after()
    assert set(ours["mask"]) == {1.0} and theirs["mask"].isna().all()
    assert theirs["loss_u"].notna().sum() == len(theirs) - 1  # all but the last are logged


def test_every_setting_is_resolved_by_both_sides_and_equal(folder: Path) -> None:
    ours, theirs = (
        registry.create(name).settings(folder / f"runs/40-seed0-{name}/attempt-1")
        for name in MIXMATCH
    )
    fields = algorithms.MIXMATCH.fields
    assert {field: ours[field].value for field in fields} == {
        field: theirs[field].value for field in fields
    }
    used = {field: theirs[field].value for field in fields}
    assert (used["algorithm"], used["lambda_u"], used["temperature"]) == ("mixmatch", 25.0, 0.5)
    assert (used["weak_views"], used["mixup_coefficient"]) == (2, "per batch")


def test_the_shim_is_named_and_of_mixmatch_alone(folder: Path) -> None:
    assert "saves-early" in manifest(folder, "torchssl-mixmatch")["facts"]["shims"]
    for name in ("own", "own-mixmatch", "torchssl"):
        assert "saves-early" not in manifest(folder, name)["facts"]["shims"]


def test_the_folder_is_a_pure_function_of_its_runs(folder: Path) -> None:
    assert verify.check(folder, profile.load("quick")) == []
