"""A contender: a row of the table. An implementation, an algorithm, and what is changed on purpose.

`configs/contenders/<name>.yaml` defines one; `configs/comparison.yaml` names the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.errors import BadInput
from harness.experiment import algorithms, settings_file
from harness.experiment.settings_file import CONFIGS

FOLDER = CONFIGS / "contenders"


class Contender(BaseModel):
    """One row: what is trained, and what it is held against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema", default=1)
    name: str  # in folders, files and tables
    title: str
    implementation: str
    algorithm: str = algorithms.DEFAULT
    changes: Mapping[str, Any] = {}  # settings in place of the profile's, by `algorithms.FIELDS`
    against: str | None = None  # the contender that it is to be as good as; None: the reference
    # It leaves something out of that contender, to show what that is worth, and is to be as good
    # as nobody. `note` says what a reader must know of it.
    baseline_of: str = ""
    note: str = ""
    style: int | None = Field(None, ge=0)  # of its curves; None: the first that is free
    unavailable: str = ""  # why it cannot be had wherever it is asked for
    counterpart: str = ""  # the contender that is this one with the default algorithm

    @model_validator(mode="after")
    def _check(self) -> Contender:
        if self.algorithm not in algorithms.names():
            known = ", ".join(algorithms.names())
            raise ValueError(f"algorithm {self.algorithm}: unknown; use {known}")
        for name in self.changes:
            if why := algorithms.why_foreign(name, self.algorithm):
                raise ValueError(f"changes: {why}")
        return self

    @property
    def held_against(self) -> str:
        """The contender that it is to be as good as; '' for the reference and for a baseline."""
        if self.baseline_of:
            return ""
        other = reference_with(self.algorithm) if self.against is None else self.against
        return other if other != self.name else ""

    def under(self, algorithm: str) -> Contender:
        """The contender `<name>-<algorithm>`: the same implementation with another algorithm.

        What a file changes is changed of the algorithm that it names: with another it cannot be had
        but by a file of its own.
        """
        other = algorithms.of(algorithm)
        title = self.title.replace(algorithms.of(self.algorithm).title, other.title)
        name = derived_name(self.name, algorithm)
        lacking = ""
        if self.changes or self.baseline_of:
            lacking = (
                f"what {self.name} changes is of {algorithms.of(self.algorithm).title} alone; "
                f"say what it is with {other.title} in configs/contenders/{name}.yaml"
            )
        return Contender(
            name=name,
            title=title if title != self.title else f"{title}, {other.title}",
            implementation=self.implementation,
            algorithm=algorithm,
            style=None,
            unavailable=lacking,
            counterpart=self.name,
        )


class ComparisonFile(BaseModel):
    """`configs/comparison.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    reference: str


def reference() -> str:
    """The contender that others are held against. Raises BadInput for a wrong file."""
    return settings_file.read(CONFIGS / "comparison.yaml", ComparisonFile).reference


def reference_with(algorithm: str) -> str:
    """The contender that others of an algorithm are held against: the reference with it."""
    name = reference()
    return name if algorithm == algorithms.DEFAULT else derived_name(name, algorithm)


def derived_name(name: str, algorithm: str) -> str:
    """Of the contender that is `name` with another algorithm than the default."""
    return f"{name}-{algorithm}"


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
