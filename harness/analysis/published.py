"""Cited accuracies, each with its selection rule and caveat."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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


class Published(BaseModel):
    """All cited rows, and the data set that they are of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    data: str
    rows: tuple[Citation, ...]

    def of(self, data: str, selection: str) -> list[Citation]:
        """Rows that may stand beside results on `data` under `selection`: the same rule only."""
        return [row for row in self.rows if self.data == data and row.selection == selection]


def load(path: Path = CONFIGS / "published.yaml") -> Published:
    """Read and check the file; BadInput names the key that is wrong."""
    return settings_file.read(path, Published)
