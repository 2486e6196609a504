"""The files of a study beside `runs/`: pure functions of `runs/` and `configs/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis import frames
from harness.analysis.study import Findings
from harness.report import outputs, table
from harness.report.figures import curves
from harness.report.study import page
from harness.runs.files import write_bytes
from harness.runs.manifest import Status

README, TABLE, POINTS, SUMS = "README.md", "table.csv", "points.csv", outputs.SUMS
FIGURES = tuple(f"{page.FIGURE}.{kind}" for kind in ("svg", "png"))
NAMES = (README, *FIGURES, TABLE, POINTS, SUMS)


def place(results: Path, name: str) -> Path:
    """The folder of a study."""
    return results / "studies" / name


def write(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write all of them into `folder`."""
    for name in NAMES:
        write_bytes(folder / name, content[name])


def build(found: Findings) -> dict[str, bytes]:
    """Name -> content."""
    study = found.study
    points = _points(found)
    done = points[points["status"] == Status.DONE.value]
    drawn = curves.accuracy_vs_epoch(
        done.assign(implementation=done["variant"]),
        {name: name for name in study.variants},
        _caption(found),
    )
    return {
        SUMS: found.sums.encode(),
        TABLE: table.to_csv(_runs(found)).encode(),
        POINTS: table.to_csv(points).encode(),
        README: page.render(found).encode(),
        **{name: curves.render(drawn, name.rpartition(".")[2]) for name in FIGURES},
    }


def _points(found: Findings) -> pd.DataFrame:
    runs_ = found.every_run
    return _named(frames.points_frame(runs_), found, [len(run.points) for run in runs_])


def _runs(found: Findings) -> pd.DataFrame:
    runs_ = found.every_run
    return _named(frames.runs_frame(runs_), found, [1] * len(runs_))


def _named(frame: pd.DataFrame, found: Findings, rows: Sequence[int]) -> pd.DataFrame:
    """With the name of each run's variant in front; a run has so many `rows`."""
    names = [name for name, several in found.runs.items() for _ in several]
    frame.insert(0, "variant", np.repeat(np.array(names, dtype=object), np.array(rows, dtype=int)))
    return frame


def _caption(found: Findings) -> str:
    data = ", ".join(sorted({str(run.manifest.settings["data"]) for run in found.every_run}))
    network = f"WRN-{found.profile.depth}-{found.profile.widen_factor}"
    return f"study {found.study.name}: {data or found.profile.data}, {network}, test set"
