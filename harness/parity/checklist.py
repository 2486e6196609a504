"""What climbing the ladder found, as parity.json keeps it: eight rungs, each of checks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.experiment import algorithms, settings_file
from harness.runs.files import write_text

FILE = "parity.json"
SCHEMA = 1


class Check(BaseModel):
    """One measured quantity, and what it may be."""

    model_config = ConfigDict(frozen=True)

    quantity: str
    measured: str
    tolerance: str
    holds: bool
    note: str = ""

    def __str__(self) -> str:
        text = f"{self.quantity}: {self.measured}"
        return f"{text} (tolerance: {self.tolerance})" if self.tolerance else text


class Rung(BaseModel):
    """One rung: whether it holds, what was measured against which tolerance.

    `holds` is None where it is not known. `blocked` says why the rung was not climbed, or not to
    its end. `first_difference` is the first quantity that differs, '' where none does.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    name: str
    holds: bool | None
    measured: str = ""
    tolerance: str = ""
    first_difference: str = ""
    checks: tuple[Check, ...] = ()
    blocked: str = ""

    @property
    def broken(self) -> bool:
        """Whether a difference was found."""
        return not all(check.holds for check in self.checks)


class Ladder(BaseModel):
    """The eight rungs of `parity.json`."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    profile: str
    holds: bool
    rungs: tuple[Rung, ...]
    sources: Mapping[str, str] = {}  # contender -> sum of the code that climbed it


def check(quantity: str, measured: str, tolerance: str, holds: bool, note: str = "") -> Check:
    """One measured quantity, and what it may be."""
    return Check(quantity=quantity, measured=measured, tolerance=tolerance, holds=holds, note=note)


def rung(number: int, name: str, checks: Sequence[Check], blocked: str = "") -> Rung:
    """A rung that holds if each of its checks does, and there is one, and it is not blocked."""
    unclimbed = f"not climbed: {blocked}" if blocked else ""
    return Rung(
        number=number,
        name=name,
        holds=bool(checks) and not blocked and all(one.holds for one in checks),
        measured="; ".join(f"{one.quantity}: {one.measured}" for one in checks),
        tolerance="; ".join(dict.fromkeys(one.tolerance for one in checks)),
        first_difference=next((str(one) for one in checks if not one.holds), unclimbed),
        checks=tuple(checks),
        blocked=blocked,
    )


def file_of(algorithm: str, device: str = "cpu") -> str:
    """Of an algorithm's ladder: `parity.json`, `parity-mixmatch.json`, `parity-cuda.json`."""
    stem = Path(FILE).stem
    words = [stem, *([] if algorithm == algorithms.DEFAULT else [algorithm])]
    return "-".join([*words, *(["cuda"] if device == "cuda" else [])]) + ".json"


def write(
    folder: Path,
    profile: str,
    about: dict[str, Any],
    rungs: Sequence[Rung],
    algorithm: str = algorithms.DEFAULT,
    device: str = "cpu",
) -> None:
    """Write `<folder>/parity.json`; `about` says of what and with what it was measured."""
    content = {
        "schema": SCHEMA,
        "profile": profile,
        "holds": all(one.holds for one in rungs),
        **about,
        "rungs": [one.model_dump() for one in rungs],
    }
    write_text(folder / file_of(algorithm, device), json.dumps(content, indent=1) + "\n")


def read(folder: Path, algorithm: str = algorithms.DEFAULT, device: str = "cpu") -> Ladder | None:
    """The ladder of a results folder; None if it was never climbed. Raises BadInput."""
    path = folder / file_of(algorithm, device)
    return settings_file.read_json(path, Ladder, "run 'make parity' again")
