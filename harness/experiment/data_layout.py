"""Batch files in CIFAR-10's python layout, read and checked: nothing in them is converted.

What torchvision and TorchSSL would take for something else, or turn into it, is refused before
anything is trained: images of another type, order or range, labels that are no whole numbers.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput

LAYOUT = "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST_FILE = "test_batch"
META_FILE = "batches.meta"
CLASSES = 10
ROW = 3 * 32 * 32

# By the shape of one image: what such images are, and the NumPy expression that mends `data`.
REMEDIES = {
    (32, 32, 3): ("channels last", f"data.transpose(0, 3, 1, 2).reshape(len(data), {ROW})"),
    (3, 32, 32): ("images, not rows", f"data.reshape(len(data), {ROW})"),
    (32, 32): ("grey", "numpy.tile(data.reshape(len(data), 1024), (1, 3))"),
    (32, 32, 1): ("grey", "numpy.tile(data.reshape(len(data), 1024), (1, 3))"),
    (1, 32, 32): ("grey", "numpy.tile(data.reshape(len(data), 1024), (1, 3))"),
    (1024,): ("grey", "numpy.tile(data, (1, 3))"),
}
SAMPLE = 200  # images of a file whose order is looked at
# Neighbours that differ this much less, read channels last, than read as planes: CIFAR-10's rows
# have 2.1, as channels last 0.4; digits 2.5 and 0.5; noise 1.
SCRAMBLED = 0.75

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def read_batch(path: Path) -> tuple[Images, Labels]:
    """Images (N, 32, 32, 3) and labels (N,) of one batch file.

    Raises BadInput that names the file, and type and shape of what is wrong in it.
    """
    batch = read_pickle(path)
    for key in ("data", "labels"):
        if key not in batch:
            raise BadInput(f"{path}: {_lacks(key, batch)}")
    rows = _rows(path, batch["data"])
    labels = _labels(path, batch["labels"])
    if len(rows) != len(labels):
        raise BadInput(
            f"{path}: {len(rows)} images but {len(labels)} labels (data is {_described(rows)}); "
            "replace the file"
        )
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def check_meta(path: Path) -> None:
    """The names of the classes, which torchvision reads too. Raises BadInput."""
    meta = read_pickle(path)
    names = meta.get("label_names")
    if names is None:
        raise BadInput(f"{path}: {_lacks('label_names', meta)}")
    if not isinstance(names, list) or len(names) != CLASSES:
        many = f"{len(names)} names" if isinstance(names, list) else f"a {type(names).__name__}"
        raise BadInput(f"{path}: label_names is {many}; it must be a list of {CLASSES} names")


def check_folder(root: Path) -> Path:
    """The folder with the layout in `root`. Raises BadInput where there is none."""
    folder = root / LAYOUT
    if folder.is_dir():
        return folder
    missing = f"DATA_DIR {root}: no folder '{LAYOUT}' in it"
    if (root / TRAIN_FILES[0]).exists():
        raise BadInput(f"{missing}: it is that folder itself; name the one that holds it")
    others = {"cifar-100-python": "CIFAR-100", "cifar-10-batches-bin": "CIFAR-10's binary version"}
    for name, what in others.items():
        if (root / name).exists():
            raise BadInput(f"{missing}, but {what}; use the python version of CIFAR-10")
    raise BadInput(f"{missing}; name the folder that holds it")


def _lacks(key: str, content: dict[Any, Any]) -> str:
    """Why `key` is not in `content`, and the remedy."""
    if key.encode() in content:
        return (
            f"its keys are bytes (b'{key}'), as pickle.load(..., encoding='bytes') leaves them; "
            "save it with keys of text"
        )
    fine = next((k for k in ("fine_labels", "fine_label_names") if k in content), None)
    if fine is not None:
        return f"a file of CIFAR-100 ('{fine}'), which has 100 classes; use data of ten classes"
    keys = ", ".join(sorted(repr(k) for k in content)[:6]) or "nothing"
    return f"not of CIFAR-10's layout: it holds {keys}, but no '{key}'; replace the file"


def _rows(path: Path, data: Any) -> Images:
    """`data` as it is: uint8, (N, 3072), each row the red plane, the green and the blue one."""
    wrong = f"{path}: data is {_described(data)}"
    if not isinstance(data, np.ndarray):
        raise BadInput(f"{wrong}; it must be an array, uint8 of shape (N, {ROW})")
    if data.dtype != np.uint8:
        raise BadInput(f"{wrong}{_range(data)}, not uint8: {_as_bytes(data)}")
    if data.ndim != 2 or data.shape[1] != ROW:
        raise BadInput(f"{wrong}, not (N, {ROW}): {_as_rows(data)}")
    if not len(data):
        raise BadInput(f"{wrong}: no image in it; replace the file")
    if data.max() <= 1:
        raise BadInput(
            f"{wrong}, but no value is above 1: images in 0 to 1 that were cut to whole numbers; "
            "save (255 * images).round() as uint8"
        )
    if _looks_channels_last(data[:SAMPLE]):
        raise BadInput(
            f"{wrong}, but its rows look like images with channels last: save "
            f"images.transpose(0, 3, 1, 2).reshape(len(images), {ROW})"
        )
    return data


def _labels(path: Path, labels: Any) -> Labels:
    """`labels` as they are: whole numbers from 0 to 9, in a list or an array."""
    wrong = f"{path}: labels are {_described(labels)}"
    must = "they must be a list of whole numbers from 0 to 9, one an image"
    if isinstance(labels, np.ndarray):
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise BadInput(f"{wrong}; {must}")
    elif not isinstance(labels, list):
        raise BadInput(f"{wrong}; {must}")
    for place, label in enumerate(labels):
        if isinstance(label, bool) or not isinstance(label, (int, np.integer)):
            found = f"label {place} is {_shortened(label)} ({type(label).__name__})"
            raise BadInput(f"{path}: {found}; {must}")
    if len(labels) and not 0 <= min(labels) <= max(labels) < CLASSES:
        counted = "; subtract 1" if (min(labels), max(labels)) == (1, CLASSES) else ""
        raise BadInput(
            f"{path}: labels are {_described(labels)} from {min(labels)} to {max(labels)}, "
            f"not the ten classes 0..9{counted or '; use data of ten classes'}"
        )
    return np.array(labels, dtype=np.int64)


def _described(value: Any) -> str:
    """`float32 of shape (200, 3072)`, `a list of 200`, `a str`."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _shortened(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:37] + "..."


