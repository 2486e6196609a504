"""The labelled images: exactly those that TorchSSL draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import BadInput
from harness.experiment.data import Dataset
from harness.experiment.split import check_labels, draw


def dataset(each: int = 450, classes: int = 10) -> Dataset:
    labels = np.random.default_rng(3).permutation(np.repeat(np.arange(classes), each))
    return Dataset("some", Path("nowhere"), "0" * 64, labels, labels[:50], official=False)


@pytest.mark.parametrize("seed", [0, 1, 2, 12345])
@pytest.mark.parametrize("labels", [20, 40, 250, 4000])
def test_it_is_torchssls_draw(labels: int, seed: int) -> None:
    data = dataset()
    state = np.random.get_state()
    np.random.seed(seed)
    expected = np.concatenate(
        [
            np.random.choice(np.where(data.train_labels == c)[0], labels // 10, False)
            for c in range(10)
        ]
    )
    np.random.set_state(state)
    drawn = draw(labels, seed, data)
    assert drawn.dtype == np.int64
    np.testing.assert_array_equal(drawn, expected)


def test_it_leaves_numpys_own_random_state_alone() -> None:
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    draw(40, 0, dataset())
    assert np.random.random() == expected


@pytest.mark.parametrize("labels", [20, 40, 4500])
def test_balanced_and_without_repetition(labels: int) -> None:
    data = dataset()
    drawn = draw(labels, 0, data)
    assert len(np.unique(drawn)) == labels
    assert np.bincount(data.train_labels[drawn]).tolist() == [labels // 10] * 10


def test_seeds_differ_and_repeat() -> None:
    data = dataset()
    np.testing.assert_array_equal(draw(40, 0, data), draw(40, 0, data))
    assert set(draw(40, 0, data)) != set(draw(40, 1, data))


@pytest.mark.parametrize("labels", [45, 0, -40, 4510, 4509, 10, 1])
def test_a_count_that_cannot_be_drawn_is_named(labels: int) -> None:
    for check in (check_labels, lambda n, data: draw(n, 0, data)):
        with pytest.raises(BadInput, match=f"^LABELS {labels}: "):
            check(labels, dataset())


def test_the_remedy_names_the_most_there_is() -> None:
    with pytest.raises(BadInput, match="at most 4500"):
        check_labels(5000, dataset())


def test_the_smallest_class_sets_the_most() -> None:
    labels = np.concatenate([np.repeat(np.arange(10), 30), np.repeat(np.arange(9), 20)])
    data = Dataset("some", Path("nowhere"), "0" * 64, labels, labels, official=False)
    check_labels(300, data)
    with pytest.raises(BadInput, match="at most 300"):
        check_labels(310, data)
