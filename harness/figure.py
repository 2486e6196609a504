"""accuracy-vs-epoch: a panel for each label count, seeds thin, their mean thick; byte-stable."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import cycle
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.published import Row


# Okabe and Ito's colours: told apart with any colour vision, and by dash and marker in grey.
class Style(NamedTuple):
    """How an implementation is drawn in every figure."""

    color: str
    linestyle: str
    marker: str


STYLES = (
    Style("#0072B2", "-", "o"),
    Style("#D55E00", "--", "s"),
    Style("#009E73", ":", "^"),
    Style("#CC79A7", "-.", "D"),
)
SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "svg.hashsalt": "fixmatch-compare",
    "svg.fonttype": "path",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def accuracy_vs_epoch(
    points: pd.DataFrame, titles: dict[str, str], caption: str, published: Sequence[Row] = ()
) -> Figure:
    """The figure of `table.points_frame`; accuracies in percent over epochs."""
    labels = sorted(points["labels"].unique())
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(1.0 + 3.2 * max(1, len(labels)), 3.8), layout="constrained")
        axes = figure.subplots(1, max(1, len(labels)), squeeze=False)[0]
        for panel, count in zip(axes, labels, strict=False):
            _panel(panel, points[points["labels"] == count], titles)
            panel.set_title(f"{count} labelled images")
            for row in published:
                if count in row.accuracy:
                    _reference(panel, row.accuracy[count], row.short)
        axes[0].set_ylabel("top-1 accuracy, %")
        handles = {
            text: handle
            for panel in axes
            for handle, text in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center",
            ncols=len(axes), frameon=False,
        )  # fmt: skip
        figure.suptitle(caption, fontsize=9)
    return figure


def render(figure: Figure, kind: str) -> bytes:
    """The figure as `svg` or `png`; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context(SETTINGS):
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def _panel(axes: Axes, points: pd.DataFrame, titles: dict[str, str]) -> None:
    ends: list[tuple[float, float, str]] = []
    for style, (name, title) in zip(cycle(STYLES), sorted(titles.items()), strict=False):
        own = points[points["implementation"] == name]
        if own.empty:
            continue
        curves = own.pivot_table(index="epoch", columns="seed", values="top1")
        seeds = curves.shape[1]
        line: dict[str, Any] = {"color": style.color, "linestyle": style.linestyle}
        if seeds > 1:
            axes.plot(curves.index, curves.to_numpy(), linewidth=0.7, alpha=0.5, **line)
        mean = curves.dropna().mean(axis=1)
        if mean.empty:  # no epoch at which every seed was evaluated
            continue
        label = f"{title}, mean of {seeds} seeds" if seeds > 1 else f"{title}, 1 seed"
        axes.plot(
            mean.index, mean.to_numpy(), linewidth=1.8, marker=style.marker, markersize=3.5,
            markevery=[-1], label=label, **line,
        )  # fmt: skip
        ends.append((float(mean.iloc[-1]), float(mean.index[-1]), style.color))
    for rank, (accuracy, epoch, color) in enumerate(sorted(ends)):
        # Below the line for the lowest, above it for the others: close ends stay readable.
        axes.annotate(
            f"{accuracy:.1f}", (epoch, accuracy), textcoords="offset points",
            xytext=(0, 5 + 9 * (rank - 1) if rank else -12), ha="right", color=color, fontsize=8,
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.25, linewidth=0.5)


def _reference(axes: Axes, accuracy: float, text: str) -> None:
    axes.axhline(accuracy, color="0.45", linewidth=0.8, linestyle=":")
    axes.annotate(
        f"{text} {accuracy:.2f}", (0.02, accuracy), xycoords=("axes fraction", "data"),
        textcoords="offset points", xytext=(0, 2), fontsize=6.5, color="0.35",
    )  # fmt: skip
