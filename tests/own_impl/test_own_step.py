from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from own_impl.config import Config
from own_impl.network.wideresnet import WideResNet
from own_impl.step import (
    Batch,
    CompileError,
    FixMatch,
    NonFiniteLoss,
    deinterleave,
    interleave,
    make_optimizer,
    pseudo_labels,
    unlabelled_loss,
)

Tiny = Callable[..., Config]


def _model(config: Config) -> FixMatch:
    torch.manual_seed(0)
    return FixMatch(WideResNet(10, 1), config)


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
    plain = _model(tiny()).losses(batch)
    mixed = _model(tiny(interleave=True)).losses(batch)
    for name in ("total", "labelled", "unlabelled", "mask"):
        torch.testing.assert_close(getattr(plain, name), getattr(mixed, name), msg=name)


def test_total_is_labelled_plus_weighted_unlabelled(tiny: Tiny, batch: Batch) -> None:
    losses = _model(tiny(lambda_u=3.0, threshold=0.0)).losses(batch)
    assert losses.mask.item() == 1
    assert losses.unlabelled.item() > 0
    torch.testing.assert_close(losses.total.detach(), losses.labelled + 3 * losses.unlabelled)


def _weights_after(config: Config, *batches: Batch) -> list[torch.Tensor]:
    model = _model(config)
    for each in batches:
        model.step(each)
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


def test_decay_is_on_convolution_and_linear_weights_only() -> None:
    network = WideResNet(10, 2)
    optimizer = make_optimizer(network, Config())
    decay = {
        id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]
    }
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(decay)
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_weight = isinstance(module, torch.nn.Conv2d | torch.nn.Linear) and name == "weight"
            assert decay[id(parameter)] == (5e-4 if is_weight else 0.0)
    assert decay[id(network.fc.weight)] == 5e-4
    assert all(group["nesterov"] and group["momentum"] == 0.9 for group in optimizer.param_groups)
    assert all(group["dampening"] == 0 for group in optimizer.param_groups)


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
    batch = Batch(
        batch.labelled.double(), batch.targets, batch.weak.double(), batch.strong.double()
    )
    inputs = torch.cat([batch.labelled, batch.weak, batch.strong])
    confidence = copy.deepcopy(network)(inputs)[2:6].softmax(1).amax(1).sort().values
    threshold = confidence[1:3].mean().item()  # two of four are above it at first
    reference = copy.deepcopy(network)
    model = FixMatch(network, tiny(threshold=threshold, iterations=10))
    momentum: dict[str, torch.Tensor] = {}
    ema = {name: p.detach().clone() for name, p in reference.named_parameters()}
    for k in range(3):
        losses = model.step(batch)
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


@pytest.mark.parametrize("broken", ["labelled", "strong"])
def test_a_loss_that_is_not_finite_stops_before_the_weights(
    tiny: Tiny, batch: Batch, broken: str
) -> None:
    model = _model(tiny(threshold=0.0))
    model.step(batch)
    weights = [p.detach().clone() for p in model.network.parameters()]
    average = {name: value.clone() for name, value in model.ema.average.items()}
    bad = replace(batch, **{broken: torch.full_like(getattr(batch, broken), math.inf)})
    with pytest.raises(NonFiniteLoss) as caught:
        model.step(bad)
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
    model = _model(tiny(threshold=0.0))
    model.checks_each_step = False
    model.step(batch)
    model.check_finite()
    rates = []
    for inputs in (
        batch,
        replace(batch, labelled=torch.full_like(batch.labelled, math.nan)),
        batch,
    ):
        rates.append(model.learning_rate)
        model.step(inputs)
    assert model.iteration == 4
    with pytest.raises(NonFiniteLoss) as caught:
        model.check_finite()
    assert "the loss is nan at iteration 2: labelled nan, unlabelled " in str(caught.value)
    assert f"learning rate {rates[1]:.6g}" in str(caught.value)


def test_losses_nobody_looks_at_do_not_pile_up(
    tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("own_impl.step.MOST_UNCHECKED", 2)
    model = _model(tiny())
    model.checks_each_step = False
    model.step(replace(batch, strong=torch.full_like(batch.strong, math.inf)))
    with pytest.raises(NonFiniteLoss, match="at iteration 0"):
        model.step(batch)


@pytest.mark.timeout(600)
def test_the_compiled_network_takes_the_same_steps(tiny: Tiny, batch: Batch) -> None:
    plain, compiled = _model(tiny(threshold=0.0)), _model(tiny(threshold=0.0, compile=True))
    for _ in range(3):
        ours, expected = compiled.step(batch), plain.step(batch)
        torch.testing.assert_close(ours.total, expected.total, rtol=1e-4, atol=1e-5)
    # An activation that rounds to the other side of LeakyReLU's kink has ten times the gradient, so
    # single elements differ by more than rounding does (so do two eager memory formats).
    for name, value in plain.network.state_dict().items():
        ours_value = compiled.network.state_dict()[name]
        torch.testing.assert_close(ours_value, value, rtol=1e-2, atol=5e-4)
    for name, value in plain.ema.average.items():
        torch.testing.assert_close(compiled.ema.average[name], value, rtol=1e-2, atol=5e-4)


def test_what_the_compiler_says_is_one_line_with_the_remedy(
    tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def no_compiler(_: torch.Tensor) -> torch.Tensor:
        raise TorchDynamoException("No working C++ compiler found\nin a list of some")

    monkeypatch.setattr(torch, "compile", lambda network: no_compiler)
    with pytest.raises(CompileError) as caught:
        _model(tiny(compile=True)).step(batch)
    assert "(No working C++ compiler found); put a C++ compiler" in str(caught.value)
    assert "use --no-compile" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_of_the_network_itself_are_not_the_compilers(
    tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong_shape(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("expected 3 channels")

    monkeypatch.setattr(torch, "compile", lambda network: wrong_shape)
    with pytest.raises(RuntimeError, match="expected 3 channels"):
        _model(tiny(compile=True)).step(batch)


def test_bf16_losses_are_close_to_fp32s(tiny: Tiny, batch: Batch) -> None:
    exact = _model(tiny(threshold=0.0)).step(batch)
    model = _model(tiny(threshold=0.0, precision="bf16"))
    rounded = model.step(batch)
    assert rounded.total.dtype == torch.float32
    assert torch.isfinite(rounded.total)
    torch.testing.assert_close(rounded.labelled, exact.labelled, rtol=0.05, atol=0.05)
    assert all(p.dtype == torch.float32 for p in model.network.parameters())
    assert all(torch.isfinite(p).all() for p in model.network.parameters())


def test_the_learning_rate_follows_the_schedule(tiny: Tiny, batch: Batch) -> None:
    model = _model(tiny(iterations=4, warmup=2))
    rates = []
    for _ in range(4):
        rates.append(model.learning_rate)
        model.step(batch)
        assert {group["lr"] for group in model.optimizer.param_groups} == {rates[-1]}
    assert rates == pytest.approx([0, 0.015, 0.03, 0.03 * math.cos(7 * math.pi / 32)])
