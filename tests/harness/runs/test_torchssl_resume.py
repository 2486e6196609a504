"""The real TorchSSL, killed half way, goes on from the kept checkpoint; its curve is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from harness.experiment.profile import load
from harness.implementations import registry
from harness.runs.manifest import read_manifest
from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.torchssl,
    pytest.mark.skipif(
        registry.create("torchssl").unavailable() is not None, reason="TorchSSL could not be had"
    ),
]
ITERATIONS = 24
# A checkpoint after every iteration that may have one, so that the test need not wait a minute.
EAGER = (
    "import sys; from harness.implementations.torchssl.implementation import TorchSSL;"
    "TorchSSL.keep_seconds = 0.0; from harness.commands.cli import main; sys.exit(main())"
)


@pytest.mark.parametrize("name", ["torchssl", "torchssl-mixmatch", "torchssl-flexmatch"])
def test_killed_with_its_harness_it_goes_on_to_a_whole_curve(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if name != "torchssl":  # the first shows which lines are run
        request.getfixturevalue("untraced")
    command = [sys.executable, "-c", EAGER, "compare", "--implementations", name]
    command += ["--profile", "quick", "--iterations", str(ITERATIONS), "--results", str(tmp_path)]
    attempt = tmp_path / f"quick/runs/40-seed0-{name}/attempt-1"
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        while _iteration(attempt) < ITERATIONS // 2 and time.monotonic() < deadline:
            assert process.poll() is None, "it was over before it could be killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    cut = (attempt / "torchssl/log.txt").read_bytes()

    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    log = (attempt / "torchssl/log.txt").read_bytes()
    assert log.startswith(cut) and len(log) > len(cut), "the log of the first start was changed"
    points = pd.read_csv(tmp_path / "quick/points.csv")
    assert points["iteration"].tolist() == load("quick", ITERATIONS).evaluated_after()
    assert points["seconds"].is_monotonic_increasing
    manifest = read_manifest(attempt.parent)
    assert manifest is not None and manifest.facts is not None
    [resumed] = [start for start in manifest.starts if start.resumed_at is not None]
    assert resumed.resumed_at is not None and resumed.resumed_at >= ITERATIONS // 2 - 1
    assert any("order of the data" in lost for lost in resumed.not_restored)
    assert "resume-ends-on-time" in manifest.facts.shims
    final = torch.load(attempt / "torchssl/latest_model.pth", weights_only=True)
    assert final["it"] == ITERATIONS + 1  # TorchSSL counts one on where it saves
    steps = {int(state["last_epoch"]) for state in [final["scheduler"]]}
    assert steps == {ITERATIONS}, "a resumed run made another number of updates"
    assert f"going on from iteration {resumed.resumed_at}" in done.stdout


def _iteration(attempt: Path) -> int:
    progress = registry.create("torchssl").progress(attempt)
    return progress.iteration if progress and (attempt / "kept.pth").exists() else 0
