"""Our FixMatch, killed half way: the rest is as if it had not been."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from harness.implementations.own import Own
from tests.faults.comparison import Comparison, kill, wait_for

COLUMNS = ["iteration", "top1", "top5", "eval_loss", "loss", "loss_x", "loss_u", "mask"]
ATTEMPT = "runs/40-seed0-own/attempt-1"


@pytest.mark.usefixtures("fake")  # so that there is no TorchSSL: each draws its own weights
def test_a_resumed_run_equals_one_that_was_not_stopped(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(Own, "checkpoint_every", 4)
    whole, killed = (
        Comparison(tmp_path / name, data_dir, implementations=["own"], iterations=24)
        for name in ("whole", "killed")
    )
    assert "going on" not in whole.run()

    def kill_it() -> None:
        attempt = killed.folder / ATTEMPT
        wait_for(lambda: attempt.is_dir() and (Own().resumes_at(attempt) or 0) >= 8, 200)
        kill(killed.child(b"own_impl"))

    killer = threading.Thread(target=kill_it)
    killer.start()
    text = killed.run()
    killer.join()

    assert "killed by SIGKILL" in text and "going on from iteration" in text
    points = [pd.read_csv(case.folder / "points.csv")[COLUMNS] for case in (whole, killed)]
    assert points[0]["iteration"].iloc[-1] == 24
    pd.testing.assert_frame_equal(*points, check_exact=True)
    expected, found = (
        load_file(case.folder / ATTEMPT / "final-ema.safetensors") for case in (whole, killed)
    )
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
