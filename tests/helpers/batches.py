"""Batch files that are not as CIFAR-10's, and others that are though they look different.

Each is a change of one batch as `harness.experiment.data.write_layout` writes it: rows and a list
of labels.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.experiment import data

Batch = dict[str, Any]
Change = Callable[[Batch], Any]


def _data(change: Callable[[np.ndarray], Any]) -> Change:
    return lambda batch: batch | {"data": change(batch["data"])}


def _labels(change: Callable[[list[int]], Any]) -> Change:
    return lambda batch: batch | {"labels": change(batch["labels"])}


def images(rows: np.ndarray) -> np.ndarray:
    """Rows as N x 32 x 32 x 3."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def smooth(rows: np.ndarray) -> np.ndarray:
    """As many images as `rows`, whose neighbouring pixels are alike as in photographs."""
    height, width = np.mgrid[:32, :32]
    start = rows[:, :3].astype(int)[:, :, None, None]
    return ((start + 2 * height + 3 * width) % 200).astype(np.uint8).reshape(len(rows), -1)


# Of pixels: what the message must say of them beside the file.
PIXELS: dict[str, tuple[Change, list[str]]] = {
    "channels last": (
        _data(images),
        ["uint8 of shape ({n}, 32, 32, 3)", "channels last", "transpose(0, 3, 1, 2)"],
    ),
    "channels last, as rows": (
        _data(lambda rows: images(smooth(rows)).reshape(len(rows), -1)),
        ["uint8 of shape ({n}, 3072)", "channels last", "transpose(0, 3, 1, 2)"],
    ),
    "channels first": (
        _data(lambda rows: rows.reshape(-1, 3, 32, 32)),
        ["uint8 of shape ({n}, 3, 32, 32)", "reshape(len(data), 3072)"],
    ),
    "grey": (_data(lambda rows: rows[:, :1024]), ["({n}, 1024)", "grey"]),
    "grey images": (
        _data(lambda rows: rows[:, :1024].reshape(-1, 32, 32)),
        ["({n}, 32, 32)", "grey"],
    ),
    "28 x 28": (_data(lambda rows: rows[:, :784]), ["({n}, 784)", "32 x 32"]),
    "a column an image": (_data(lambda rows: rows.T), ["(3072, {n})", ".T"]),
    "images last": (
        _data(lambda rows: images(rows).transpose(1, 2, 3, 0)),
        ["(32, 32, 3, {n})", "transpose(3, 2, 0, 1)"],
    ),
    "one image": (_data(lambda rows: rows[0]), ["uint8 of shape (3072,)"]),
    "no dimension": (_data(lambda rows: np.array(rows[0, 0])), ["uint8 of shape ()"]),
    "no image": (lambda batch: {"data": batch["data"][:0], "labels": []}, ["shape (0, 3072)"]),
    "0 to 1": (
        _data(lambda rows: (rows / 255).astype(np.float32)),
        ["float32 of shape ({n}, 3072)", "from 0 to 1", "(255 * data)"],
    ),
    "standardised": (
        _data(lambda rows: rows / 64 - 2),
        ["float64 of shape ({n}, 3072)", "from -2"],
    ),
    "floats": (_data(lambda rows: rows.astype(np.float64)), ["float64", "astype(numpy.uint8)"]),
    "half": (_data(lambda rows: (rows / 255).astype(np.float16)), ["float16"]),
    "nan": (_data(lambda rows: np.full(rows.shape, np.nan)), ["float64", "nan"]),
    "wide": (
        _data(lambda rows: rows.astype(np.int64) + 100),
        ["int64 of shape ({n}, 3072)", "to 355"],
    ),
    "wide type": (_data(lambda rows: rows.astype(np.int64)), ["int64", "astype(numpy.uint8)"]),
    "signed": (_data(lambda rows: rows.astype(np.int8)), ["int8 of shape", "from -128"]),
    "16 bit": (_data(lambda rows: rows.astype(np.uint16) * 257), ["uint16", "to 65535"]),
    "black and white": (_data(lambda rows: rows > 127), ["bool of shape"]),
    "0 to 1, cut": (_data(lambda rows: (rows / 255).astype(np.uint8)), ["no value is above 1"]),
    "black": (_data(np.zeros_like), ["no value is above 1"]),
    "objects": (_data(lambda rows: rows[:, :5].astype(object)), ["object of shape"]),
    "complex": (_data(lambda rows: rows.astype(np.complex64)), ["complex64 of shape"]),
    "a record": (_data(lambda rows: rows.view([("pixel", np.uint8)])), ["of shape ({n}, 3072)"]),
    "lists": (_data(lambda rows: rows.tolist()), ["a list of {n}"]),
    "text": (_data(lambda rows: "pixels"), ["a str"]),
    "bytes": (_data(lambda rows: rows.tobytes()), ["a bytes"]),
    "nothing": (_data(lambda rows: None), ["a NoneType"]),
}

