from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from own_impl.algorithms.fixmatch import (
    Batch,
    deinterleave,
    interleave,
    pseudo_labels,
    unlabelled_loss,
)
from own_impl.config import Config
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Model
from tests.own_impl.conftest import losses_of, new_model, step

Tiny = Callable[..., Config]


def _logits(*probabilities: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_pseudo_label_is_the_likeliest_class_where_confidence_reaches_the_threshold() -> None:
    labels, mask = pseudo_labels(
        _logits((0.96, 0.03, 0.01), (0.05, 0.94, 0.01), (0.01, 0.01, 0.98)), 0.95
    )
    assert labels.tolist() == [0, 1, 2]
    assert mask.tolist() == [1, 0, 1]


def test_the_threshold_itself_counts() -> None:
    logits = torch.zeros(1, 4)  # every class has exactly 1 / 4
    assert pseudo_labels(logits, 0.25)[1].tolist() == [1]
    assert pseudo_labels(logits, 0.2500001)[1].tolist() == [0]


def test_unlabelled_loss_divides_by_all_images() -> None:
    strong = _logits((0.5, 0.5), (0.25, 0.75), (0.1, 0.9), (0.2, 0.8))
    labels, mask = torch.tensor([0, 0, 1, 1]), torch.tensor([1.0, 1.0, 0.0, 0.0])
    expected = (math.log(2) + math.log(4)) / 4
    assert unlabelled_loss(strong, labels, mask).item() == pytest.approx(expected)


def test_unlabelled_loss_is_0_when_nothing_is_confident() -> None:
    loss = unlabelled_loss(torch.randn(4, 10), torch.zeros(4, dtype=torch.int64), torch.zeros(4))
    assert loss.item() == 0


def test_no_gradient_flows_through_pseudo_labels() -> None:
    weak = torch.randn(4, 10, requires_grad=True)
    strong = torch.randn(4, 10, requires_grad=True)
    labels, mask = pseudo_labels(weak, 0.0)
    assert not mask.requires_grad
    unlabelled_loss(strong, labels, mask).backward()
    assert weak.grad is None
    assert strong.grad is not None and strong.grad.abs().sum() > 0


@pytest.mark.parametrize(("batch_size", "mu"), [(8, 2), (2, 2), (3, 7)])
def test_deinterleave_undoes_interleave(batch_size: int, mu: int) -> None:
    groups = 2 * mu + 1
    x = torch.randn(batch_size * groups, 3, 2, 2)
    mixed = interleave(x, groups)
    assert mixed.shape == x.shape
    assert not torch.equal(mixed, x)
    assert torch.equal(deinterleave(mixed, groups), x)


def test_interleave_deals_every_kind_to_every_slice() -> None:
    kinds = torch.tensor([0] * 8 + [1] * 16 + [2] * 16)
    for part in interleave(kinds, 5).chunk(5):
        assert set(part.tolist()) == {0, 1, 2}


def test_interleaving_changes_no_loss_on_one_device(tiny: Tiny, batch: Batch) -> None:
    plain = losses_of(new_model(tiny()), batch)
    mixed = losses_of(new_model(tiny(interleave=True)), batch)
    for name in ("total", "labelled", "unlabelled", "mask"):
        torch.testing.assert_close(getattr(plain, name), getattr(mixed, name), msg=name)


def test_total_is_labelled_plus_weighted_unlabelled(tiny: Tiny, batch: Batch) -> None:
    losses = losses_of(new_model(tiny(lambda_u=3.0, threshold=0.0)), batch)
    assert losses.mask.item() == 1
    assert losses.unlabelled.item() > 0
    torch.testing.assert_close(losses.total.detach(), losses.labelled + 3 * losses.unlabelled)


def _weights_after(config: Config, *batches: Batch) -> list[torch.Tensor]:
    model = new_model(config)
    for each in batches:
        step(model, each)
    return [*model.network.state_dict().values(), *model.ema.average.values()]


def _equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_at_weight_0_no_pseudo_label_moves_a_weight(tiny: Tiny, batch: Batch) -> None:
    """Whether all unlabelled images count or none: to the bit, where at weight 1 it matters."""
    for lambda_u, same in ((0.0, True), (1.0, False)):
        all_count, none_counts = (
            _weights_after(tiny(lambda_u=lambda_u, threshold=threshold), *[batch] * 3)
            for threshold in (0.0, 1.0)
        )
        assert _equal(all_count, none_counts) == same


def test_at_weight_0_batch_norm_still_sees_the_unlabelled_views(tiny: Tiny, batch: Batch) -> None:
    other = replace(batch, weak=2 * batch.weak + 1)
    before, after = (_weights_after(tiny(lambda_u=0.0), each) for each in (batch, other))
    assert not _equal(before, after)


def _reference_step(
    network: WideResNet,
    batch: Batch,
    momentum: dict[str, torch.Tensor],
    ema: dict[str, torch.Tensor],
    lr: float,
    threshold: float,
) -> tuple[float, float, float]:
    """FixMatch, SGD with Nesterov momentum and moving average, written out; labelled loss first."""
    n, m = len(batch.labelled), len(batch.weak)
    log_q = network(torch.cat([batch.labelled, batch.weak, batch.strong])).log_softmax(1)
    labelled = -sum(log_q[i, t] for i, t in enumerate(batch.targets)) / n
    unlabelled, confident = torch.zeros((), dtype=torch.float64), 0
    for i in range(m):
        q = log_q[n + i].detach().exp()
        if q.max() >= threshold:
            confident += 1
            unlabelled = unlabelled - log_q[n + m + i, q.argmax()] / m
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(
        labelled + unlabelled, list(parameters.values()), allow_unused=True
    )
    with torch.no_grad():
        for (name, p), gradient in zip(parameters.items(), gradients, strict=True):
            if gradient is not None:
                decayed = name.endswith("weight") and "bn" not in name
                g = gradient + (5e-4 * p if decayed else 0)
                momentum[name] = 0.9 * momentum[name] + g if name in momentum else g
                p -= lr * (g + 0.9 * momentum[name])
            ema[name] = 0.999 * ema[name] + 0.001 * p
    return labelled.item(), unlabelled.item(), confident / m


def test_steps_equal_a_reference_in_float64(tiny: Tiny, batch: Batch) -> None:
    torch.manual_seed(0)
    network = WideResNet(10, 1).double()
    batch = replace(
        batch,
        labelled=batch.labelled.double(),
        weak=batch.weak.double(),
        strong=batch.strong.double(),
    )
    inputs = torch.cat([batch.labelled, batch.weak, batch.strong])
    confidence = copy.deepcopy(network)(inputs)[2:6].softmax(1).amax(1).sort().values
    threshold = confidence[1:3].mean().item()  # two of four are above it at first
    reference = copy.deepcopy(network)
    model = Model(network, tiny(threshold=threshold, iterations=10))
    momentum: dict[str, torch.Tensor] = {}
    ema = {name: p.detach().clone() for name, p in reference.named_parameters()}
    for k in range(3):
        losses = step(model, batch)
        lr = 0.03 * math.cos(7 * math.pi * k / 160)
        expected = _reference_step(reference, batch, momentum, ema, lr, threshold)
        measured = [x.item() for x in (losses.labelled, losses.unlabelled, losses.mask)]
        assert measured == pytest.approx(expected, rel=1e-10)
        assert k > 0 or measured[2] == 0.5
        for name, value in reference.state_dict().items():
            torch.testing.assert_close(network.state_dict()[name], value, msg=name)
        for name, value in ema.items():
            torch.testing.assert_close(model.ema.average[name], value, rtol=1e-10, atol=1e-12)
    assert model.iteration == 3
