"""Our side in the flow where TorchSSL cannot be had: it runs, and the exit code is 3."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from tests.conftest import REPOSITORY


def test_our_side_is_done_and_torchssl_unavailable(tmp_path: Path, data_dir: Path) -> None:
    command = [sys.executable, "-m", "harness", "compare", "--labels", "40", "--iterations", "3"]
    command += ["--profile", "quick", "--data-dir", str(data_dir), "--results", "results"]
    environment = os.environ | {"TORCHSSL_DIR": "nowhere", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr == "error: not all runs are done: 40-seed0-torchssl unavailable\n"
    assert "set TORCHSSL_DIR to a checkout" in done.stdout
    table = pd.read_csv(tmp_path / "results/quick/table.csv").set_index("implementation")
    assert table.loc["own", "status"] == "done" and table.loc["own", "iterations"] == 3
    assert table.loc["torchssl", "status"] == "unavailable"
    assert (tmp_path / "results/quick/runs/40-seed0-own/attempt-1/final-ema.safetensors").exists()
