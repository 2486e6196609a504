"""Figures of curves: a panel for each label count, seeds thin, their mean thick; byte-stable."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, groupby
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.published import Citation


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
# For more contenders than those.
FURTHER_STYLES = (
    Style("#E69F00", "--", "v"),
    Style("#56B4E9", ":", "P"),
    Style("#000000", "-.", "X"),
    Style("#882255", "-", "<"),
    Style("#999933", "--", "h"),
    Style("#777777", ":", "*"),
)
SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "svg.hashsalt": "fixmatch-compare",
    "svg.fonttype": "path",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
ACCURACY, MASK = "top-1 accuracy, %", "mask: share above threshold"
LOSSES = {"loss_x": "labelled loss", "loss_u": "unlabelled loss", "mask": MASK}
BEFORE = " before"  # behind the name of a contender: its runs of the version before
PERCENT = 1.6  # points of a panel's height that one percent of accuracy takes
TEXT = 9.0  # points from one text of an end to the next
SHARE, GUESS_ACCURACY = "share in the loss", "right guesses, %"
TOPS = {ACCURACY: 107, MASK: 1, SHARE: 1, GUESS_ACCURACY: 100}  # 107: room for the highest text
LINE = 0.2  # inches of the legend


@contextmanager
def drawing() -> Iterator[None]:
    """All figures are made and rendered in it: matplotlib's own defaults and SETTINGS.

    What the user's matplotlibrc, a style or other code has set shows in none of their bytes.
    """
    # The backend is no matter: a figure that is saved takes the one of its file's kind.
    defaults = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
    with mpl.rc_context(defaults | SETTINGS):
        yield


def styles(titles: dict[str, str]) -> list[tuple[str, str, Style]]:
    """(name, title, style) of each contender, in this order: the same in every figure.

    Its runs of the version before have its colour, in faint dots.
    """
    now = {name: title for name, title in titles.items() if not name.endswith(BEFORE)}
    given = dict(zip(now, cycle(STYLES + FURTHER_STYLES)))
    before = {
        name: given[name.removesuffix(BEFORE)]._replace(linestyle=":", marker="")
        for name in titles
        if name.endswith(BEFORE)
    }
    given |= before
    return [(name, title, given[name]) for name, title in titles.items()]


def accuracy_vs_epoch(
    points: pd.DataFrame, titles: dict[str, str], caption: str, published: Sequence[Citation] = ()
) -> Figure:
    """Accuracies in percent over epochs, from the rows of done runs of `table.points_frame`."""

    def draw(panel: Axes, here: pd.DataFrame, labels: int) -> None:
        draw_curves(panel, here, titles, "epoch", "top1", "{:.1f}")
        panel.set_xlabel("epoch")
        cited = [row for row in published if labels in row.accuracy]
        _references(panel, [(row.accuracy[labels], row.short) for row in cited])

    return panels(points, caption, {ACCURACY: draw})


def accuracy_vs_time(points: pd.DataFrame, titles: dict[str, str], caption: str) -> Figure:
    """Accuracies in percent over the time that each log gives, in minutes or hours."""
    longest = points["seconds"].max()
    unit, seconds = ("hours", 3600) if longest > 3 * 3600 else ("minutes", 60)
    timed = points.assign(time=points["seconds"].astype(float) / seconds)

    def draw(panel: Axes, here: pd.DataFrame, labels: int) -> None:
        draw_curves(panel, here, titles, "time", "top1", "{:.1f}")
        panel.set_xlabel(f"{unit} since the start")

    return panels(timed, caption, {ACCURACY: draw})


def training(points: pd.DataFrame, titles: dict[str, str], caption: str) -> Figure:
    """Labelled loss, unlabelled loss and mask over epochs, a row each."""

    def drawer(column: str) -> Drawer:
        def draw(panel: Axes, here: pd.DataFrame, labels: int) -> None:
            draw_curves(panel, here, titles, "epoch", column)
            panel.set_xlabel("epoch")

        return draw

    return panels(points, caption, {title: drawer(name) for name, title in LOSSES.items()})


def render(figure: Figure, kind: str) -> bytes:
    """The figure as `svg` or `png`; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with drawing():
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def heading(labels: int, seeds: Iterable[int]) -> str:
    """`40 labelled images, 3 seeds`, or `3 to 4 seeds` where implementations differ."""
    counts = sorted(int(count) for count in seeds)
    if not counts:
        return f"{labels} labelled images"
    many = str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    return f"{labels} labelled images, {many} seed{'s' if counts[-1] > 1 else ''}"


def finish(figure: Figure, caption: str, bottom: float = 0.85) -> None:
    """Caption, one legend below all panels, and margins; `bottom` in inches, for a line of legend.

    The figure grows by the further lines that the legend needs. Margins are fixed: looking for them
    takes as long as all the drawing.
    """
    room = LINE * (_legend(figure) - 1)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height := height + room)
    bottom += room
    figure.suptitle(caption, fontsize=9, y=1 - 0.06 / height, va="top")
    figure.subplots_adjust(
        left=0.72 / width, right=1 - 0.12 / width, bottom=bottom / height, top=1 - 0.58 / height,
        wspace=0.08, hspace=0.12,
    )  # fmt: skip


