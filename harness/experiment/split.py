"""Which training images are labelled, as TorchSSL draws them for a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.errors import BadInput
from harness.experiment.data import Dataset


def check_labels(labels: int, dataset: Dataset) -> None:
    """Raise BadInput for a label count that this data set cannot give."""
    classes = dataset.num_classes
    most = int(np.bincount(dataset.train_labels).min()) * classes
    if labels <= 0 or labels % classes:
        raise BadInput(
            f"LABELS {labels}: must be a multiple of {classes}, the same number for each class"
        )
    if labels > most:
        raise BadInput(f"LABELS {labels}: {dataset.name} has at most {most} in equal shares")
    if labels == 10:
        raise BadInput(
            "LABELS 10: TorchSSL does not draw these but has CIFAR-10 indices fixed in its source; "
            "use 20 or more"
        )


def draw(labels: int, seed: int, dataset: Dataset) -> NDArray[np.int64]:
    """Indices into the training set, shape (labels,), in TorchSSL's order.

    TorchSSL seeds NumPy with `seed` and draws, class by class, labels / classes indices without
    replacement (its datasets/data_utils.py); its `sampled_label_idx.npy` must equal this.
    """
    check_labels(labels, dataset)
    random = np.random.RandomState(seed)
    each = labels // dataset.num_classes
    classes = range(dataset.num_classes)
    drawn = [
        random.choice(np.where(dataset.train_labels == c)[0], each, replace=False) for c in classes
    ]
    return np.concatenate(drawn).astype(np.int64)
