from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields

import pytest
import torch

from own_impl.algorithms.fixmatch import Batch, draw, make
from own_impl.config import Config
from own_impl.data import MEAN, STD, Data, load

Tiny = Callable[..., Config]
CPU = torch.device("cpu")


def _batch(data: Data, config: Config, iteration: int) -> Batch:
    return make(data, draw(data, config, iteration), CPU)


def _same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Batch))


def _indices(inputs: torch.Tensor) -> list[int]:
    """Which images of `coloured` these are."""
    values = (inputs[:, 0, 0, 0] * STD[0] + MEAN[0]) * 255
    return [int(v) for v in values.round()]


@pytest.mark.parametrize("strong", ["torchssl", "paper"])
def test_shapes_and_types(tiny: Tiny, strong: str) -> None:
    config = tiny(batch_size=3, mu=4, strong=strong)
    batch = _batch(load(config), config, 0)
    assert batch.labelled.shape == (3, 3, 32, 32)
    assert batch.targets.shape == (3,)
    assert batch.targets.dtype == torch.int64
    assert batch.weak.shape == batch.strong.shape == (12, 3, 32, 32)
    assert batch.labelled.dtype == batch.weak.dtype == batch.strong.dtype == torch.float32


def test_seed_and_iteration_fix_the_batch(tiny: Tiny) -> None:
    config = tiny()
    data = load(config)
    batch = _batch(data, config, 5)
    _batch(data, config, 6)
    torch.manual_seed(99)
    assert _same(batch, _batch(data, config, 5))
    assert not _same(batch, _batch(data, config, 6))
    assert not _same(batch, _batch(data, tiny(seed=1), 5))


def test_labelled_images_are_the_given_ones_with_their_labels(tiny: Tiny, coloured: Data) -> None:
    config = tiny(batch_size=300, mu=1)
    batch = _batch(coloured, config, 0)
    drawn = _indices(batch.labelled)
    assert set(drawn) == set(coloured.labelled.tolist())
    assert batch.targets.tolist() == coloured.train_labels[drawn].tolist()


def test_unlabelled_images_are_all_of_them_with_replacement(tiny: Tiny, coloured: Data) -> None:
    config = tiny(batch_size=10, mu=60)
    counts = Counter(_indices(_batch(coloured, config, 0).weak))
    assert set(counts) == set(range(60))  # the labelled ones too
    assert len(set(counts.values())) > 1  # 600 draws without replacement would be 10 of each


def test_one_batch_may_hold_an_image_twice(tiny: Tiny, coloured: Data) -> None:
    config = tiny(batch_size=15, mu=1)
    batches = [_batch(coloured, config, k) for k in range(10)]
    assert any(len(set(_indices(batch.labelled))) < 15 for batch in batches)
    assert any(len(set(_indices(batch.weak))) < 15 for batch in batches)


def test_weak_and_strong_views_are_of_the_same_image(
    tiny: Tiny, coloured: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("own_impl.algorithms.fixmatch.strong_views", lambda images, draw: images)
    batch = _batch(coloured, tiny(batch_size=5, mu=4), 0)
    assert _indices(batch.weak) == _indices(batch.strong)


def test_a_draw_tells_what_the_batch_is_made_of(tiny: Tiny, coloured: Data) -> None:
    config = tiny(batch_size=5, mu=4)
    drawn, batch = draw(coloured, config, 3), _batch(coloured, config, 3)
    assert _indices(batch.labelled) == drawn.labelled.tolist()
    assert _indices(batch.weak) == drawn.unlabelled.tolist()
    assert drawn.strong_views.operations.shape == (20, 3)
    assert drawn.labelled_views.flip.shape == (5,)
    assert drawn.weak_views.top.shape == (20,)
