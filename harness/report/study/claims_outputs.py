"""The files of claims: pure functions of a comparison's `runs/`, its benchmark, and `configs/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from harness.analysis import frames
from harness.analysis.algorithms import frame as algorithm_frame
from harness.analysis.claims import answers as claims
from harness.analysis.claims.answers import Weighed
from harness.report import outputs, table
from harness.report.figures import algorithms as figures
from harness.report.figures import curves
from harness.report.study import claims as page
from harness.runs.files import write_bytes

README, NUMBERS, SUMS = "README.md", "numbers.csv", outputs.SUMS
FIGURES = tuple(f"{name}.{kind}" for name in page.FIGURES for kind in ("svg", "png"))
NAMES = (README, *FIGURES, NUMBERS, SUMS)
COLUMNS = [
    "claim", "measure", "labels", "implementation", "seed", "number", "value", "verdict", "schema",
]  # fmt: skip


def write(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write all of them into `folder`."""
    for name in NAMES:
        write_bytes(folder / name, content[name])


def build(weighed: Weighed) -> dict[str, bytes]:
    """Name -> content."""
    compared = weighed.comparison
    points = algorithm_frame.build(weighed.done)
    titles = {name: one.title for name, one in compared.contenders.items()}
    network = f"{compared.data or compared.profile.data}, WRN-{compared.profile.depth}-"
    network += str(compared.profile.widen_factor)
    drawn = {
        "accuracy-vs-images": figures.accuracy_vs_images(
            points, titles, f"{network}: EMA weights on the test set"
        ),
        "guesses": figures.guesses(points, titles, f"{network}: labels of unlabelled images"),
    }
    return {
        SUMS: claims.sums(weighed.results).encode(),
        NUMBERS: table.to_csv(_numbers(weighed)).encode(),
        README: page.render(weighed).encode(),
        **{
            f"{name}.{kind}": curves.render(figure, kind)
            for name, figure in drawn.items()
            for kind in ("svg", "png")
        },
    }


def _numbers(weighed: Weighed) -> pd.DataFrame:
    """A row a number of a seed, with what that seed says by itself."""
    rows = [
        [
            one.claim.id, one.claim.measure, answer.labels, answer.implementation, seed,
            number, f"{value:.6g}", reading.ruling or "", frames.SCHEMA,
        ]
        for one in weighed.judged
        for answer in one.answers
        for seed, reading in answer.readings.items()
        for number, value in reading.numbers.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)
