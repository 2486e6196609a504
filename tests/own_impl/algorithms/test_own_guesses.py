from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from own_impl.algorithms import fixmatch, guesses, mixmatch
from own_impl.algorithms.guesses import Guesses
from own_impl.config import Config
from tests.own_impl.conftest import losses_of, new_model, step

Tiny = Callable[..., Config]
CPU = torch.device("cpu")
P = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [1.0, 0.0, 0.0]])
TRUTH = torch.tensor([0, 2, 1])


def _told(*measured: torch.Tensor) -> dict[str, float | None]:
    told = Guesses(CPU)
    for one in measured:
        told.add(one)
    return told.take()


def test_entropy_accuracy_and_confidence_are_means_over_the_guesses_that_count() -> None:
    entropy = -(0.1 * math.log(0.1) + 0.2 * math.log(0.2) + 0.7 * math.log(0.7))
    every = _told(guesses.measure(P, TRUTH, torch.ones(3)))
    assert every["guess_entropy"] == pytest.approx((math.log(2) + entropy) / 3)
    assert every["guess_accuracy"] == pytest.approx(200 / 3)
    assert every["guess_confidence"] == pytest.approx(2.2 / 3)
    last = _told(guesses.measure(P, TRUTH, torch.tensor([0.0, 1.0, 1.0])))
    assert last["guess_entropy"] == pytest.approx(entropy / 2)
    assert last["guess_accuracy"] == pytest.approx(50)
    assert last["guess_confidence"] == pytest.approx(1.7 / 2)


def test_each_guess_weighs_the_same_in_whichever_step_it_was() -> None:
    parts = [guesses.measure(P[:1], TRUTH[:1], torch.ones(1))]
    parts += [guesses.measure(P[1:], TRUTH[1:], torch.ones(2))]
    assert _told(*parts) == pytest.approx(_told(guesses.measure(P, TRUTH, torch.ones(3))))


def test_after_telling_it_begins_anew() -> None:
    told = Guesses(CPU)
    nothing = {"guess_entropy": None, "guess_accuracy": None, "guess_confidence": None}
    assert told.take() == nothing
    told.add(guesses.measure(P, TRUTH, torch.ones(3)))
    assert told.take() != nothing
    assert told.take() == nothing
    assert _told(guesses.measure(P, TRUTH, torch.zeros(3))) == nothing


def test_fixmatchs_are_pseudo_labels_at_or_above_the_threshold(
    tiny: Tiny, batch: fixmatch.Batch
) -> None:
    model = new_model(tiny())
    inputs = torch.cat((batch.labelled, batch.weak, batch.strong))
    q = model.forward(inputs)[2:6].detach().softmax(1)
    confidence, labels = q.max(1)
    threshold = confidence.sort().values[1:3].mean().item()
    batch = replace(batch, truth=labels.clone())
    batch.truth[confidence.argmax()] += 1
    told = _told(losses_of(new_model(tiny(threshold=threshold)), batch).guesses)
    above = q[confidence >= threshold]
    assert len(above) == 2
    assert told["guess_accuracy"] == 50
    assert told["guess_confidence"] == pytest.approx(above.amax(1).mean().item())
    entropy = -(above * above.log()).sum(1).mean().item()
    assert told["guess_entropy"] == pytest.approx(entropy, rel=1e-5)


def test_mixmatchs_are_the_sharpened_guesses_of_all_unlabelled_images(
    tiny: Tiny, mixed_batch: mixmatch.Batch
) -> None:
    config = tiny(algorithm="mixmatch", batch_size=4, mu=1)
    views = (mixed_batch.weak, mixed_batch.weak_2)
    guess = mixmatch.guess_labels(new_model(config).forward, views, config.temperature)
    batch = replace(mixed_batch, truth=guess.argmax(1))
    told = _told(losses_of(new_model(config), batch).guesses)
    assert told["guess_accuracy"] == 100
    assert told["guess_confidence"] == pytest.approx(guess.amax(1).mean().item())
    entropy = -(guess * guess.log()).sum(1).mean().item()
    assert told["guess_entropy"] == pytest.approx(entropy, rel=1e-5)


def test_what_is_true_of_unlabelled_images_moves_no_weight(
    tiny: Tiny, batch: fixmatch.Batch, mixed_batch: mixmatch.Batch
) -> None:
    for algorithm, given in (("fixmatch", batch), ("mixmatch", mixed_batch)):
        models = []
        for truth in (given.truth, given.truth + 5):
            model = new_model(tiny(algorithm=algorithm, batch_size=4, mu=1))
            for _ in range(3):
                step(model, replace(given, truth=truth))
            models.append(model.network.state_dict() | model.ema.average)
        one, other = models
        assert all(torch.equal(value, other[name]) for name, value in one.items())
