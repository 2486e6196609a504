"""What climbing the ladder found: rungs of checks, as a file and on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.parity.kept import LADDER
from harness.runs import manifest as records

FILE = LADDER
SCHEMA = 1


@dataclass(frozen=True)
class Check:
    """One measured quantity, and what it may be."""

    quantity: str
    measured: str
    tolerance: str
    holds: bool
    note: str = ""

    def __str__(self) -> str:
        text = f"{self.quantity}: {self.measured}"
        return f"{text} (tolerance: {self.tolerance})" if self.tolerance else text


@dataclass(frozen=True)
class Rung:
    """One rung; it holds if each of its checks does, and there is one.

    `blocked` says why it was not climbed, or not to its end: then it does not hold.
    """

    number: int
    name: str
    checks: tuple[Check, ...]
    blocked: str = ""

    @property
    def holds(self) -> bool:
        return bool(self.checks) and not self.blocked and all(check.holds for check in self.checks)

    @property
    def broken(self) -> bool:
        """Whether a difference was found."""
        return not all(check.holds for check in self.checks)

    @property
    def first_difference(self) -> str:
        """The first quantity that differs; '' where none does."""
        unclimbed = f"not climbed: {self.blocked}" if self.blocked else ""
        return next((str(check) for check in self.checks if not check.holds), unclimbed)


def write(folder: Path, profile: str, about: dict[str, Any], rungs: Sequence[Rung]) -> None:
    """Write `<folder>/parity.json`; `about` says of what and with what it was measured."""
    content = {
        "schema": SCHEMA,
        "profile": profile,
        "holds": all(rung.holds for rung in rungs),
        **about,
        "rungs": [
            {
                "number": rung.number,
                "name": rung.name,
                "holds": rung.holds,
                "measured": "; ".join(f"{c.quantity}: {c.measured}" for c in rung.checks),
                "tolerance": "; ".join(dict.fromkeys(c.tolerance for c in rung.checks)),
                "first_difference": rung.first_difference,
                "checks": [vars(check) for check in rung.checks],
            }
            for rung in rungs
        ],
    }
    records.write_text(folder / FILE, json.dumps(content, indent=1) + "\n")
