"""FlexMatch, which the reference has and ours has not, in one comparison for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.experiment import algorithms, profile
from harness.implementations import registry
from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.torchssl,
    pytest.mark.skipif(
        not (REPOSITORY / "third_party" / "torchssl" / "flexmatch.py").exists(),
        reason="the submodule TorchSSL could not be had",
    ),
]
NAME = "torchssl-flexmatch"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What 12 iterations of the quick profile said and left, on mnist5k."""
    place = tmp_path_factory.mktemp("flexmatch")
    command = [sys.executable, "-m", "harness", "compare", "--profile", "quick", "--labels", "40"]
    command += ["--algorithms", "flexmatch", "--iterations", "12", "--results", str(place)]
    environment = {k: v for k, v in os.environ.items() if k != "TORCHSSL_DIR"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 3, done.stdout + done.stderr
    return done.stderr, place / "quick"


def manifest(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"runs/40-seed0-{name}/manifest.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_the_references_is_done_and_judged_and_ours_is_not_there(
    compared: tuple[str, Path],
) -> None:
    said, folder = compared
    assert said == "error: not all runs are done: 40-seed0-own-flexmatch unavailable\n"
    table = pd.read_csv(folder / "table.csv").set_index("implementation")
    assert table["status"].to_dict() == {"own-flexmatch": "unavailable", NAME: "done"}
    theirs = table.loc[NAME]
    assert theirs["iterations"] == 12
    assert abs(theirs["judged_top1"] - theirs["last_top1"]) < 0.01
    reason = manifest(folder, "own-flexmatch")["reason"]
    assert reason == "own has no FlexMatch; leave it out of ALGORITHMS"


def test_its_whole_log_is_read(compared: tuple[str, Path]) -> None:
    points = pd.read_csv(compared[1] / "points.csv")
    assert points["iteration"].tolist() == profile.load("quick", 12).evaluated_after()
    assert points["mask"].iloc[0] == 1.0  # no class is learnt yet: nothing is below its threshold


def test_it_was_told_what_fixmatch_is_and_needed_no_shim_more(compared: tuple[str, Path]) -> None:
    attempt = compared[1] / f"runs/40-seed0-{NAME}/attempt-1"
    found = {k: v.value for k, v in registry.create(NAME).settings(attempt).items()}
    assert set(found) == set(algorithms.FLEXMATCH.fields)
    used = (found["algorithm"], found["threshold"], found["strong_operations"])
    assert used == ("flexmatch", 0.95, 3)
    assert (found["threshold_warmup"], found["distribution_alignment"]) == (True, False)
    assert manifest(compared[1], NAME)["facts"]["shims"] == ["cuda-on-cpu", "data-sums"]


def test_the_page_sends_nobody_to_a_ladder_that_is_not_there(compared: tuple[str, Path]) -> None:
    page = (compared[1] / "report.html").read_text()
    assert "FlexMatch" in page and "ALGORITHM=flexmatch" not in page
