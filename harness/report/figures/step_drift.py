"""step-drift: how far two equal steps drift apart in float32, on equal batches; byte-stable."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.report.figures.curves import STYLES, drawing

LABELS = {
    "weight": "weights",
    "momentum": "momentum",
    "ema": "moving average",
    "statistic": "batch-norm statistics",
}


def step_drift(drift: Sequence[dict[str, float]], caption: str) -> Figure:
    """Largest difference of each kind of tensor after each step (see `rungs.step`)."""
    with drawing():
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        axes = figure.subplots()
        steps = [row["step"] for row in drift]
        for style, (kind, label) in zip(STYLES, LABELS.items(), strict=True):
            axes.plot(
                steps, [row[kind] for row in drift], label=label, color=style.color,
                linestyle=style.linestyle, marker=style.marker, markersize=3,
            )  # fmt: skip
        axes.set_yscale("symlog", linthresh=1e-8)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("step")
        axes.set_ylabel("largest difference, float32, relative above 1")
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.legend(frameon=False)
        axes.set_title(caption, fontsize=9)
    return figure
