"""Two algorithms side by side: accuracy over the images that each has seen, and their guesses."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.report.figures.curves import (
    ACCURACY,
    GUESS_ACCURACY,
    SHARE,
    Drawer,
    draw_curves,
    panels,
)

GUESSES = {
    SHARE: "share",
    "entropy of guesses, nats": "guess_entropy",
    GUESS_ACCURACY: "guess_accuracy",
}


def accuracy_vs_images(points: pd.DataFrame, titles: dict[str, str], caption: str) -> Figure:
    """Accuracies in percent over unlabelled images seen, of the rows of `algorithm_frame`."""

    def draw(panel: Axes, here: pd.DataFrame, labels: int) -> None:
        draw_curves(panel, here, titles, "images", "top1", "{:.1f}")
        panel.set_xlabel("thousand unlabelled images seen")

    return panels(points, caption, {ACCURACY: draw})


def guesses(points: pd.DataFrame, titles: dict[str, str], caption: str) -> Figure:
    """Share, entropy and accuracy of the guessed labels over iterations, a row each."""

    def drawer(column: str) -> Drawer:
        def draw(panel: Axes, here: pd.DataFrame, labels: int) -> None:
            draw_curves(panel, here, titles, "iteration", column)
            panel.set_xlabel("iteration")

        return draw

    return panels(points, caption, {title: drawer(name) for title, name in GUESSES.items()})