def _range(data: NDArray[Any]) -> str:
    """` with values from 0 to 1`; '' where they have no order."""
    if data.dtype.kind not in "iufb" or not data.size:
        return ""
    return f" with values from {data.min():g} to {data.max():g}"


def _as_bytes(data: NDArray[Any]) -> str:
    """How to make pixels of an array of another type."""
    if data.dtype.kind in "fb" and data.size and 0 <= data.min() <= data.max() <= 1:
        return "save (255 * data).round().astype(numpy.uint8)"
    if data.dtype.kind in "iuf" and data.size and 0 <= data.min() <= data.max() <= 255:
        return "if these are CIFAR's pixels, 0 to 255, save data.astype(numpy.uint8)"
    return "save the pixels as they were, 0 to 255, before anything was made of them"


def _as_rows(data: Images) -> str:
    """How to make rows of an array of another shape."""
    if data.shape[1:] in REMEDIES:
        what, expression = REMEDIES[data.shape[1:]]
        return f"{what}; save {expression}"
    if data.shape[:1] == (ROW,) and data.ndim <= 2:
        return f"save data.reshape({ROW}, -1).T"
    if data.shape[:3] == (32, 32, 3) and data.ndim == 4:
        return f"images last; save data.transpose(3, 2, 0, 1).reshape(-1, {ROW})"
    return "each image must be 32 x 32 with three channels, as the red plane, green and blue"


def _looks_channels_last(rows: Images) -> bool:
    """Whether neighbouring pixels are more alike where the rows are read channels last."""
    planes = rows.reshape(-1, 3, 32, 32)
    pixels = rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    return _roughness(pixels) < SCRAMBLED * _roughness(planes)


def _roughness(images: Images) -> float:
    """Mean difference of neighbours in images (N, 3, 32, 32)."""
    values = images.astype(np.int16)
    return sum(float(np.abs(np.diff(values, axis=axis)).mean()) for axis in (-1, -2))


class _Foreign(Exception):
    """A pickle asks for something that no image file needs."""


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles arrays and plain containers, and refuses everything else: a pickle can run code."""

    ALLOWED: ClassVar = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy.core.numeric", "_frombuffer"),
        ("numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise _Foreign(f"{module}.{name}")
        return super().find_class(module, name)


def read_pickle(path: Path) -> dict[Any, Any]:
    """What is in a file of the layout. Raises BadInput."""
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except FileNotFoundError as error:
        raise BadInput(f"{path}: the file is missing; the layout needs it") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); replace the file") from error
    except _Foreign as error:
        raise BadInput(
            f"{path}: it asks for {error}, which no image file needs; save NumPy arrays and lists"
        ) from error
    except Exception as error:  # a damaged pickle may raise anything, MemoryError included
        said = _shortened(str(error)).strip("'\"")
        raise BadInput(f"{path}: truncated or damaged ({said}); replace the file") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path}: it holds {_described(content)}, no CIFAR-10 batch; replace it")
    return content
