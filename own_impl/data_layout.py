"""Batch files in CIFAR-10's python layout, read and checked: nothing in them is converted.

torchvision reads such files too, and makes images of whatever has the right number of values.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

LAYOUT = "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST_FILE = "test_batch"
META_FILE = "batches.meta"
CLASSES = 10
ROW = 3 * 32 * 32
SAMPLE = 200  # images of a file whose order is looked at
# Neighbours that differ this much less, read channels last, than read as planes: CIFAR-10's rows
# have 2.1, as channels last 0.4; digits 2.5 and 0.5; noise 1.
SCRAMBLED = 0.75

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]


class LayoutError(Exception):
    """A file that is not as CIFAR-10's; the message names it, and type and shape in it."""


def read(root: Path) -> Arrays:
    """Training images (N, 32, 32, 3) and labels (N,), then those to test. Raises LayoutError."""
    folder = root / LAYOUT
    if not folder.is_dir():
        raise LayoutError(f"no readable {LAYOUT} in it")
    meta = _unpickled(folder / META_FILE)
    names = meta.get("label_names") if isinstance(meta, dict) else None
    if not isinstance(names, list) or len(names) != CLASSES:
        raise LayoutError(f"{META_FILE}: no list of {CLASSES} 'label_names' in it")
    train = [_batch(folder / name) for name in TRAIN_FILES]
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    test_images, test_labels = _batch(folder / TEST_FILE)
    for name, found in (("the training batches", labels), (TEST_FILE, test_labels)):
        if missing := set(range(CLASSES)).difference(found.tolist()):
            raise LayoutError(f"{name}: no image of {', '.join(map(str, sorted(missing)))}")
    return images, labels, test_images, test_labels


def _batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 32, 32, 3) and labels (N,) of one file."""
    batch = _unpickled(path)
    if not isinstance(batch, dict) or "data" not in batch or "labels" not in batch:
        fine = isinstance(batch, dict) and "fine_labels" in batch
        hint = ": 'fine_labels' are CIFAR-100's, of 100 classes" if fine else ""
        raise LayoutError(f"{path.name}: no CIFAR-10 batch with 'data' and 'labels'{hint}")
    rows, labels = batch["data"], batch["labels"]
    if problem := _problem_of_rows(rows) or _problem_of_labels(labels):
        raise LayoutError(f"{path.name}: {problem}")
    if len(rows) != len(labels):
        raise LayoutError(f"{path.name}: {len(rows)} images but {len(labels)} labels")
    images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.array(labels, dtype=np.int64)


def _problem_of_rows(rows: Any) -> str:
    """Why these are not N rows of red, green and blue plane; '' if they are."""
    if not isinstance(rows, np.ndarray):
        return f"data is a {type(rows).__name__}, not an array"
    found = f"data is {rows.dtype} of shape {rows.shape}"
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != ROW or not len(rows):
        hint = f": channels last, save data.transpose(0, 3, 1, 2).reshape(len(data), {ROW})"
        last = hint if rows.shape[1:] == (32, 32, 3) else ""
        return f"{found}, not uint8 of shape (N, {ROW}){last}"
    if rows.max() <= 1:
        return f"{found}, but no value is above 1: pixels are 0 to 255"
    if _channels_last(rows[:SAMPLE]):
        return f"{found}, but its rows look like images with channels last"
    return ""


def _problem_of_labels(labels: Any) -> str:
    """Why these are not whole numbers from 0 to 9 in a list or array; '' if they are."""
    must = f"labels must be a list of whole numbers from 0 to {CLASSES - 1}, one an image"
    if isinstance(labels, np.ndarray):
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            return f"labels are {labels.dtype} of shape {labels.shape}; {must}"
    elif not isinstance(labels, list):
        return f"labels are a {type(labels).__name__}; {must}"
    for place, label in enumerate(labels):
        whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
        if not whole or not 0 <= label < CLASSES:
            return f"label {place} is {repr(label)[:40]} ({type(label).__name__}); {must}"
    return ""


def _channels_last(rows: NDArray[np.uint8]) -> bool:
    """Whether neighbouring pixels are much more alike where rows are read channels last."""
    values = rows.astype(np.int16)
    planes = values.reshape(-1, 3, 32, 32)
    pixels = values.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    last, first = (
        sum(float(np.abs(np.diff(images, axis=axis)).mean()) for axis in (-1, -2))
        for images in (pixels, planes)
    )
    return last < SCRAMBLED * first


class _Unpickler(pickle.Unpickler):
    """Arrays, numbers and plain containers only: a pickle can run code."""

    ALLOWED: ClassVar = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
        *(
            (f"numpy.{core}.{module}", name)
            for core in ("core", "_core")
            for module, name in (
                ("multiarray", "_reconstruct"),
                ("multiarray", "scalar"),
                ("numeric", "_frombuffer"),
            )
        ),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _unpickled(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _Unpickler(file, encoding="latin1").load()
    except Exception as error:  # a damaged pickle may raise anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise LayoutError(f"{path.name}: no readable batch ({said})") from error
