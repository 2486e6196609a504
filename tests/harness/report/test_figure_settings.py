"""Figures are the same bytes whatever the user's matplotlib is set to."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont

from harness.analysis.published import Citation as Row
from harness.commands.results import table as rebuilt
from harness.experiment import profile
from harness.report.figures import per_class
from harness.report.figures.curves import accuracy_vs_epoch, drawing, render
from harness.report.figures.step_drift import LABELS, step_drift
from harness.runs.predictions import Predictions
from tests.conftest import REPOSITORY
from tests.harness.report.test_figure import TITLES, points
from tests.helpers import made

# One setting of each kind that a matplotlibrc, a style or other code may have changed.
SET: dict[str, Any] = {
    "font.family": "serif",
    "font.size": 30,
    "font.sans-serif": ["Nimbus Sans"],
    "mathtext.fontset": "cm",
    "text.usetex": True,
    "text.color": "red",
    "text.parse_math": False,
    "figure.facecolor": "black",
    "figure.dpi": 50,
    "figure.autolayout": True,
    "figure.constrained_layout.use": True,
    "figure.titlesize": 20,
    "xtick.direction": "in",
    "ytick.minor.visible": True,
    "axes.labelsize": 20,
    "axes.titlelocation": "left",
    "axes.prop_cycle": cycler(color=["red"]),
    "axes.grid": True,
    "axes.xmargin": 0.4,
    "axes.autolimit_mode": "round_numbers",
    "axes.formatter.use_locale": True,
    "axes.formatter.useoffset": False,
    "lines.linewidth": 9,
    "lines.antialiased": False,
    "legend.fontsize": 20,
    "grid.color": "green",
    "path.sketch": (1, 100, 2),
    "path.simplify": False,
    "agg.path.chunksize": 100,
    "savefig.bbox": "tight",
    "savefig.dpi": 300,
    "savefig.facecolor": "yellow",
    "savefig.transparent": True,
    "savefig.pad_inches": 2,
    "savefig.format": "pdf",
    "svg.fonttype": "none",
    "svg.hashsalt": "mine",
    "svg.image_inline": False,
    "errorbar.capsize": 9,
    "hatch.linewidth": 9,
    "timezone": "Asia/Tokyo",
    "date.epoch": "0000-12-31T00:00:00",
}


def curves() -> Figure:
    cited = Row(
        source="somebody", short="somebody", selection="last", n=1, deviation={}, caveat="none",
        accuracy={40: 90.0},
    )  # fmt: skip
    return accuracy_vs_epoch(points(), TITLES, "caption", [cited])


def classes() -> Figure:
    targets = np.arange(40) % 10
    judged = {
        (40, seed, name): Predictions(targets, (targets + (targets == seed + at)) % 10)
        for seed in (0, 1)
        for at, name in enumerate(TITLES)
    }
    return per_class.draw(judged, TITLES, "caption", "cifar10", {"own": "torchssl"})


def drift() -> Figure:
    rows = [dict.fromkeys(LABELS, step * 1e-7) | {"step": step} for step in (1, 2, 3)]
    return step_drift(rows, "caption")


FIGURES: tuple[Callable[[], Figure], ...] = (curves, classes, drift)


def drawn() -> list[bytes]:
    return [render(draw(), kind) for draw in FIGURES for kind in ("svg", "png")]


@pytest.fixture(scope="module")
def plain() -> list[bytes]:
    """As they are with matplotlib's own defaults."""
    with mpl.rc_context():
        mpl.rcdefaults()
        return drawn()


@pytest.mark.parametrize("key", SET)
def test_a_setting_changes_no_byte(plain: list[bytes], key: str) -> None:
    with mpl.rc_context({key: SET[key]}):
        assert drawn() == plain
        assert mpl.rcParams[key] == mpl.rcParams.validate[key](SET[key])  # left as it was


def test_a_setting_between_drawing_and_rendering_changes_no_byte(plain: list[bytes]) -> None:
    figures = [draw() for draw in FIGURES]
    with mpl.rc_context(SET):
        assert [render(figure, kind) for figure in figures for kind in ("svg", "png")] == plain


def test_a_style_changes_no_byte(plain: list[bytes]) -> None:
    import matplotlib.style

    for style in ("dark_background", "grayscale", "fivethirtyeight"):
        with matplotlib.style.context(style):
            assert drawn() == plain


@pytest.mark.parametrize("backend", ["svg", "pdf", "cairo", "template"])
def test_a_backend_changes_no_byte(plain: list[bytes], backend: str) -> None:
    before = mpl.rcParams["backend"]
    try:
        mpl.rcParams["backend"] = backend
        assert drawn() == plain
    finally:
        mpl.rcParams["backend"] = before


def test_fonts_are_those_that_ship_with_matplotlib() -> None:
    with mpl.rc_context({"font.family": "serif"}), drawing(), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Path(findfont(FontProperties())).resolve()
        assert found.is_relative_to(Path(mpl.get_data_path()).resolve())


@pytest.mark.parametrize("backend", ["agg", "no-such-backend"])
def test_verify_holds_with_a_matplotlibrc(tmp_path: Path, backend: str) -> None:
    """As a user has it: in a file, and a backend that is not even known."""
    folder = made.results(tmp_path / "quick", seeds=(0, 1))
    rebuilt.write(folder, profile.load("quick"))
    lines = ["savefig.bbox: tight", "font.family: serif", "figure.facecolor: black"]
    (tmp_path / "matplotlibrc").write_text("\n".join([*lines, "xtick.direction: in"]) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "verify", "--profile", "quick", "--results", tmp_path],
        cwd=tmp_path,  # where matplotlib looks first
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "MPLBACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
