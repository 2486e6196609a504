"""per-class: accuracy of each class on both sides, and the difference; from predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.analysis import statistics
from harness.analysis.results import Key
from harness.report.figures.curves import Style, drawing, finish, heading, styles
from harness.runs.predictions import Predictions

CIFAR10 = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
]  # fmt: skip
Curve = NDArray[np.float64]


def accuracy(predictions: Predictions, classes: int) -> Curve:
    """Percent of each class's test images that are right; nan for a class without any."""
    images = np.bincount(predictions.targets, minlength=classes)
    right = np.bincount(predictions.targets[predictions.correct], minlength=classes)
    accuracies: Curve = np.full(classes, np.nan)
    np.divide(100.0 * right, images, out=accuracies, where=images > 0)
    return accuracies


def draw(
    predictions: Mapping[Key, Predictions],
    titles: dict[str, str],
    caption: str,
    data: str,
    against: Mapping[str, str],
) -> Figure:
    """Final weights of the done runs: accuracies above, differences below.

    `against` names, of each contender that is to be as good as another, that other.
    """
    labels = sorted({key[0] for key in predictions})
    classes = 1 + max(int(found.targets.max()) for found in predictions.values())
    by_key = {key: accuracy(found, classes) for key, found in predictions.items()}
    with drawing():
        figure = Figure(figsize=(1.0 + 3.2 * len(labels), 5.6))
        axes = figure.subplots(
            2, len(labels), squeeze=False, sharex=True, sharey="row", height_ratios=[3, 2]
        )
        for column, count in enumerate(labels):
            above, below = axes[0, column], axes[1, column]
            here = {key[1:]: curve for key, curve in by_key.items() if key[0] == count}
            for place, (name, title, style) in enumerate(styles(titles)):
                _accuracies(above, _seeds(here, name), title, style, place)
                if name in against:
                    label = f"{title} minus {titles[against[name]]}"
                    paired = _paired(here, name, against[name])
                    _differences(below, paired, label, style, place)
            seeds = Counter(name for _, name in here)
            above.set_title(heading(count, seeds.values()), pad=8)
            below.axhline(0, color="0.2", linewidth=0.8)
            _classes(below, classes, data)
        axes[0, 0].set_ylabel("accuracy of the class, %")
        axes[1, 0].set_ylabel("difference, points")
        lowest = min(float(np.nanmin(curve)) for curve in by_key.values())
        axes[0, 0].set_ylim(max(-4, 10 * (lowest // 10) - 4), 104)
        for panel in axes.flat:
            panel.grid(alpha=0.25, linewidth=0.5)
        finish(figure, caption, bottom=1.25 if _named(data, classes) else 0.85)
    return figure


def _seeds(here: Mapping[tuple[int, str], Curve], name: str) -> list[Curve]:
    return [curve for (_, found), curve in sorted(here.items(), key=_by_name) if found == name]


def _paired(here: Mapping[tuple[int, str], Curve], name: str, other: str) -> list[Curve]:
    return [
        curve - here[seed, other]
        for (seed, found), curve in sorted(here.items(), key=_by_name)
        if found == name and (seed, other) in here
    ]


def _by_name(item: tuple[tuple[int, str], Curve]) -> tuple[int, str]:
    return item[0]


def _accuracies(axes: Axes, seeds: Sequence[Curve], title: str, style: Style, place: int) -> None:
    if not seeds:
        return
    at = np.arange(len(seeds[0])) + 0.22 * (place - 0.5)
    if len(seeds) > 1:
        for curve in seeds:
            axes.plot(
                at, curve, linestyle="", marker="_", markersize=4, color=style.color, alpha=0.6
            )
    axes.plot(
        at, np.mean(seeds, axis=0), linestyle="", marker=style.marker, markersize=4.5,
        color=style.color, label=title,
    )  # fmt: skip


def _differences(axes: Axes, seeds: Sequence[Curve], label: str, style: Style, place: int) -> None:
    if not seeds:
        return
    at = np.arange(len(seeds[0])) + 0.22 * place
    means = np.mean(seeds, axis=0)
    axes.bar(at, means, width=0.5, color=style.color, alpha=0.45, label=label)
    if len(seeds) == 1:
        return
    ends = [
        statistics.describe([float(v) for v in values], bounds=(-100.0, 100.0)).interval
        for values in zip(*seeds, strict=True)
    ]
    whiskers = np.abs(np.array(ends, dtype=float).T - means)
    axes.errorbar(
        at,
        means,
        yerr=whiskers,
        linestyle="",
        color="0.2",
        linewidth=0.9,
        capsize=2,
        label="its 95% interval",
    )


def _named(data: str, classes: int) -> bool:
    return data == "cifar10" and classes == len(CIFAR10)


def _classes(axes: Axes, classes: int, data: str) -> None:
    if _named(data, classes):
        axes.set_xticks(range(classes), CIFAR10, rotation=60, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(range(classes), [str(number) for number in range(classes)])
        axes.set_xlabel("class")
