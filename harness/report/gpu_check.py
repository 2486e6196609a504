"""gpu-check.md: what the first minutes on a GPU showed, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.runs.progress import duration


class Outcome(StrEnum):
    """How a part ended."""

    HOLDS = "holds"
    FAILED = "failed"
    OVERDUE = "not ended in its time"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Part:
    """One part of the check: how it ended, after how long, and what it showed (Markdown)."""

    title: str
    outcome: Outcome
    seconds: float
    said: str
    details: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing is the matter; what was skipped has shown nothing either way."""
        return self.outcome in (Outcome.HOLDS, Outcome.SKIPPED)


def markdown(about: Sequence[str], parts: Sequence[Part]) -> str:
    """The page: `about` are lines on what was checked and on what, then the parts."""
    rows = [
        f"| {part.title} | {part.outcome.value} | {duration(part.seconds)} | {_cell(part.said)} |"
        for part in parts
    ]
    lines = [
        "# GPU check",
        "",
        *about,
        "",
        "| part | outcome | time | |",
        "| --- | --- | --- | --- |",
    ]
    lines += rows
    for part in parts:
        if part.details:
            lines += ["", f"## {part.title}", "", part.details.rstrip()]
    return "\n".join(lines) + "\n"


def quoted(lines: Sequence[str]) -> str:
    """Text as it was printed."""
    return "\n".join(f"    {line}" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
