"""The files of a study beside `runs/`: pure functions of `runs/` and `configs/`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis import study as findings
from harness.analysis.study import Findings
from harness.commands import verify
from harness.errors import CheckFailed, NoRuns
from harness.experiment import study as definition
from harness.experiment.study import Study
from harness.report import outputs, table
from harness.report.figures import curves as figure
from harness.report.study import page
from harness.runs import folder as runs
from harness.runs import manifest as records
from harness.runs.folder import Run
from harness.runs.manifest import Status

README, TABLE, POINTS, SUMS = "README.md", "table.csv", "points.csv", outputs.SUMS
FIGURES = tuple(f"{page.FIGURE}.{kind}" for kind in ("svg", "png"))
NAMES = (README, *FIGURES, TABLE, POINTS, SUMS)


def place(results: Path, name: str) -> Path:
    """The folder of a study."""
    return results / "studies" / name


def write(folder: Path, study: Study) -> Findings:
    """Write all of them from the runs in `folder`; returns what those say.

    Raises BadInput for runs that cannot be read.
    """
    found = findings.build(study, findings.load(folder, study))
    for name, content in build(folder, found).items():
        records.write_bytes(folder / name, content)
    return found


def build(folder: Path, found: Findings) -> dict[str, bytes]:
    """Name -> content, of the runs in `folder`; writes nothing."""
    study = found.study
    places = [
        (folder / "runs" / variant / _name(run), run)
        for variant, several in found.runs.items()
        for run in several
    ]
    points = _points(found)
    drawn = figure.accuracy_vs_epoch(
        points[points["status"] == Status.DONE.value].assign(implementation=points["variant"]),
        {name: name for name in study.variants},
        _caption(found),
    )
    return {
        SUMS: outputs.sums(folder, places).encode(),
        TABLE: table.to_csv(_runs(found)).encode(),
        POINTS: table.to_csv(points).encode(),
        README: page.render(found).encode(),
        **{name: figure.render(drawn, name.rpartition(".")[2]) for name in FIGURES},
    }


def require(results: Path, name: str) -> Path:
    """Raise CheckFailed if a file is not what the runs give, to the byte; else the folder."""
    study, folder = definition.load(name), place(results, name)
    if not (folder / "runs").is_dir():
        raise NoRuns(folder, f"make study NAME={name}")
    remedy = f"'make study NAME={name}' writes it"
    found = findings.build(study, findings.load(folder, study))
    if differences := verify.differences(folder, build(folder, found), remedy):
        raise CheckFailed(verify.failure(differences))
    return folder


def _name(run: Run) -> str:
    return runs.folder_name(*run.key, run.manifest.implementation)


def _points(found: Findings) -> pd.DataFrame:
    runs_ = found.every_run
    return _named(table.points_frame(runs_), found, [len(run.points) for run in runs_])


def _runs(found: Findings) -> pd.DataFrame:
    runs_ = found.every_run
    return _named(table.runs_frame(runs_), found, [1] * len(runs_))


def _named(frame: pd.DataFrame, found: Findings, rows: Sequence[int]) -> pd.DataFrame:
    """With the name of each run's variant in front; a run has so many `rows`."""
    names = [name for name, several in found.runs.items() for _ in several]
    frame.insert(0, "variant", np.repeat(np.array(names, dtype=object), np.array(rows, dtype=int)))
    return frame


def _caption(found: Findings) -> str:
    data = ", ".join(sorted({str(run.manifest.settings["data"]) for run in found.every_run}))
    network = f"WRN-{found.profile.depth}-{found.profile.widen_factor}"
    return f"study {found.study.name}: {data or found.profile.data}, {network}, test set"
