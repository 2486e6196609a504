"""A contender: a row of the table. An implementation, an algorithm, and what is changed on purpose.

`configs/contenders/<name>.yaml` defines one; `configs/comparison.yaml` names the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import BadInput
from harness.experiment import settings_file
from harness.experiment.settings_file import CONFIGS

FOLDER = CONFIGS / "contenders"


class Contender(BaseModel):
    """One row: what is trained, and what it is held against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema", default=1)
    name: str  # in folders, files and tables
    title: str
    implementation: str
    algorithm: str = "fixmatch"
    changes: Mapping[str, Any] = {}  # settings in place of the profile's, by `algorithms.FIELDS`
    against: str | None = None  # the contender that it is to be as good as; None: the reference
    # It leaves something out of that contender, to show what that is worth, and is to be as good
    # as nobody. `note` says what a reader must know of it.
    baseline_of: str = ""
    note: str = ""
    style: int | None = Field(None, ge=0)  # of its curves; None: the first that is free

    @property
    def held_against(self) -> str:
        """The contender that it is to be as good as; '' for the reference and for a baseline."""
        if self.baseline_of:
            return ""
        other = reference() if self.against is None else self.against
        return other if other != self.name else ""


class ComparisonFile(BaseModel):
    """`configs/comparison.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    reference: str


def reference() -> str:
    """The contender that others are held against. Raises BadInput for a wrong file."""
    return settings_file.read(CONFIGS / "comparison.yaml", ComparisonFile).reference


def names() -> list[str]:
    """The contenders that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if not _describes(path))


def described() -> list[str]:
    """Further files there: each describes an implementation of another repository."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if _describes(path))


@cache
def _describes(path: Path) -> bool:
    """Whether it says how something is run; a contender names an implementation that is there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(line.startswith("run:") for line in lines)


def load(name: str) -> Contender:
    """The contender of that file. Raises BadInput that names file and key of what is wrong."""
    path: Path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise BadInput(f"{path}: missing; the contenders here are {', '.join(names())}")
    contender = settings_file.read(path, Contender)
    if contender.name != name:
        raise BadInput(f"{path}: name: {contender.name} is not the file's; correct the file")
    return contender
