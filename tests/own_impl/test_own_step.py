from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from own_impl.algorithms.fixmatch import Batch
from own_impl.config import Config
from own_impl.network.wideresnet import WideResNet
from own_impl.step import make_optimizer
from tests.own_impl.conftest import new_model, step

Tiny = Callable[..., Config]


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


def test_the_learning_rate_follows_the_schedule(tiny: Tiny, batch: Batch) -> None:
    model = new_model(tiny(iterations=4, warmup=2))
    rates = []
    for _ in range(4):
        rates.append(model.learning_rate)
        step(model, batch)
        assert {group["lr"] for group in model.optimizer.param_groups} == {rates[-1]}
    assert rates == pytest.approx([0, 0.015, 0.03, 0.03 * math.cos(7 * math.pi / 32)])
