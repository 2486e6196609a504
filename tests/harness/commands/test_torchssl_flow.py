"""The whole flow with the real TorchSSL: `python -m harness compare` trains both, for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.experiment import split
from harness.experiment.data import read_dataset
from harness.experiment.fingerprints import split_sha256
from tests.conftest import REPOSITORY

TORCHSSL = REPOSITORY / "third_party" / "torchssl"

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
    command = [sys.executable, "-m", "harness", "compare", "--profile", "quick"]
    command += ["--labels", "40", "--iterations", "12", "--results", str(folder)]
    environment = {k: v for k, v in os.environ.items() if k != "TORCHSSL_DIR"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    return done, folder / "quick"


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
