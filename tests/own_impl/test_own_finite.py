from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from own_impl.algorithms.fixmatch import Batch
from own_impl.config import Config
from own_impl.finite import NonFiniteLoss
from tests.own_impl.conftest import new_model, step

Tiny = Callable[..., Config]


@pytest.mark.parametrize("broken", ["labelled", "strong"])
def test_a_loss_that_is_not_finite_stops_before_the_weights(
    tiny: Tiny, batch: Batch, broken: str
) -> None:
    model = new_model(tiny(threshold=0.0))
    step(model, batch)
    weights = [p.detach().clone() for p in model.network.parameters()]
    average = {name: value.clone() for name, value in model.ema.average.items()}
    bad = replace(batch, **{broken: torch.full_like(getattr(batch, broken), math.inf)})
    with pytest.raises(NonFiniteLoss) as caught:
        step(model, bad)
    message = str(caught.value)
    assert "iteration 1" in message
    assert "labelled nan, unlabelled nan" in message
    assert f"learning rate {model.learning_rate:.6g}" in message
    assert "\n" not in message
    assert model.iteration == 1
    for before, after in zip(weights, model.network.parameters(), strict=True):
        assert torch.equal(before, after)
    for name, value in average.items():
        assert torch.equal(model.ema.average[name], value)


def test_a_loss_that_is_looked_at_later_is_told_with_its_own_iteration(
    tiny: Tiny, batch: Batch
) -> None:
    """As on a GPU, where looking at each step would wait for it."""
    model = new_model(tiny(threshold=0.0))
    model.finite.each_step = False
    step(model, batch)
    model.finite.check()
    rates = []
    for inputs in (
        batch,
        replace(batch, labelled=torch.full_like(batch.labelled, math.nan)),
        batch,
    ):
        rates.append(model.learning_rate)
        step(model, inputs)
    assert model.iteration == 4
    with pytest.raises(NonFiniteLoss) as caught:
        model.finite.check()
    assert "the loss is nan at iteration 2: labelled nan, unlabelled " in str(caught.value)
    assert f"learning rate {rates[1]:.6g}" in str(caught.value)


def test_losses_nobody_looks_at_do_not_pile_up(
    tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("own_impl.finite.MOST_UNCHECKED", 2)
    model = new_model(tiny())
    model.finite.each_step = False
    step(model, replace(batch, strong=torch.full_like(batch.strong, math.inf)))
    with pytest.raises(NonFiniteLoss, match="at iteration 0"):
        step(model, batch)
