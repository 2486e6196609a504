"""published.json: where published results come from, and of which source they are.

A results folder with this file is evidence: its runs are held to the sources that it names. Any
other folder's runs are held to the code at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.experiment import settings_file
from harness.runs.files import write_text

FILE = "published.json"


class Provenance(BaseModel):
    """Why, when and from which commit results were published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema", default=1)
    date: str
    reason: str
    commit: str
    sources: Mapping[str, str]  # contender -> sum of the code that trained it
    # Set where runs from before sources were recorded stand together: what is known of them.
    mixed: str = ""


def read(folder: Path) -> Provenance | None:
    """That of a results folder; None where it is no evidence. Raises BadInput."""
    return settings_file.read_json(folder / FILE, Provenance, "restore it from git")


def write(folder: Path, content: Provenance) -> None:
    """Write `published.json`, whole."""
    write_text(folder / FILE, content.model_dump_json(indent=1, by_alias=True) + "\n")
