"""SHA-256 of what two runs must share: images, labelled indices, initial weights.

Each implementation takes these sums of what it really used; equal sums are the proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def data_sha256(
    train_images: Array, train_labels: Array, test_images: Array, test_labels: Array
) -> str:
    """Over pixels (uint8, N x 32 x 32 x 3) and labels (int64, little-endian): train, then test."""
    digest = hashlib.sha256()
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        digest.update(np.ascontiguousarray(images, dtype=np.uint8).data)
        digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()


def split_sha256(indices: Array) -> str:
    """Over the labelled indices (int64, little-endian) in the order in which they were drawn."""
    return hashlib.sha256(np.ascontiguousarray(indices, dtype="<i8").data).hexdigest()


def weights_sha256(weights: Mapping[str, Array]) -> str:
    """Over every tensor's name, shape and float32 bytes, sorted by name.

    The counters `num_batches_tracked` are left out: they are no weights.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        if name.endswith("num_batches_tracked"):
            continue
        array = np.ascontiguousarray(weights[name], dtype="<f4")
        digest.update(f"{name}{list(array.shape)}".encode())
        digest.update(array.data)
    return digest.hexdigest()
