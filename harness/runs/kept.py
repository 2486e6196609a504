"""What an implementation keeps with each of its runs: the file that describes it, if one does."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.errors import BadInput
from harness.implementations.interface import Implementation
from harness.runs.files import write_text


def names(side: Implementation) -> list[str]:
    """The files that are kept with its runs."""
    return list(side.kept_files())


def sha256(side: Implementation) -> str:
    """Over their texts; '' where there are none."""
    texts = side.kept_files().values()
    return hashlib.sha256("".join(texts).encode()).hexdigest() if texts else ""


def check(run_folder: Path, recorded: str, side: Implementation) -> None:
    """Raise BadInput where what is kept is not what the run was trained by.

    `recorded` is the sum in its manifest; `side` is as the run's folder has it.
    """
    if recorded != sha256(side) and recorded:
        files = ", ".join(names(side)) or "the file that describes it"
        raise BadInput(
            f"{run_folder}: {files} is not what the run was trained by; restore it, or move the "
            "run folder away"
        )


def write(run_folder: Path, side: Implementation) -> None:
    """Write them beside the manifest."""
    for name, text in side.kept_files().items():
        write_text(run_folder / name, text)
