"""accepted.json: intended changes of reported accuracies, each with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.experiment import settings_file
from harness.runs.files import write_text

FILE = "accepted.json"


class Change(BaseModel):
    """An intended change of a reported accuracy, with where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: int
    implementation: str
    rule: str
    old: float
    new: float
    reason: str
    base: str  # what it was accepted against: a commit, or SHA-256 of a file
    commit: str  # checked out when it was accepted
    date: str


class Accepted(BaseModel):
    """All of `accepted.json`, oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema", default=1)
    changes: tuple[Change, ...] = ()


def read(folder: Path) -> Accepted:
    """The accepted changes of a results folder; none where there is no file. Raises BadInput."""
    return settings_file.read_json(folder / FILE, Accepted, "restore it from git") or Accepted()


def write(folder: Path, content: Accepted) -> None:
    """Write `accepted.json`, whole."""
    text = content.model_dump_json(indent=1, by_alias=True)
    write_text(folder / FILE, text + "\n")
