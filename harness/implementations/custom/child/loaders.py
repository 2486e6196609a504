"""Which training images each DataLoader in use holds, by their pixels, and how it draws them."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np

from harness.experiment.fingerprints import split_sha256

IMAGES = ("data", "images", "imgs", "x")  # where data sets keep them
MOST_DEEP = 5  # data sets in data sets


class KnownImages:
    """Training images by their pixels; equal ones are one."""

    def __init__(self, images: np.ndarray) -> None:
        self._first: dict[bytes, int] = {}
        for index, image in enumerate(images):
            self._first.setdefault(_digest(image), index)
        self.indices = [self._first[_digest(image)] for image in images]

    def of(self, images: np.ndarray) -> list[int] | None:
        """Their indices in the training set; None where one is none of it."""
        found = [self._first.get(_digest(image), -1) for image in images]
        return found if found and min(found) >= 0 else None


def watch() -> list[Any]:
    """The loaders that batches are asked of from now on, as they come."""
    from torch.utils.data import DataLoader

    used: list[Any] = []
    kind: Any = DataLoader
    iterate = kind.__iter__

    @functools.wraps(iterate)
    def iterating(self: Any) -> Any:
        if not any(self is loader for loader in used):
            used.append(self)
        return iterate(self)

    kind.__iter__ = iterating
    return used


def describe(
    used: list[Any], training: KnownImages | None, handed: np.ndarray
) -> list[dict[str, Any]]:
    """Those loaders; of training images, which and how they are drawn. Fewest images first.

    `handed` are the labelled indices that were handed out.
    """
    found = [_describe(loader, training, handed) for loader in used]
    return sorted(found, key=lambda one: (one.get("distinct", 0), one["length"] or 0))


def _describe(loader: Any, training: KnownImages | None, handed: np.ndarray) -> dict[str, Any]:
    batches = getattr(loader, "batch_sampler", None)
    sampler = getattr(batches, "sampler", None) or getattr(loader, "sampler", None)
    entry: dict[str, Any] = {
        "batch_size": loader.batch_size or getattr(batches, "batch_size", None),
        "length": _length(loader.dataset),
        "sampler": type(sampler).__name__,
        "replacement": getattr(sampler, "replacement", None),
        "workers": loader.num_workers,
    }
    images = _images(loader.dataset)
    chosen = getattr(sampler, "indices", None)
    if images is not None and chosen is not None and not isinstance(chosen, (int, str)):
        images = images[np.asarray(list(chosen), dtype=np.int64)]
    indices = None if training is None or images is None else training.of(images)
    if training is not None and indices is not None:
        distinct = list(dict.fromkeys(indices))
        drawn = [training.indices[index] for index in handed]
        entry.update(
            distinct=len(distinct),
            split_sha256=split_sha256(np.array(distinct)),
            same_set=set(distinct) == set(drawn),
            same_order=distinct == drawn,
        )
    return entry


def _length(dataset: Any) -> int | None:
    try:
        return len(dataset)
    except TypeError:
        return None


def _images(dataset: Any, depth: int = 0) -> np.ndarray | None:
    """The images of a data set as uint8 (N, 32, 32, 3); None where they are not found."""
    inner = getattr(dataset, "dataset", None)
    if inner is not None and depth < MOST_DEEP:
        images = _images(inner, depth + 1)
        indices = getattr(dataset, "indices", None)
        if images is None or indices is None:
            return images
        return images[np.asarray(list(indices), dtype=np.int64)]
    for name in IMAGES:
        images = _as_images(getattr(dataset, name, None))
        if images is not None:
            return images
    return None


def _as_images(value: Any) -> np.ndarray | None:
    if value is None or isinstance(value, (str, bytes, dict)):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError):
        return None
    if array.ndim != 4 or array.dtype != np.uint8:
        return None
    if array.shape[1] == 3 and array.shape[3] != 3:
        array = array.transpose(0, 2, 3, 1)
    return array if array.shape[3] == 3 else None


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha1(np.ascontiguousarray(image).tobytes()).digest()
