"""Tables of a comparison: points.csv, table.csv, table.md. Pure functions of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness import selection, statistics
from harness.profile import Profile
from harness.records import Status
from harness.runs import Run

POINT_COLUMNS = [
    "labels", "seed", "implementation", "iteration", "epoch", "top1", "top5",
    "eval_loss", "loss", "loss_x", "loss_u", "mask", "seconds",
]  # fmt: skip
RUN_COLUMNS = [
    "labels", "seed", "implementation", "status", "iterations", "evaluations",
    "best_top1", "last_top1", "mean20_top1", "median20_top1", "judged_top1",
    "wall_seconds", "images_per_second", "device", "precision",
    "data_sha256", "split_sha256", "initial_weights_sha256",
    "own_commit", "torchssl_commit", "torch_version",
]  # fmt: skip


def points_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """A row an evaluation, of the runs that are done."""
    rows = [
        {
            "labels": run.manifest.labels,
            "seed": run.manifest.seed,
            "implementation": run.manifest.implementation,
            "epoch": point.iteration / run.manifest.settings["iterations_per_epoch"],
            **vars(point),
        }
        for run in runs
        if run.status is Status.DONE
        for point in run.points
    ]
    return pd.DataFrame(rows, columns=POINT_COLUMNS)


def runs_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a run, whatever became of it; what is not known is empty."""
    return pd.DataFrame([_run_row(run) for run in runs], columns=RUN_COLUMNS)


def _run_row(run: Run) -> dict[str, Any]:
    manifest, settings = run.manifest, run.manifest.settings
    row: dict[str, Any] = {
        "labels": manifest.labels,
        "seed": manifest.seed,
        "implementation": manifest.implementation,
        "status": run.status.value,
        "precision": settings["precision"],
        "own_commit": manifest.own_commit,
        "torchssl_commit": manifest.torchssl_commit,
        "judged_top1": manifest.judged_top1,
    }
    if manifest.facts is not None:
        row |= manifest.facts.model_dump(exclude={"shims"})
    if run.points:
        iterations = run.points[-1].iteration
        images = iterations * settings["batch_size"] * (1 + settings["mu"])
        seconds = manifest.wall_seconds
        row |= {
            "iterations": iterations,
            "evaluations": len(run.points),
            **{f"{name}_top1": rule(run.points) for name, rule in selection.RULES.items()},
            "wall_seconds": seconds,
            "images_per_second": images / seconds if seconds else None,
        }
    return row


def to_csv(frame: pd.DataFrame) -> str:
    """CSV with numbers at fixed digits, so that equal runs give equal bytes."""
    shown = frame.copy()
    for column in shown.columns:
        if column == "iterations" or column == "evaluations":
            shown[column] = shown[column].astype("Int64")
        elif column.endswith("_per_second") or column.endswith("seconds"):
            shown[column] = shown[column].map(lambda v: f"{v:.1f}", na_action="ignore")
        elif "top" in column:
            shown[column] = shown[column].map(lambda v: f"{v:.2f}", na_action="ignore")
        elif "loss" in column or column in ("mask", "epoch"):
            shown[column] = shown[column].map(lambda v: f"{v:.4f}", na_action="ignore")
    text: str = shown.to_csv(index=False, lineterminator="\n")
    return text


def markdown(runs: Sequence[Run], profile: Profile, titles: dict[str, str], data: str) -> str:
    """Implementations x labels, as in the report, under the profile's one selection rule."""
    rule = profile.selection
    labels = sorted({run.manifest.labels for run in runs})
    lines = [
        f"# {profile.name}: top-1 accuracy on {data}, percent",
        "",
        "| labelled | " + " | ".join(str(n) for n in labels) + " |",
        "| --- |" + " ---: |" * len(labels),
    ]
    for implementation in sorted({run.manifest.implementation for run in runs}):
        cells = [
            cell(
                [
                    r
                    for r in runs
                    if r.manifest.implementation == implementation and r.manifest.labels == n
                ],
                rule,
            )
            for n in labels
        ]
        lines.append(
            f"| {titles.get(implementation, implementation)} | " + " | ".join(cells) + " |"
        )
    lines += [
        "",
        f"Selection: {selection.DESCRIPTIONS[rule]}. ± is the half-width of the 95% interval of "
        "the mean over seeds (Student's t); one seed has none.",
        "",
        "| run | status | iterations | best | last | mean 20 | median 20 | minutes | images/s |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_run_line(run) for run in runs),
        "",
        "Best is chosen on the test set, from all evaluations of the run: it is no estimate of the "
        "accuracy. Runs of one label count and seed had the same images, labelled images and "
        "initial weights by each side's own sums:",
        "",
        "| labelled | seed | images | labelled images | initial weights |",
        "| ---: | ---: | --- | --- | --- |",
        *_sum_lines(runs),
    ]
    return "\n".join(lines) + "\n"


def cell(runs: Sequence[Run], rule: str) -> str:
    """Mean over the seeds that are done, with interval and n; else why there is none."""
    done = [run for run in runs if run.status is Status.DONE]
    values = [v for run in done if (v := selection.RULES[rule](run.points)) is not None]
    lost = [run.status.value for run in runs if run.status is not Status.DONE]
    if not values:
        return ", ".join(sorted(set(lost))) or ("too few evaluations" if done else "missing")
    mean, half = statistics.mean_interval(values)
    text = f"{mean:.2f}" + (f" ± {half:.2f}" if half is not None else "") + f" (n={len(values)})"
    return text + (f", {len(lost)} {'/'.join(sorted(set(lost)))}" if lost else "")


def _run_line(run: Run) -> str:
    row = _run_row(run)

    def number(key: str, form: str, scale: float = 1.0) -> str:
        value = row.get(key)
        return "" if value is None else format(value * scale, form)

    manifest = run.manifest
    name = f"{manifest.labels}-seed{manifest.seed}-{manifest.implementation}"
    status = run.status.value + (f": {run.reason}" if run.reason else "")
    cells = [
        name,
        " ".join(status.split()).replace("|", "\\|"),
        number("iterations", ".0f"),
        *(number(f"{rule}_top1", ".2f") for rule in selection.RULES),
        number("wall_seconds", ".1f", 1 / 60),
        number("images_per_second", ".0f"),
    ]
    return "| " + " | ".join(cells) + " |"


def _sum_lines(runs: Sequence[Run]) -> list[str]:
    lines = {}
    for run in runs:
        facts = run.manifest.facts
        if facts is not None and run.status is Status.DONE:
            sums = (facts.data_sha256, facts.split_sha256, facts.initial_weights_sha256)
            cells = " | ".join(f"`{value[:12]}`" for value in sums)
            lines[run.key] = f"| {run.key[0]} | {run.key[1]} | {cells} |"
    return list(lines.values())
