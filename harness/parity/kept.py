"""What the parity ladder and accepted changes left: parity.json and accepted.json."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import BadInput
from harness.runs import manifest as records

LADDER, ACCEPTED = "parity.json", "accepted.json"


class Rung(BaseModel):
    """One rung: whether it holds, what was measured against which tolerance."""

    model_config = ConfigDict(frozen=True)

    number: int
    name: str
    holds: bool | None
    measured: str = ""
    tolerance: str = ""
    first_difference: str = ""


class Ladder(BaseModel):
    """The eight rungs of `parity.json`."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    profile: str
    holds: bool
    rungs: tuple[Rung, ...]


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


def ladder(folder: Path) -> Ladder | None:
    """The ladder of a results folder; None if it was never climbed. Raises BadInput."""
    return _read(folder / LADDER, Ladder, "run 'make parity' again")


def accepted(folder: Path) -> Accepted:
    """The accepted changes of a results folder. Raises BadInput."""
    return _read(folder / ACCEPTED, Accepted, "restore it from git") or Accepted()


def write_accepted(folder: Path, content: Accepted) -> None:
    """Write `accepted.json`, whole."""
    text = content.model_dump_json(indent=1, by_alias=True)
    records.write_text(folder / ACCEPTED, text + "\n")


Model = TypeVar("Model", bound=BaseModel)


def _read(path: Path, model: type[Model], remedy: str) -> Model | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(the file)"
        raise BadInput(f"{path}: {key}: {first['msg']}; {remedy}") from error