# Of labels: the same.
LABELS: dict[str, tuple[Change, list[str]]] = {
    "fractional": (_labels(lambda labels: [*labels[:-1], 3.5]), ["is 3.5 (float)", "whole"]),
    "whole floats": (_labels(lambda labels: [float(n) for n in labels]), ["label 0 is", "(float)"]),
    "NumPy floats": (
        _labels(lambda labels: [np.float32(n) for n in labels]),
        ["label 0 is", "(float32)"],
    ),
    "booleans": (_labels(lambda labels: [bool(n) for n in labels]), ["(bool)"]),
    "NumPy booleans": (_labels(lambda labels: [np.bool_(n) for n in labels]), ["(bool"]),
    "digits as text": (_labels(lambda labels: [str(n) for n in labels]), ["(str)"]),
    "names": (_labels(lambda labels: ["cat"] * len(labels)), ["label 0 is 'cat' (str)"]),
    "bytes": (_labels(lambda labels: bytes(labels)), ["a bytes"]),
    "nested": (_labels(lambda labels: [[n] for n in labels]), ["(list)"]),
    "missing": (_labels(lambda labels: [None, *labels[1:]]), ["label 0 is None (NoneType)"]),
    "a tuple": (_labels(tuple), ["a tuple"]),
    "a number": (_labels(lambda labels: 3), ["a int"]),
    "an array of floats": (
        _labels(lambda labels: np.array(labels, float)),
        ["float64 of shape ({n},)"],
    ),
    "an array of booleans": (
        _labels(lambda labels: np.array(labels, bool)),
        ["bool of shape ({n},)"],
    ),
    "an array of text": (_labels(lambda labels: np.array(labels).astype(str)), ["of shape ({n},)"]),
    "an array of objects": (_labels(lambda labels: np.array(labels, object)), ["object of shape"]),
    "a column": (_labels(lambda labels: np.array(labels)[:, None]), ["int64 of shape ({n}, 1)"]),
    "one-hot": (
        _labels(lambda labels: np.eye(10, dtype=int)[labels]),
        ["int64 of shape ({n}, 10)"],
    ),
    "no dimension": (_labels(lambda labels: np.array(3)), ["int64 of shape ()"]),
    "1 to 10": (_labels(lambda labels: [n + 1 for n in labels]), ["10", "0"]),
    "an eleventh": (_labels(lambda labels: [10, *labels[1:]]), ["10"]),
    "negative": (_labels(lambda labels: [-1, *labels[1:]]), ["-1"]),
    "huge": (_labels(lambda labels: [2**70, *labels[1:]]), [str(2**70)]),
    "unsigned": (_labels(lambda labels: np.array([2**63, *labels[1:]], np.uint64)), [str(2**63)]),
    "one too few": (_labels(lambda labels: labels[1:]), ["{n} images but"]),
    "one too many": (_labels(lambda labels: [*labels, 0]), ["{n} images but"]),
}

# Of the file: no batch at all.
FILES: dict[str, tuple[Change, list[str]]] = {
    "no labels": (lambda batch: {"data": batch["data"]}, ["'labels'"]),
    "no pixels": (lambda batch: {"labels": batch["labels"]}, ["'data'"]),
    "CIFAR-100": (
        lambda batch: {
            "data": batch["data"],
            "fine_labels": batch["labels"],
            "coarse_labels": batch["labels"],
        },
        ["CIFAR-100", "fine_labels"],
    ),
    "keys of bytes": (
        lambda batch: {key.encode(): value for key, value in batch.items()},
        ["data"],
    ),
    "a list": (lambda batch: list(batch), []),
    "an array": (lambda batch: batch["data"], []),
}
REFUSED = {
    f"{kind}: {name}": case
    for kind, cases in (("pixels", PIXELS), ("labels", LABELS), ("file", FILES))
    for name, case in cases.items()
}

# What another program may have written, and is CIFAR-10's layout all the same.
ACCEPTED: dict[str, Change] = {
    "an array of int64": _labels(lambda labels: np.array(labels)),
    "an array of uint8": _labels(lambda labels: np.array(labels, np.uint8)),
    "NumPy integers": _labels(lambda labels: [np.int32(n) for n in labels]),
    "columns in memory": _data(np.asfortranarray),
    "official keys": lambda batch: (
        batch | {"batch_label": "training batch 1 of 5", "filenames": []}
    ),
    "both kinds of labels": lambda batch: batch | {"fine_labels": batch["labels"]},
}


def change(root: Path, name: str, how: Change) -> Path:
    """Change the batch file `name` under `root`; its path."""
    path = root / data.LAYOUT / name
    path.write_bytes(pickle.dumps(how(pickle.loads(path.read_bytes()))))
    return path
