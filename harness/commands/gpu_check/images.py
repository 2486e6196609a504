"""The images that are trained on: nothing is downloaded, what is not at hand is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.experiment.data import cache_folder, mnist5k, write_layout
from harness.experiment.data_layout import LAYOUT


def find(named: Path | None, data: str, place: Path) -> tuple[Path | None, str]:
    """(folder, what it is): as named, as `data` is at hand, or made in `place`."""
    if named is not None:
        return named, "images of DATA_DIR"
    if data == "mnist5k" or (cache_folder() / data / LAYOUT).is_dir():
        return None, data
    root = place / "made"
    _make(root)
    return root, "images made of digits in the number of CIFAR-10's: accuracies mean nothing"


def _make(root: Path, repeats: int = 11) -> None:
    """49,500 and 10,000 images: each of mnist5k's digits several times, in other colours."""
    images, labels, test, test_labels = mnist5k()
    many = [images ^ (23 * n) for n in range(repeats)]
    tests = [test ^ (13 * n) for n in range(20)]
    write_layout(
        root, np.concatenate(many), np.tile(labels, repeats), np.concatenate(tests),
        np.tile(test_labels, 20),
    )  # fmt: skip
