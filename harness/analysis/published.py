"""Cited accuracies, each with its selection rule and caveat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.experiment import settings_file
from harness.experiment.settings_file import CONFIGS


class Citation(BaseModel):
    """One source: accuracies and sample deviations in percent, by label count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    short: str
    selection: Literal["best", "last", "mean20", "median20", "unstated"]
    n: int
    accuracy: dict[int, float]
    deviation: dict[int, float]
    caveat: str


class Curve(BaseModel):
    """Accuracies on the way, in percent, as a person took them from a log or a figure.

    `points` are by epochs of `iterations_per_epoch` iterations: {50: 60.0}.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    short: str
    labels: int = Field(gt=0)
    iterations_per_epoch: int = Field(gt=0)
    points: dict[Annotated[int, Field(gt=0)], Annotated[float, Field(ge=0, le=100)]] = Field(
        min_length=1
    )

    def reached(self, iteration: int) -> tuple[int, float] | None:
        """(epoch, accuracy) of the last point at or before `iteration`; None: before the first."""
        there = [epoch for epoch in self.points if epoch * self.iterations_per_epoch <= iteration]
        return (max(there), self.points[max(there)]) if there else None


class Published(BaseModel):
    """All cited rows and curves, and the data set that they are of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    data: str
    rows: tuple[Citation, ...]
    curves: tuple[Curve, ...] = ()

    def of(self, data: str, selection: str) -> list[Citation]:
        """Rows that may stand beside results on `data` under `selection`: the same rule only."""
        return [row for row in self.rows if self.data == data and row.selection == selection]

    def reached(self, data: str, labels: int, iteration: int) -> list[str]:
        """What each curve had reached there: `published: 60.00 at epoch 50 (paper)`."""
        if data != self.data:
            return []
        found = [(c, c.reached(iteration)) for c in self.curves if c.labels == labels]
        return [
            f"published: {point[1]:.2f} at epoch {point[0]} ({curve.short})"
            for curve, point in found
            if point is not None
        ]


def load(path: Path = CONFIGS / "published.yaml") -> Published:
    """Read and check the file; BadInput names the key that is wrong."""
    return settings_file.read(path, Published)
