"""What is to be run, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Command:
    """A child process: an argument list, never a shell string, and additions to its environment."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


class Halt(Exception):
    """Raised by who watches a child: it is to be stopped, for the reason in the message."""


class Stopped(StrEnum):
    """Why a child was stopped, if it did not end by itself."""

    NOT = ""
    INTERRUPTED = "interrupted"
    SILENT = "silent"
    HALTED = "halted"


@dataclass(frozen=True)
class Ended:
    """How a child ended: exit code (negative: the signal), its last lines, why it was stopped."""

    code: int
    last_lines: tuple[str, ...]
    stopped: Stopped = Stopped.NOT
    reason: str = ""  # of Stopped.HALTED

    @property
    def last_line(self) -> str:
        """The last thing that it said."""
        return self.last_lines[-1].strip() if self.last_lines else "it said nothing"
