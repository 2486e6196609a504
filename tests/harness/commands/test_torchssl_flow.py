"""The whole flow with the real TorchSSL: `python -m harness compare` trains both, for real.

First FixMatch of both sides, then in a copy of that folder MixMatch too: four rows on equal terms.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.commands import verify
from harness.experiment import algorithms, profile, split
from harness.experiment.data import read_dataset
from harness.experiment.fingerprints import split_sha256
from harness.implementations import registry
from tests.conftest import REPOSITORY

TORCHSSL = REPOSITORY / "third_party" / "torchssl"
MIXMATCH = ["own-mixmatch", "torchssl-mixmatch"]

pytestmark = [
    pytest.mark.torchssl,
    pytest.mark.skipif(
        not (TORCHSSL / "fixmatch.py").exists(), reason="the submodule TorchSSL could not be had"
    ),
]


@pytest.fixture(scope="module")
def compared(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One comparison of 12 iterations of the quick profile, on mnist5k."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    return compare(folder, "fixmatch"), folder / "quick"


@pytest.fixture(scope="module")
def folder(
    compared: tuple[subprocess.CompletedProcess[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Results to which the same comparison of both algorithms has added those of MixMatch."""
    place = tmp_path_factory.mktemp("both algorithms")
    shutil.copytree(compared[1], place / "quick", symlinks=True)
    done = compare(place, "fixmatch,mixmatch")
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "quick"


def compare(folder: Path, algorithms: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "compare", "--profile", "quick", "--labels", "40"]
    command += ["--algorithms", algorithms, "--iterations", "12", "--results", str(folder)]
    environment = {k: v for k, v in os.environ.items() if k != "TORCHSSL_DIR"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)


def test_both_are_done_on_equal_terms(
    compared: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, results = compared
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(results / "table.csv")
    assert table["implementation"].tolist() == ["own", "torchssl"]
    assert table["status"].tolist() == ["done", "done"]
    assert table["iterations"].tolist() == [12, 12]
    for column in ("data_sha256", "split_sha256", "initial_weights_sha256"):
        assert table[column].nunique() == 1 and table[column].str.len().eq(64).all()
    assert table["torchssl_commit"].eq("f26e1d42967cec7f7c8a00c2e7ff9219d8ab7c92").all()


def test_both_evaluate_after_the_same_updates(
    compared: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    points = pd.read_csv(compared[1] / "points.csv")
    own, theirs = (points[points["implementation"] == name] for name in ("own", "torchssl"))
    assert own["iteration"].tolist() == theirs["iteration"].tolist()
    assert own["iteration"].iloc[-1] == 12
    # After one update, with equal weights to start from, both are all but untrained.
    assert abs(own["top1"].iloc[0] - theirs["top1"].iloc[0]) < 5


def test_torchssl_drew_the_split_that_was_computed(
    compared: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    attempt = compared[1] / "runs/40-seed0-torchssl/attempt-1"
    drawn = np.load(attempt / "torchssl/sampled_label_idx.npy")
    expected = split.draw(40, 0, read_dataset(attempt / "data"))
    np.testing.assert_array_equal(drawn, expected)
    manifest = json.loads((attempt.parent / "manifest.json").read_text())
    assert manifest["facts"]["split_sha256"] == split_sha256(expected)


def test_the_shims_are_named(compared: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    import torch

    manifest = json.loads((compared[1] / "runs/40-seed0-torchssl/manifest.json").read_text())
    on_cpu = [] if torch.cuda.is_available() else ["cuda-on-cpu"]
    assert manifest["facts"]["shims"] == [*on_cpu, "data-sums"]


def test_torchssl_is_as_it_was(compared: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    assert compared[0].returncode == 0
    status = ["git", "-C", str(TORCHSSL), "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""


def test_no_path_of_this_machine_is_left_in_what_is_committed(
    compared: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    results = compared[1]
    for path in results.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".jsonl", ".yaml", ".csv", ".md", ".txt"}:
            text = path.read_text()
            assert str(Path.home()) + "/" not in text, path
            assert str(results) not in text, path
            assert str(REPOSITORY) not in text, path


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
