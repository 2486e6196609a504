from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from own_impl import checkpoint
from own_impl.algorithms.fixmatch import Batch
from own_impl.config import Config
from own_impl.data import MEAN, STD, channels_first, load
from own_impl.evaluate import Evaluation, Evaluator, network_to_evaluate
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Model
from own_impl.views.views import normalise
from tests.own_impl.conftest import new_model, step

CPU = torch.device("cpu")
Tiny = Callable[..., Config]


class Table(nn.Module):
    """Image i, which has value i everywhere, gets row i of a table as its logits."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits
        self.modes: list[bool] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        assert not torch.is_grad_enabled()
        value = (x[:, 0, 0, 0] * STD[0] + MEAN[0]) * 255
        return self.logits[value.round().long()]


def _images(n: int) -> np.ndarray:
    return np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 32, 32, 3)).copy()


def _evaluate(
    network: nn.Module, images: np.ndarray, labels: np.ndarray, batch_size: int
) -> Evaluation:
    return Evaluator(images, labels, CPU).evaluate(network, batch_size)


def test_accuracies_and_loss_of_known_logits() -> None:
    ranks = torch.arange(10.0, 0.0, -1.0)  # class 0 first, class 9 last
    labels = np.array([0, 1, 4, 5])  # first, second, fifth, sixth
    result = _evaluate(Table(ranks.repeat(4, 1)), _images(4), labels, 3)
    log_sum = math.log(sum(math.exp(x) for x in range(1, 11)))
    assert result.top1 == 25.0
    assert result.top5 == 75.0
    assert result.loss == pytest.approx(log_sum - (10 + 9 + 6 + 5) / 4, rel=1e-6)


@pytest.mark.parametrize("size", [1, 7, 20, 512])
def test_batch_size_does_not_matter(size: int) -> None:
    logits = torch.randn(20, 10, generator=torch.Generator().manual_seed(0))
    labels = np.arange(20) % 10
    whole = _evaluate(Table(logits), _images(20), labels, 20)
    parts = _evaluate(Table(logits), _images(20), labels, size)
    assert (parts.top1, parts.top5) == (whole.top1, whole.top5)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_evaluates_in_evaluation_mode_and_puts_the_mode_back(training: bool) -> None:
    network = Table(torch.zeros(4, 10)).train(training)
    _evaluate(network, _images(4), np.zeros(4, np.int64), 2)
    assert network.modes == [False, False]
    assert network.training is training


def test_a_real_network_keeps_its_statistics(arrays: tuple[np.ndarray, ...]) -> None:
    network = WideResNet(10, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    result = _evaluate(network, arrays[2], arrays[3], 20)
    assert 0 <= result.top1 <= result.top5 <= 100
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_fewer_than_five_classes_can_be_evaluated() -> None:
    result = _evaluate(Table(torch.eye(3)), _images(3), np.array([0, 1, 0]), 3)
    assert result.top1 == pytest.approx(200 / 3)
    assert result.top5 == 100.0


def _trained(config: Config, batch: Batch) -> Model:
    model = new_model(config)
    for _ in range(2):
        step(model, batch)
    return model


def _copy(model: Model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.network.state_dict().items()}


@pytest.mark.parametrize("precise_bn", [True, False])
@pytest.mark.parametrize("use_ema", [True, False])
def test_which_weights_and_statistics_count_and_are_exported(
    tiny: Tiny, batch: Batch, tmp_path: Path, use_ema: bool, precise_bn: bool
) -> None:
    config = tiny(use_ema=use_ema, precise_bn=precise_bn)
    model = _trained(config, batch)
    live = _copy(model)
    with network_to_evaluate(model, load(config)) as network:
        checkpoint.export_final(tmp_path / "final.safetensors", network)
    exported = load_file(tmp_path / "final.safetensors")
    assert set(exported) == set(live)
    for name, weights in model.network.named_parameters():
        expected = model.ema.average[name] if use_ema else weights
        assert torch.equal(exported[name], expected), name
    for name, left in model.network.named_buffers():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(exported[name], left) is not precise_bn, name
    assert not torch.equal(live["fc.weight"], model.ema.average["fc.weight"])


def test_precise_statistics_are_those_of_all_training_images(tiny: Tiny, batch: Batch) -> None:
    """Of the layer behind the first convolution: mean and variance of what comes out of that."""
    config = tiny(precise_bn=True)
    data = load(config)
    model = _trained(config, batch)
    with torch.no_grad(), network_to_evaluate(model, data) as network:
        assert isinstance(network, WideResNet)
        first = network.get_submodule("block1.layer.0.bn1")
        out = network.conv1(normalise(channels_first(data.train_images)))
        mean, variance = out.mean((0, 2, 3)), out.var((0, 2, 3))
        torch.testing.assert_close(first.get_buffer("running_mean"), mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(first.get_buffer("running_var"), variance, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_afterwards_the_network_is_as_it_was(tiny: Tiny, batch: Batch, training: bool) -> None:
    config = tiny(precise_bn=True)
    model = _trained(config, batch)
    model.network.train(training)
    before = _copy(model)
    with pytest.raises(KeyError), network_to_evaluate(model, load(config)):
        raise KeyError
    assert all(torch.equal(value, before[name]) for name, value in _copy(model).items())
    assert {module.training for module in model.network.modules()} == {training}
