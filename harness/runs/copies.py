"""Copies that are handed to code that nobody here knows: read-only, and never a link to the cache.

What writes into its data folder, extracts an archive there or deletes it spoils its own copy.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from harness.errors import BadInput
from harness.implementations.interface import DATA, INITIAL_WEIGHTS, LABELLED

LAYOUT = "cifar-10-batches-py"
FILES = {"labelled": LABELLED, "weights": INITIAL_WEIGHTS}
WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def hand_out(data: Path, folder: Path, places: Mapping[str, str]) -> None:
    """Put a copy of the data set at `data` into each of the `places` in `folder` that are for it.

    Raises BadInput where something of its own lies in one.
    """
    for place, what in places.items():
        target = folder / place
        if what != DATA:
            continue
        take_back(folder, {place: what})
        if (target / LAYOUT).exists() or target.is_symlink():
            raise BadInput(f"{target}: in the way of the data; move it away")
        shutil.copytree(data / LAYOUT, target / LAYOUT)
        _set_writable(target / LAYOUT, False)


def hand_out_files(folder: Path, places: Mapping[str, str]) -> None:
    """Put the labelled indices and the initial weights where it looks for them."""
    for place, what in places.items():
        if what in FILES and place != FILES[what]:
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(folder / FILES[what], target)
            target.chmod(target.stat().st_mode & ~WRITABLE)


def take_back(folder: Path, places: Mapping[str, str]) -> None:
    """Remove the copies of the data set: each is as large as the data set itself."""
    for place, what in places.items():
        copy = folder / place / LAYOUT
        if what == DATA and copy.is_dir() and not copy.is_symlink():
            _set_writable(copy, True)
            shutil.rmtree(copy, ignore_errors=True)


def _set_writable(folder: Path, writable: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IWUSR if writable else mode & ~WRITABLE)
