"""What is to be run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Command:
    """A child process: an argument list, never a shell string, and additions to its environment."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
