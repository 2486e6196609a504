from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call

from own_impl.algorithms import mixmatch
from own_impl.algorithms.mixmatch import Batch
from own_impl.config import Config
from own_impl.network.initial_weights import draw
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Model
from tests.own_impl.conftest import losses_of, new_model, step

Tiny = Callable[..., Config]
Buffers = dict[str, torch.Tensor]


@pytest.fixture
def config(tiny: Tiny) -> Config:
    return tiny(algorithm="mixmatch", batch_size=4, mu=1, iterations=10, lambda_u=25.0)


def _tensor(*values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _double(batch: Batch) -> Batch:
    return Batch(*(x.double() if x.is_floating_point() else x for x in vars(batch).values()))


def _buffers(network: torch.nn.Module) -> Buffers:
    return {name: value.clone() for name, value in network.named_buffers()}


def _equal(one: Buffers, other: Buffers) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def _reference(
    network: WideResNet, batch: Batch, config: Config, iteration: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Algorithm 1 and equations 2 to 11, image by image: total, labelled and unlabelled loss.

    Guesses and all slices of the mixed batch but the first are of copies, whose averages are lost.
    """
    n, m, classes = len(batch.labelled), len(batch.weak), 10
    with torch.no_grad():
        predictions = [
            copy.deepcopy(network)(views).softmax(1) for views in (batch.weak, batch.weak_2)
        ]
    guessed = []
    for i in range(m):
        mean = (predictions[0][i] + predictions[1][i]) / 2  # 6
        powers = torch.stack([mean[c] ** (1 / config.temperature) for c in range(classes)])
        guessed.append(powers / powers.sum())  # 7
    one_hot = [torch.eye(classes, dtype=torch.float64)[t] for t in batch.targets]
    x = [*batch.labelled, *batch.weak, *batch.weak_2]
    p = [*one_hot, *guessed, *guessed]

    mixed_x, mixed_p = [], []
    for i, partner in enumerate(batch.partners.tolist()):
        share = max(batch.lambdas[i].item(), 1 - batch.lambdas[i].item())  # 9
        mixed_x.append(share * x[i] + (1 - share) * x[partner])  # 10
        mixed_p.append(share * p[i] + (1 - share) * p[partner])  # 11

    # Slices of n, each with its own statistics; the first lends a row to each of the others.
    slices = [list(range(k, k + n)) for k in range(0, len(x), n)]
    rows_of = {1: [1], 2: [2, 3]}  # 4 rows in 3 shares: 1, 1 and 2
    for k, rows in rows_of.items():
        for row in rows:
            slices[0][row], slices[k][row] = slices[k][row], slices[0][row]
    logits: dict[int, torch.Tensor] = {}
    for k, members in enumerate(slices):
        averages = _buffers(network) if k > 0 else dict(network.named_buffers())
        inputs = torch.stack([mixed_x[i] for i in members])
        logits |= dict(zip(members, functional_call(network, averages, inputs), strict=True))

    labelled = torch.zeros((), dtype=torch.float64)
    for i in range(n):
        labelled = labelled - (mixed_p[i] * logits[i].log_softmax(0)).sum() / n  # 3
    unlabelled = torch.zeros((), dtype=torch.float64)
    for i in range(n, len(x)):
        error = ((mixed_p[i] - logits[i].softmax(0)) ** 2).sum()
        unlabelled = unlabelled + error / (classes * 2 * m)  # 4
    weight = config.lambda_u * min(1.0, iteration / (0.4 * config.total_iterations))
    return labelled + weight * unlabelled, labelled, unlabelled  # 5


@pytest.mark.parametrize("iteration", [0, 3, 9])
@pytest.mark.parametrize("each", [False, True], ids=["a lambda a batch", "a lambda an example"])
def test_losses_and_gradients_equal_a_reference_in_float64(
    config: Config, mixed_batch: Batch, each: bool, iteration: int
) -> None:
    batch = _double(mixed_batch)
    if each:
        batch = replace(batch, lambdas=torch.linspace(0.0, 1.0, 12, dtype=torch.float64))
    network = draw(10, 1, 10, 0).double()
    network.fc.weight.data *= 8  # guesses that differ from one another
    reference = copy.deepcopy(network)
    model = Model(network, config)
    losses = mixmatch.losses(model.forward, batch, config, iteration)
    total, labelled, unlabelled = _reference(reference, batch, config, iteration)
    torch.testing.assert_close(losses.total, total, rtol=1e-10, atol=0)
    torch.testing.assert_close(losses.labelled, labelled.detach(), rtol=1e-10, atol=0)
    torch.testing.assert_close(losses.unlabelled, unlabelled.detach(), rtol=1e-10, atol=0)
    losses.total.backward()
    total.backward()
    for (name, ours), theirs in zip(
        network.named_parameters(), reference.parameters(), strict=True
    ):
        if theirs.grad is None:
            assert ours.grad is None, name
        else:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-12, msg=name)
    for name, buffer in reference.named_buffers():
        torch.testing.assert_close(network.get_buffer(name), buffer, rtol=1e-12, atol=0, msg=name)


def test_a_guess_is_the_sharpened_mean_of_the_views() -> None:
    said = {1.0: _tensor((0.6, 0.4), (0.2, 0.8)), 2.0: _tensor((0.2, 0.8), (0.2, 0.8))}

    def forward(view: torch.Tensor, *, frozen_averages: bool = False) -> torch.Tensor:
        assert frozen_averages
        return said[view[0, 0].item()].log()

    views = (torch.full((2, 1), 1.0), torch.full((2, 1), 2.0))
    guess = mixmatch.guess_labels(forward, views, temperature=0.5)
    expected = _tensor((0.16 / 0.52, 0.36 / 0.52), (0.04 / 0.68, 0.64 / 0.68))
    torch.testing.assert_close(guess, expected)


def test_sharpening_leaves_a_distribution_at_1_and_picks_a_class_near_0() -> None:
    p = _tensor((0.5, 0.3, 0.2), (0.1, 0.1, 0.8))
    torch.testing.assert_close(mixmatch.sharpen(p, 1.0), p)
    torch.testing.assert_close(mixmatch.sharpen(p, 0.01), _tensor((1, 0, 0), (0, 0, 1)))
    torch.testing.assert_close(mixmatch.sharpen(p, 0.5).sum(1), _tensor(1, 1))


def test_the_larger_share_is_the_views_own() -> None:
    shares = mixmatch.own_shares(_tensor(0.2, 0.7, 0.5, 0.0, 1.0))
    torch.testing.assert_close(shares, _tensor(0.8, 0.7, 0.5, 1.0, 1.0))


def test_a_row_is_mixed_with_its_partner() -> None:
    x = _tensor((1, 10), (2, 20), (4, 40))
    mixed = mixmatch.mix(x, _tensor(1, 0.5, 0.75), torch.tensor([1, 2, 0]))
    torch.testing.assert_close(mixed, _tensor((1, 10), (3, 30), (3.25, 32.5)))


def test_which_side_of_a_half_lambda_lies_is_the_same(config: Config, mixed_batch: Batch) -> None:
    batch = replace(mixed_batch, lambdas=torch.full((12,), 0.25, dtype=torch.float64))
    other = replace(batch, lambdas=1 - batch.lambdas)
    totals = [losses_of(new_model(config), each).total for each in (batch, other)]
    assert torch.equal(*totals)


def test_losses_by_hand() -> None:
    logits = _tensor((0.5, 0.5), (0.25, 0.75)).log()
    targets = _tensor((1.0, 0.0), (0.5, 0.5))
    expected = (np.log(2) + (np.log(4) + np.log(4 / 3)) / 2) / 2
    assert mixmatch.labelled_loss(logits, targets).item() == pytest.approx(expected)
    expected = (0.25 + 0.25 + 0.0625 + 0.0625) / 4
    assert mixmatch.unlabelled_loss(logits, targets).item() == pytest.approx(expected)


def test_no_gradient_flows_through_guesses(config: Config, mixed_batch: Batch) -> None:
    weak = mixed_batch.weak.clone().requires_grad_()
    model = new_model(config)
    guess = mixmatch.guess_labels(model.forward, (weak, mixed_batch.weak_2), 0.5)
    assert not guess.requires_grad


def test_guessing_normalises_by_the_batch_and_moves_no_average(
    config: Config, mixed_batch: Batch
) -> None:
    model = new_model(config)
    before = _buffers(model.network)
    guess = mixmatch.guess_labels(model.forward, (mixed_batch.weak, mixed_batch.weak_2), 1.0)
    assert _equal(before, _buffers(model.network))
    modes = []
    for training in (True, False):
        network = copy.deepcopy(model.network).train(training)
        with torch.no_grad():
            said = [network(views).softmax(1) for views in (mixed_batch.weak, mixed_batch.weak_2)]
        modes.append((said[0] + said[1]) / 2)
    torch.testing.assert_close(guess, modes[0])
    assert (guess - modes[1]).abs().max() > 0.01


def test_only_the_first_slice_moves_the_averages(config: Config, mixed_batch: Batch) -> None:
    model, alone = new_model(config), new_model(config)
    losses_of(model, mixed_batch)
    inputs = mixmatch.mix(
        torch.cat((mixed_batch.labelled, mixed_batch.weak, mixed_batch.weak_2)),
        mixmatch.own_shares(mixed_batch.lambdas),
        mixed_batch.partners,
    )
    alone.network(inputs[[0, 5, 10, 11]])  # of 4, 4 and 4: one labelled, one first, two second
    assert _equal(_buffers(alone.network), _buffers(model.network))
    assert model.network.get_buffer("bn1.num_batches_tracked").item() == 1


@pytest.mark.parametrize(("n", "slices"), [(8, 3), (64, 3), (32, 15), (6, 3), (1, 3), (4, 5)])
def test_the_first_slice_holds_some_of_every_kind(n: int, slices: int) -> None:
    order = mixmatch.interleaved(n, slices)
    kinds, first = order // n, order[:n] // n
    shares = np.bincount(first, minlength=slices)
    assert shares.sum() == n
    assert shares.max() - shares.min() <= 1
    assert np.array_equal(order[order], np.arange(n * slices))  # it undoes itself
    for kind in range(1, slices):  # all others keep their own, but for those that they gave
        assert (kinds[kind * n : (kind + 1) * n] != kind).sum() == shares[kind]


def test_the_weight_rises_linearly_to_all_of_it(tiny: Tiny) -> None:
    config = tiny(algorithm="mixmatch", iterations=10, ramp_up=0.4)
    assert [mixmatch.ramp(k, config) for k in range(6)] == [0, 0.25, 0.5, 0.75, 1, 1]
    always = tiny(algorithm="mixmatch", iterations=10, ramp_up=0)
    assert [mixmatch.ramp(k, always) for k in range(3)] == [1, 1, 1]


def test_total_is_labelled_plus_weighted_unlabelled(config: Config, mixed_batch: Batch) -> None:
    model = new_model(config)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0, 1.0):
        losses = step(model, mixed_batch)
        torch.testing.assert_close(losses.total, losses.labelled + 25 * part * losses.unlabelled)
        assert losses.mask.item() == 1


def test_at_weight_0_unlabelled_images_are_mixed_in_all_the_same(
    tiny: Tiny, mixed_batch: Batch
) -> None:
    config = tiny(algorithm="mixmatch", batch_size=4, mu=1, lambda_u=0)
    other = replace(mixed_batch, weak=mixed_batch.weak + 1, lambdas=mixed_batch.lambdas)
    losses = [losses_of(new_model(config), batch).labelled for batch in (mixed_batch, other)]
    assert not torch.equal(*losses)
