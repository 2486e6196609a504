"""What the runs of several algorithms say of how they learn: a row an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.experiment import algorithms
from harness.implementations.reported import Point
from harness.runs.folder import Run
from harness.runs.manifest import Status

COLUMNS = [
    "labels", "seed", "implementation", "iteration", "top1",
    "images", "share", "guess_entropy", "guess_accuracy",
]  # fmt: skip


def build(runs: Sequence[Run]) -> pd.DataFrame:
    """Of done runs. `images` are the unlabelled images seen, in thousands, with repetitions.

    `share` is that of the unlabelled images which moved weights in the last batch: the mask, and
    all of them where the algorithm has none.
    """
    done = (run for run in runs if run.status is Status.DONE)
    rows = [_row(run, point) for run in done for point in run.points]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(run: Run, point: Point) -> dict[str, Any]:
    manifest, settings = run.manifest, run.manifest.settings
    is_masked = algorithms.of(algorithms.recorded(settings)).is_masked
    return {
        "labels": manifest.labels,
        "seed": manifest.seed,
        "implementation": manifest.implementation,
        "iteration": point.iteration,
        "top1": point.top1,
        "images": point.iteration * settings["batch_size"] * settings["mu"] / 1000,
        "share": point.mask if is_masked else 1.0,
        "guess_entropy": point.guess_entropy,
        "guess_accuracy": point.guess_accuracy,
    }
