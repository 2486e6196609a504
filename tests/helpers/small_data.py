"""Images and labels in CIFAR-10's layout, few enough to write often; equal calls, equal bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from harness.experiment import data
from harness.experiment.data import LAYOUT, META_FILE, TEST_FILE, TRAIN_FILES

Arrays = tuple[data.Images, data.Labels, data.Images, data.Labels]


def arrays(train: int = 103, test: int = 20) -> Arrays:
    """Not a multiple of five: the batch files have unequal lengths."""
    random = np.random.default_rng(1)
    return (
        random.integers(0, 256, (train, 32, 32, 3), dtype=np.uint8),
        np.arange(train) % 10,
        random.integers(0, 256, (test, 32, 32, 3), dtype=np.uint8),
        np.arange(test) % 10,
    )


def know_sums(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CIFAR-10's, torchvision knows the sums of the files under `root`."""

    def md5(name: str) -> str:
        return hashlib.md5((root / LAYOUT / name).read_bytes()).hexdigest()

    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(name)] for name in TRAIN_FILES])
    monkeypatch.setattr(CIFAR10, "test_list", [[TEST_FILE, md5(TEST_FILE)]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(META_FILE)})
