from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from own_impl.data import MEAN, STD
from own_impl.evaluate import evaluate
from own_impl.network.wideresnet import WideResNet

CPU = torch.device("cpu")


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


def test_accuracies_and_loss_of_known_logits() -> None:
    ranks = torch.arange(10.0, 0.0, -1.0)  # class 0 first, class 9 last
    labels = np.array([0, 1, 4, 5])  # first, second, fifth, sixth
    result = evaluate(Table(ranks.repeat(4, 1)), _images(4), labels, 3, CPU)
    log_sum = math.log(sum(math.exp(x) for x in range(1, 11)))
    assert result.top1 == 25.0
    assert result.top5 == 75.0
    assert result.loss == pytest.approx(log_sum - (10 + 9 + 6 + 5) / 4, rel=1e-6)


@pytest.mark.parametrize("size", [1, 7, 20, 512])
def test_batch_size_does_not_matter(size: int) -> None:
    logits = torch.randn(20, 10, generator=torch.Generator().manual_seed(0))
    labels = np.arange(20) % 10
    whole = evaluate(Table(logits), _images(20), labels, 20, CPU)
    parts = evaluate(Table(logits), _images(20), labels, size, CPU)
    assert (parts.top1, parts.top5) == (whole.top1, whole.top5)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_evaluates_in_evaluation_mode_and_puts_the_mode_back(training: bool) -> None:
    network = Table(torch.zeros(4, 10)).train(training)
    evaluate(network, _images(4), np.zeros(4, np.int64), 2, CPU)
    assert network.modes == [False, False]
    assert network.training is training


def test_a_real_network_keeps_its_statistics(arrays: tuple[np.ndarray, ...]) -> None:
    network = WideResNet(10, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    result = evaluate(network, arrays[2], arrays[3], 20, CPU)
    assert 0 <= result.top1 <= result.top5 <= 100
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_fewer_than_five_classes_can_be_evaluated() -> None:
    result = evaluate(Table(torch.eye(3)), _images(3), np.array([0, 1, 0]), 3, CPU)
    assert result.top1 == pytest.approx(200 / 3)
    assert result.top5 == 100.0
