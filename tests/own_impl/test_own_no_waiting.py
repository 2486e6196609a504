"""What a GPU would be asked to do, followed without one: tensors of a CUDA device without values.

Every operation checks that its tensors are on one device, and to ask for a value is an error, as
it would be a wait for the device. Backward pass and autocast need a real one: test_own_gpu.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from own_impl.algorithms import mixmatch
from own_impl.algorithms.fixmatch import draw, make
from own_impl.config import Config
from own_impl.data import load
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Model
from own_impl.views import transfer
from own_impl.views.batches import Batches
from tests.own_impl.conftest import losses_of

CUDA = torch.device("cuda")


@pytest.fixture
def no_values(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)  # asks for a driver
    monkeypatch.setattr(WideResNet, "to", lambda network, **_: network)  # tensors are as made
    transfer._kept.cache_clear()
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield
    transfer._kept.cache_clear()


@pytest.mark.usefixtures("no_values")
def test_to_look_at_a_value_is_an_error() -> None:
    with pytest.raises(DataDependentOutputException):
        torch.zeros(3, device=CUDA).sum().item()


@pytest.mark.usefixtures("no_values")
@pytest.mark.parametrize("strong", ["torchssl", "paper"])
@pytest.mark.parametrize("interleave", [False, True])
def test_views_losses_and_average_wait_for_no_value(
    tiny: Callable[..., Config], strong: str, interleave: bool
) -> None:
    config = tiny(batch_size=8, mu=7, strong=strong, interleave=interleave)
    with CUDA:
        network = WideResNet(10, 1)
    model = Model(network, config)
    batches = Batches(load(config), config, CUDA, draw, make)
    for iteration in (0, batches.together):  # the second is made anew
        batch = batches[iteration]
        losses = losses_of(model, batch)
        model.ema.update()
        model.guesses.add(losses.guesses)
        assert batch.strong.shape == (56, 3, 32, 32)
        assert {losses.total.device.type, batch.weak.device.type} == {"cuda"}
        assert losses.total.dtype == torch.float32


@pytest.mark.usefixtures("no_values")
@pytest.mark.parametrize("mixup", ["batch", "paper"])
def test_mixmatch_waits_for_no_value(tiny: Callable[..., Config], mixup: str) -> None:
    config = tiny(algorithm="mixmatch", batch_size=8, mu=7, mixup=mixup)
    with CUDA:
        network = WideResNet(10, 1)
    model = Model(network, config)
    batches = Batches(load(config), config, CUDA, mixmatch.draw, mixmatch.make)
    for iteration in (0, batches.together):
        batch = batches[iteration]
        losses = losses_of(model, batch)
        model.guesses.add(losses.guesses)
        assert batch.weak_2.shape == (56, 3, 32, 32)
        assert {losses.total.device.type, batch.weak.device.type} == {"cuda"}
        assert losses.total.dtype == torch.float32
