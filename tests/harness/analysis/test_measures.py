"""The rules by which a claim is true, false or not shown: both sides of each, and no numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.analysis.claims.measures import LAST, MEASURES, Reading, Ruling, Trained
from harness.implementations.reported import Point, Resolved
from harness.runs.folder import Run
from harness.runs.manifest import Manifest, Status

TRUE, FALSE, NOT_SHOWN = Ruling.TRUE, Ruling.FALSE, Ruling.NOT_SHOWN
NAN = math.nan


def run(*points: dict[str, Any], pool: int | None = 100, **settings: Any) -> Run:
    """Ten classes; evaluations at 1, 11, 21 ... with an accuracy of 50 where nothing is said."""
    asked = {
        "batch_size": 8, "mu": 1, "threshold": 0.95, "test_class_counts": [5] * 10, **settings,
    }  # fmt: skip
    manifest = Manifest(implementation="own", labels=40, seed=0, settings=asked, status=Status.DONE)
    made = [Point(**{"iteration": 1 + 10 * n, "top1": 50.0, **p}) for n, p in enumerate(points)]
    used = {} if pool is None else {"unlabelled_pool": Resolved(pool, "log")}
    return Run(manifest, tuple(made), Status.DONE, "", used)


def read(
    measure: str, default: Run | None = None, other: Run | None = None, threshold: float = 0.0
) -> Reading | None:
    return MEASURES[measure].read(Trained(default, other), threshold)


def ruling(*arguments: Any, **options: Any) -> Ruling | None:
    found = read(*arguments, **options)
    assert found is not None
    return found.ruling


def each(name: str, *values: float | None) -> list[dict[str, Any]]:
    return [{name: value} for value in values]


@pytest.mark.parametrize(
    ("entropies", "said"),
    [
        ([2.2, 2.5, 2.1], FALSE),  # first against last, whatever is between
        ([2.2, 1.0, 2.3], TRUE),
        ([2.2, 1.0, 2.2], NOT_SHOWN),
        ([2.2, NAN], NOT_SHOWN),
        ([NAN, 2.2], NOT_SHOWN),
        ([None, 2.2, 2.1, None], FALSE),
    ],
)
def test_entropy_falls_or_rises(entropies: list[float | None], said: Ruling) -> None:
    assert ruling("entropy-of-guesses", other=run(*each("guess_entropy", *entropies))) is said


def test_entropy_in_numbers() -> None:
    found = read("entropy-of-guesses", other=run(*each("guess_entropy", 2.15, 0.17)))
    assert found is not None and found.numbers == pytest.approx(
        {"first": 2.15, "last": 0.17, "change": -1.98}
    )


@pytest.mark.parametrize("entropies", [[], [None, None], [2.0, None]])
def test_an_entropy_that_is_not_logged_twice_decides_nothing(
    entropies: list[float | None],
) -> None:
    entropy = run(*each("guess_entropy", *entropies))
    assert read("entropy-of-guesses", other=entropy) is None
    assert read("entropy-of-guesses", default=run(*each("guess_entropy", 2.0, 1.0))) is None


def chosen(
    masks: list[float | None], confidences: list[float | None], rights: list[float | None]
) -> Run:
    points = zip(masks, confidences, rights, strict=True)
    names = ("mask", "guess_confidence", "guess_accuracy")
    return run(*(dict(zip(names, values, strict=True)) for values in points))


@pytest.mark.parametrize(
    ("masks", "confidences", "said"),
    [
        ([0.0, 1.0], [None, 0.97], TRUE),
        ([0.5, 0.5], [0.95, 0.99], TRUE),
        ([0.5, 0.5], [0.95 - 1e-8, 0.99], TRUE),  # float32
        ([0.5, 0.5], [0.94, 0.99], FALSE),
        ([1.0, 1.0], [0.97, 0.99], FALSE),  # all: none is chosen
        ([0.5, 0.5], [0.97, NAN], NOT_SHOWN),
        ([0.5, NAN], [0.97, 0.97], NOT_SHOWN),
    ],
)
def test_images_are_chosen_by_confidence(
    masks: list[float | None], confidences: list[float | None], said: Ruling
) -> None:
    made = chosen(masks, confidences, [90.0] * len(masks))
    assert ruling("chosen-by-confidence", made) is said


def test_a_share_without_confidences_is_a_number_and_decides_nothing() -> None:
    found = read("chosen-by-confidence", run(*each("mask", 0.25, 0.75)))
    assert found is not None and found.ruling is None
    assert found.numbers == {"share": 0.5, "end": 0.5}
    assert read("chosen-by-confidence", run(*each("mask", None, None))) is None
    assert read("chosen-by-confidence", other=run(*each("mask", 0.5))) is None


def test_the_end_is_the_last_evaluations_that_are_logged() -> None:
    masks: list[float | None] = [*[0.1] * 4, *[0.6] * LAST, None]
    made = chosen(masks, [0.96] * len(masks), [*[80.0] * 5, *[90.0] * LAST])
    found = read("chosen-by-confidence", made)
    assert found is not None
    assert found.numbers["end"] == pytest.approx(0.6)
    assert found.numbers["share"] == pytest.approx((4 * 0.1 + 0.6 * LAST) / (4 + LAST))
    assert found.numbers["right_end"] == 90.0 and found.numbers["confidence"] == 0.96


def curve(*top1: float, first: int = 1) -> Run:
    return run(*({"iteration": first + 10 * n, "top1": value} for n, value in enumerate(top1)))


SLOW, QUICK = (10.0, 60.0, 80.0), (75.0, 60.0, 80.0)


@pytest.mark.parametrize(
    ("default", "other", "said"),
    [
        (curve(*SLOW), curve(*SLOW), FALSE),
        (curve(*SLOW), None, FALSE),  # of FixMatch alone
        (curve(*QUICK), curve(*SLOW), TRUE),
        (curve(*QUICK), curve(*QUICK), FALSE),  # both at once: no many against one
        (curve(*QUICK), None, NOT_SHOWN),
        (curve(71.9, 80.0), curve(*SLOW), FALSE),
        (curve(72.0, 80.0), curve(*SLOW), TRUE),  # 90% of the last, to the digit
        (curve(*QUICK, first=5), curve(*SLOW), NOT_SHOWN),  # after one iteration, or by the fifth?
        (curve(10.0, 19.9), curve(*SLOW), NOT_SHOWN),  # nothing learnt
        (curve(10.0, 20.0), curve(*SLOW), FALSE),
        (curve(*QUICK), curve(10.0, 12.0), NOT_SHOWN),
        (curve(*SLOW), curve(10.0, 12.0), FALSE),
    ],
)
def test_iterations_to_nine_tenths(default: Run, other: Run | None, said: Ruling) -> None:
    assert ruling("iterations-to-accuracy", default, other, threshold=0.9) is said


def test_iterations_in_numbers() -> None:
    found = read("iterations-to-accuracy", curve(10, 50, 70, 80), curve(10, 80), threshold=0.6)
    assert found is not None
    assert found.numbers == {"before": 1, "at": 11, "others": 11, "ratio": 1.0}
    found = read("iterations-to-accuracy", curve(10, 30, 70, 80), curve(10, 80), threshold=0.9)
    assert found is not None
    assert found.numbers == {"before": 21, "at": 31, "others": 11, "ratio": 11 / 31}
    assert read("iterations-to-accuracy", None, curve(*SLOW), threshold=0.9) is None


@pytest.mark.parametrize(("pool", "said"), [(9, FALSE), (8, TRUE), (7, TRUE)])
def test_the_pool_in_an_iteration(pool: int, said: Ruling) -> None:
    assert ruling("pool-an-iteration", other=run({}, pool=pool)) is said


def test_a_pool_that_is_not_recorded_decides_nothing() -> None:
    for measure in ("pool-an-iteration", "pool-in-the-run"):
        unknown = run({}, pool=None)
        assert read(measure, unknown, unknown) is None
        assert read(measure) is None


def test_the_pool_in_an_iteration_counts_mu() -> None:
    found = read("pool-an-iteration", other=run({}, pool=1000, mu=7))
    assert found is not None and found.numbers == {"drawn": 56, "pool": 1000, "share": 5.6}


@pytest.mark.parametrize(
    ("pool", "threshold", "said"),
    [(88, 1.0, FALSE), (89, 1.0, TRUE), (89, 0.9, FALSE), (44, 2.0, FALSE), (45, 2.0, TRUE)],
)
def test_the_pool_in_the_run(pool: int, threshold: float, said: Ruling) -> None:
    """11 iterations of 8 images each."""
    assert ruling("pool-in-the-run", run({}, {}, pool=pool), threshold=threshold) is said


def test_the_pool_in_the_run_in_numbers() -> None:
    found = read("pool-in-the-run", run({}, {}, pool=44), run({}, mu=7), threshold=1.0)
    assert found is not None
    expected = {"drawn": 8, "others": 56, "passes": 2.0, "seen": 100 * (1 - (43 / 44) ** 88)}
    assert found.numbers == pytest.approx(expected)


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ([0.0, 1.0], TRUE),
        ([0.0, 0.001], TRUE),
        ([0.0, 0.0], FALSE),
        ([1.0, 1.0, None], FALSE),
        ([0.5, NAN], NOT_SHOWN),
    ],
)
def test_the_share_in_the_loss(masks: list[float | None], said: Ruling) -> None:
    assert ruling("share-in-the-loss", run(*each("mask", *masks))) is said


def test_a_share_that_is_not_logged_decides_nothing() -> None:
    assert read("share-in-the-loss", run(*each("mask", None))) is None
    assert read("share-in-the-loss", other=run(*each("mask", 0.5))) is None