def _legend(figure: Figure) -> int:
    """Draw it in as many columns as the figure has room for; returns how many lines it has."""
    handles = {
        text: handle
        for panel in figure.axes
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    for columns in range(max(1, len(handles)), 0, -1):
        legend = figure.legend(
            list(handles.values()), list(handles), loc="lower center", ncols=columns, frameon=False
        )
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    return -(-len(handles) // columns) or 1


Drawer = Callable[[Axes, pd.DataFrame, int], None]


def panels(points: pd.DataFrame, caption: str, rows: dict[str, Drawer]) -> Figure:
    """A row of panels for each drawer, a column for each label count."""
    labels = sorted(points["labels"].unique())
    columns = max(1, len(labels))
    with drawing():
        size = (1.0 + 3.2 * columns, 1.4 + 2.4 * len(rows))
        figure = Figure(figsize=size)
        axes = figure.subplots(len(rows), columns, squeeze=False, sharex="col", sharey="row")
        for line, (title, draw) in zip(axes, rows.items(), strict=True):
            for panel, count in zip(line, labels, strict=False):
                draw(panel, points[points["labels"] == count], int(count))
                panel.grid(alpha=0.25, linewidth=0.5)
                panel.label_outer()
            line[0].set_ylabel(title)
            line[0].set_ylim(0, TOPS.get(title))  # shared by the row, whose panels are all drawn
        for panel, count in zip(axes[0], labels, strict=False):
            here = points[points["labels"] == count]
            panel.set_title(
                heading(int(count), here.groupby("implementation")["seed"].nunique()), pad=8
            )
            panel.set_xlim(left=0)
        finish(figure, caption)
    return figure


def draw_curves(
    axes: Axes, points: pd.DataFrame, titles: dict[str, str], x: str, y: str, end: str = ""
) -> None:
    """Thin lines by seed and their thick mean, as far as every seed goes.

    Evaluations of the same iteration are averaged, in y and, where seeds differ there, in x.
    """
    ends: list[tuple[float, float, str]] = []
    for name, title, style in styles(titles):
        here = points[points["implementation"] == name].dropna(subset=[x, y])
        if here.empty:
            continue
        seeds = here["seed"].nunique()
        line: dict[str, Any] = {"color": style.color, "linestyle": style.linestyle}
        if seeds > 1:
            for _, run in here.sort_values(["seed", "iteration"]).groupby("seed"):
                axes.plot(run[x], run[y], linewidth=0.7, alpha=0.5, **line)
        by_iteration = here.sort_values(["iteration", "seed"]).groupby("iteration")
        complete = by_iteration[[x, y]].mean()[by_iteration.size() == seeds]
        if complete.empty:  # nothing at which every seed was evaluated
            continue
        axes.plot(
            complete[x], complete[y], linewidth=1.8, marker=style.marker, markersize=3.5,
            markevery=[-1], label=title, **line,
        )  # fmt: skip
        ends.append((float(complete[y].iloc[-1]), float(complete[x].iloc[-1]), style.color))
    longest = max((at for _, at, _ in ends), default=0) or 1
    apart = len({round(10 * at / longest) for _, at, _ in ends}) > 1
    ends.sort(reverse=True)
    places = _beside([value for value, _, _ in ends])
    for (value, at, color), place in [*zip(ends, places, strict=True)][::-1] if end else ():
        axes.annotate(
            end.format(value), (at, value), textcoords="offset points",
            xytext=(0, 5 if apart else place), ha="right", color=color, fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6},
        )  # fmt: skip


def _beside(values: Sequence[float]) -> list[float]:
    """Points from the end of each curve to its text: `values` are the ends, highest first.

    Above the line for the highest, below it for the others, and no text over another.
    """
    offsets: list[float] = []
    room = float("inf")
    for value in values:
        place = value * PERCENT + (5 if not offsets and len(values) > 1 else -12)
        if len(offsets) > 1:
            place = min(place, room - TEXT)
        offsets.append(round(place - value * PERCENT, 1))
        room = place
    return offsets


def _references(axes: Axes, references: Sequence[tuple[float, str]]) -> None:
    """A dotted line a published accuracy; equal ones share it, close texts keep apart."""
    texts = [
        (accuracy, f"{', '.join(text for _, text in same)} {accuracy:.2f}")
        for accuracy, same in groupby(sorted(references), key=lambda reference: reference[0])
    ]
    below = len(texts) > 1
    for accuracy, text in texts:
        axes.axhline(accuracy, color="0.45", linewidth=0.8, linestyle=":")
        axes.annotate(
            text, (0.02, accuracy), xycoords=("axes fraction", "data"),
            textcoords="offset points", xytext=(0, -8 if below else 2), fontsize=6.5,
            color="0.35",
        )  # fmt: skip
        below = False
