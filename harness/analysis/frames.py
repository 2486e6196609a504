"""What the runs say as tables: every evaluation, and a row a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.analysis import selection
from harness.experiment.algorithms import images_an_iteration
from harness.runs.folder import Run
from harness.runs.manifest import Status

TABLE = "table.csv"
SCHEMA = 1  # in the last column of both
POINT_COLUMNS = [
    "labels", "seed", "implementation", "iteration", "epoch", "top1", "top5",
    "eval_loss", "loss", "loss_x", "loss_u", "mask", "seconds",
    "status", "schema",
]  # fmt: skip
# Tables from before these were recorded lack them, and are still read.
LATER_COLUMNS = ("source_sha256", "processor", "threads", "taken_from")
RUN_COLUMNS = [
    "labels", "seed", "implementation", "status", "iterations", "evaluations",
    "best_top1", "last_top1", "mean20_top1", "median20_top1", "judged_top1",
    "wall_seconds", "images_per_second", "device", "precision",
    "data_sha256", "split_sha256", "initial_weights_sha256",
    "own_commit", "torchssl_commit", "torch_version",
    "source_sha256", "processor", "threads", "taken_from",
    "schema",
]  # fmt: skip


def points_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """A row an evaluation of any run; only those of status done may enter a mean or a curve."""
    rows = [
        {
            "labels": run.manifest.labels,
            "seed": run.manifest.seed,
            "implementation": run.manifest.implementation,
            "epoch": point.iteration / run.manifest.settings["iterations_per_epoch"],
            **vars(point),
            "status": run.status.value,
            "schema": SCHEMA,
        }
        for run in runs
        for point in run.points
    ]
    return pd.DataFrame(rows, columns=POINT_COLUMNS)


def runs_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a run, whatever became of it; what is not known is empty."""
    return pd.DataFrame([run_row(run) for run in runs], columns=RUN_COLUMNS)


def run_row(run: Run) -> dict[str, Any]:
    """A run's row of table.csv; what is not known has no key."""
    manifest, settings = run.manifest, run.manifest.settings
    row: dict[str, Any] = {
        "labels": manifest.labels,
        "seed": manifest.seed,
        "implementation": manifest.implementation,
        "status": run.status.value,
        "precision": "" if manifest.imported else settings["precision"],
        "own_commit": manifest.own_commit,
        "torchssl_commit": manifest.torchssl_commit,
        "judged_top1": manifest.judged_top1,
        "source_sha256": manifest.source_sha256 or None,
        "taken_from": manifest.taken.folder if manifest.taken else None,
        "schema": SCHEMA,
    }
    if manifest.facts is not None:
        row |= manifest.facts.model_dump(exclude={"shims"})
    if run.points:
        iterations = run.points[-1].iteration
        images = iterations * images_an_iteration(settings)
        seconds = None if manifest.taken else manifest.wall_seconds  # of another machine
        row |= {
            "iterations": iterations,
            "evaluations": len(run.points),
            "wall_seconds": seconds,
            "images_per_second": images / seconds if seconds else None,
        }
    if run.status in (Status.DONE, Status.INCOMPARABLE):  # others were stopped on their way
        row |= {f"{name}_top1": rule(run.points) for name, rule in selection.RULES.items()}
    return row
