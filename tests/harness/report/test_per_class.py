"""Accuracy by class: counted by hand, drawn for seeds that are there."""

from __future__ import annotations

import numpy as np
import pytest

from harness.report.figures import per_class
from harness.report.figures.curves import render
from harness.runs.predictions import Predictions

AGAINST = {"own": "torchssl"}
TITLES = {"own": "FixMatch (own)", "torchssl": "FixMatch (TorchSSL)"}


def predictions(*pairs: tuple[int, int]) -> Predictions:
    targets, predicted = np.array(pairs, dtype=np.int64).T
    return Predictions(targets, predicted)


OWN = predictions((0, 0), (0, 1), (1, 1), (1, 1))
THEIRS = predictions((0, 0), (0, 0), (1, 0), (1, 1))


def test_accuracy_by_hand() -> None:
    assert per_class.accuracy(OWN, 2).tolist() == [50.0, 100.0]
    assert per_class.accuracy(THEIRS, 2).tolist() == [100.0, 50.0]


def test_a_class_without_test_images_has_no_accuracy() -> None:
    found = per_class.accuracy(OWN, 3)
    assert found[:2].tolist() == [50.0, 100.0] and np.isnan(found[2])


def test_one_seed_has_bars_and_no_interval() -> None:
    judged = {(40, 0, "own"): OWN, (40, 0, "torchssl"): THEIRS}
    above, below = per_class.draw(judged, TITLES, "caption", "mnist5k", AGAINST).axes
    assert [bar.get_height() for bar in below.patches] == [-50.0, 50.0]  # type: ignore[attr-defined]
    assert above.get_title() == "40 labelled images, 1 seed"
    assert below.get_legend_handles_labels()[1] == ["FixMatch (own) minus FixMatch (TorchSSL)"]


def test_seeds_give_an_interval_of_the_mean_difference() -> None:
    judged = {
        (40, 0, "own"): OWN, (40, 0, "torchssl"): THEIRS,
        (40, 1, "own"): THEIRS, (40, 1, "torchssl"): THEIRS,
    }  # fmt: skip
    _, below = per_class.draw(judged, TITLES, "caption", "mnist5k", AGAINST).axes
    assert [bar.get_height() for bar in below.patches] == [-25.0, 25.0]  # type: ignore[attr-defined]
    assert "its 95% interval" in below.get_legend_handles_labels()[1]


def test_a_seed_of_one_side_enters_no_difference() -> None:
    judged = {(40, 0, "own"): OWN, (40, 1, "torchssl"): THEIRS, (250, 0, "own"): OWN}
    figure = per_class.draw(judged, TITLES, "caption", "mnist5k", AGAINST)
    assert not figure.axes[2].patches and not figure.axes[3].patches


@pytest.mark.parametrize("data", ["cifar10", "mnist5k"])
def test_classes_of_cifar10_have_names(data: str) -> None:
    ten = predictions(*((n, n) for n in range(10)))
    axes = per_class.draw({(40, 0, "own"): ten}, TITLES, "caption", data, AGAINST).axes
    names = [label.get_text() for label in axes[1].get_xticklabels()]
    assert (names[3] == "cat") == (data == "cifar10")
    assert len(names) == 10


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_equal_predictions_give_equal_bytes(kind: str) -> None:
    judged = {(40, 0, "own"): OWN, (40, 0, "torchssl"): THEIRS}
    first, second = (
        render(per_class.draw(dict(order), TITLES, "caption", "mnist5k", AGAINST), kind)
        for order in (judged.items(), reversed(judged.items()))
    )
    assert first == second
