from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from own_impl.algorithms import fixmatch
from own_impl.algorithms.mixmatch import Batch, draw, make
from own_impl.config import Config
from own_impl.data import MEAN, STD, Data, load
from own_impl.views.batches import Batches

CPU = torch.device("cpu")


@pytest.fixture
def tiny(tiny: Callable[..., Config]) -> Callable[..., Config]:
    def make_config(**changes: Any) -> Config:
        return tiny(**{"algorithm": "mixmatch"} | changes)

    return make_config


Tiny = Callable[..., Config]


def _batch(data: Data, config: Config, iteration: int) -> Batch:
    return make(data, draw(data, config, iteration), CPU)


def _same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Batch))


def _indices(inputs: torch.Tensor) -> list[int]:
    """Which images of `coloured` these are."""
    values = (inputs[:, 0, 0, 0] * STD[0] + MEAN[0]) * 255
    return [int(v) for v in values.round()]


def test_shapes_and_types(tiny: Tiny) -> None:
    config = tiny(batch_size=3, mu=4)
    batch = _batch(load(config), config, 0)
    assert batch.labelled.shape == (3, 3, 32, 32)
    assert batch.targets.shape == (3,)
    assert batch.weak.shape == batch.weak_2.shape == (12, 3, 32, 32)
    assert batch.lambdas.shape == batch.partners.shape == (27,)
    assert batch.truth.shape == (12,)
    assert batch.labelled.dtype == batch.weak.dtype == batch.weak_2.dtype == torch.float32
    assert (batch.lambdas.dtype, batch.partners.dtype) == (torch.float64, torch.int64)


def test_seed_and_iteration_fix_the_batch(tiny: Tiny) -> None:
    config = tiny()
    data = load(config)
    batch = _batch(data, config, 5)
    _batch(data, config, 6)
    torch.manual_seed(99)
    np.random.seed(99)
    assert _same(batch, _batch(data, config, 5))
    assert not _same(batch, _batch(data, config, 6))
    assert not _same(batch, _batch(data, tiny(seed=1), 5))


@pytest.mark.parametrize("mixup", ["batch", "paper"])
def test_batches_made_together_are_those_made_alone(tiny: Tiny, mixup: str) -> None:
    config = tiny(iterations=70, mixup=mixup)
    data = load(config)
    batches = Batches(data, config, CPU, draw, make)
    for k in (0, 1, 63, 64, 69, 3):
        assert _same(batches[k], _batch(data, config, k))


def test_both_views_are_of_the_image_whose_label_is_told(tiny: Tiny, coloured: Data) -> None:
    config = tiny(batch_size=5, mu=4)
    drawn, batch = draw(coloured, config, 3), _batch(coloured, config, 3)
    assert _indices(batch.weak) == _indices(batch.weak_2) == drawn.unlabelled.tolist()
    assert batch.truth.tolist() == coloured.train_labels[drawn.unlabelled].tolist()
    assert _indices(batch.labelled) == drawn.labelled.tolist()
    assert batch.targets.tolist() == coloured.train_labels[drawn.labelled].tolist()


def test_the_two_views_are_drawn_apart(tiny: Tiny) -> None:
    config = tiny(batch_size=50, mu=4)
    drawn = draw(load(config), config, 0)
    one, other = drawn.weak_views, drawn.weak_views_2
    for name in ("flip", "top", "left"):
        same = (getattr(one, name) == getattr(other, name)).mean()
        assert same == pytest.approx(1 / len(set(getattr(one, name))), abs=0.12), name


def test_images_are_drawn_as_for_fixmatch(tiny: Tiny, coloured: Data) -> None:
    """Runs of both algorithms with one seed see the same images in each iteration."""
    config, other = tiny(), tiny(algorithm="fixmatch")
    for k in range(3):
        mine, theirs = draw(coloured, config, k), fixmatch.draw(coloured, other, k)
        assert np.array_equal(mine.labelled, theirs.labelled)
        assert np.array_equal(mine.unlabelled, theirs.unlabelled)
        assert np.array_equal(mine.weak_views.top, theirs.weak_views.top)


def test_unlabelled_images_are_all_of_them_with_replacement(tiny: Tiny, coloured: Data) -> None:
    config = tiny(batch_size=10, mu=60)
    counts = Counter(draw(coloured, config, 0).unlabelled.tolist())
    assert set(counts) == set(range(60))
    assert len(set(counts.values())) > 1


@pytest.mark.parametrize(("mixup", "different"), [("batch", 1), ("paper", 10)])
def test_one_lambda_a_batch_or_one_an_example(
    tiny: Tiny, coloured: Data, mixup: str, different: int
) -> None:
    config = tiny(mixup=mixup)
    for k in range(3):
        assert len(set(draw(coloured, config, k).lambdas.tolist())) == different


@pytest.mark.parametrize("mixup", ["batch", "paper"])
@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_lambda_is_of_the_beta_distribution(
    tiny: Tiny, coloured: Data, mixup: str, alpha: float
) -> None:
    config = tiny(mixup=mixup, alpha=alpha)
    drawn = [draw(coloured, config, k).lambdas[0] for k in range(1000)]
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.01
    other = stats.beta(2 * alpha, 2 * alpha)
    assert stats.kstest(drawn, other.cdf).pvalue < 1e-6


def test_partners_are_any_of_all_views_and_each_is_one_once(tiny: Tiny, coloured: Data) -> None:
    config = tiny()
    partners = np.array([draw(coloured, config, k).partners for k in range(1000)])
    assert (np.sort(partners, axis=1) == np.arange(10)).all()
    counts = [np.bincount(partners[:, place], minlength=10) for place in range(10)]
    assert stats.chisquare(np.ravel(counts)).pvalue > 0.01
