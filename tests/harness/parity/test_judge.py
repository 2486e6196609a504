"""Rung 8 where the arithmetic of a run cannot tell some images apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.experiment import profile
from harness.experiment.data import read_dataset
from harness.implementations import registry
from harness.implementations.interface import FINAL_WEIGHTS, Request
from harness.implementations.reported import Resolved
from harness.parity import judge as judging
from harness.parity import terms
from harness.parity.judge import Judged
from harness.runs import folder as runs
from harness.runs.folder import RunsFolder
from harness.runs.manifest import Status, read_manifest, write_manifest
from tests.helpers import made


def test_images_closer_than_the_noise_are_counted() -> None:
    logits = np.array([[0, 1.0, 0.9], [5, 0, 4], [3, 3, 0]], np.float32)
    assert [Judged(logits, noise).close for noise in (0.0, 0.05, 0.2, 2.0)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("images_off", "close", "comparable"),
    [(0, None, True), (1, None, False), (1, 0, False), (1, 1, True), (2, 1, False), (2, 3, True)],
)
def test_as_many_images_as_are_too_close_may_differ(
    tmp_path: Path, images_off: int, close: int | None, comparable: bool
) -> None:
    place = made.run(tmp_path, "own", 40, 0)
    manifest = read_manifest(place)
    assert manifest is not None
    [run] = runs.read(tmp_path / "runs")
    judged = run.points[-1].top1 - 100 * images_off / 500
    change = {"judged_top1": judged, "judged_close": close}
    run = replace(run, manifest=run.manifest.model_copy(update=change))
    [marked] = terms.mark_incomparable([run])
    assert (marked.status is Status.DONE) == comparable, marked.reason
    if close and not comparable:
        assert marked.reason.endswith("(1 of 500 images are too close to be told apart)")


@pytest.mark.parametrize(
    ("recorded", "device", "used"),
    [
        ("tf32", "cuda", "tf32"),
        ("bf16", "cpu", "bf16"),
        ("tf32", "cpu", "fp32"),
        ("amp", "cpu", "fp32"),
    ],
)
def test_a_run_is_judged_in_the_precision_that_it_recorded(
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded: str,
    device: str,
    used: str,
) -> None:
    """Whatever was asked for: so that a difference is the weights', and of nothing else."""
    asked: list[str] = []

    def judged(profile: profile.Profile, *_: Any) -> Judged:
        asked.append(profile.precision)
        logits = np.zeros((50, 10), np.float32)
        logits[:, 3] = 1.0
        logits[:2, 4] = 0.995
        return Judged(logits, 0.01)

    monkeypatch.setattr(judging, "judged", judged)
    side = registry.create("own")
    monkeypatch.setattr(side, "settings", lambda _: {"precision": Resolved(recorded, "log")})
    request = Request(profile.load("quick"), read_dataset(data_dir), 40, 0, device)
    planned = RunsFolder(tmp_path / "runs").planned(side, request)
    made.run(tmp_path, "own", 40, 0, judged=False)
    (planned.folder / "attempt-1" / FINAL_WEIGHTS).touch()
    said: list[str] = []
    judging.judge(planned, said.append)
    assert asked == [used]
    manifest = read_manifest(planned.folder)
    assert manifest is not None
    assert (manifest.judged_top1, manifest.judged_close) == (10.0, 2)
    assert said == [
        f"40-seed0-own: judged 10.00; 2 of 50 test images are too close to be told apart in {used}"
    ]
    write_manifest(planned.folder, manifest)
    judging.judge(planned, said.append)
    assert len(asked) == 1  # once
