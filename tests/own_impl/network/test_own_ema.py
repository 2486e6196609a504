from __future__ import annotations

import pytest
import torch
from torch import nn

from own_impl.network.ema import Ema


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def _change(network: nn.Module) -> None:
    with torch.no_grad():
        for p in network.parameters():
            p.add_(torch.ones_like(p))


def test_starts_at_the_weights_and_is_a_copy(network: nn.Module) -> None:
    ema = Ema(network, 0.9)
    before = network.get_parameter("0.weight").detach().clone()
    _change(network)
    assert torch.equal(ema.average["0.weight"], before)


def test_averages_parameters_only(network: nn.Module) -> None:
    assert set(Ema(network, 0.9).average) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_update_is_the_formula(network: nn.Module) -> None:
    ema = Ema(network, 0.9)
    expected = {name: value.clone() for name, value in ema.average.items()}
    for _ in range(3):
        _change(network)
        ema.update()
        for name, p in network.named_parameters():
            expected[name] = 0.9 * expected[name] + 0.1 * p.detach()
    for name, value in expected.items():
        torch.testing.assert_close(ema.average[name], value)


def test_update_leaves_weights_and_buffers_alone(network: nn.Module) -> None:
    ema = Ema(network, 0.5)
    network(torch.randn(8, 3))
    _change(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ema.update()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_applied_puts_the_average_in_and_the_weights_back(network: nn.Module) -> None:
    ema = Ema(network, 0.5)
    _change(network)
    network(torch.randn(8, 3))
    own = {name: value.clone() for name, value in network.state_dict().items()}
    with ema.applied() as averaged:
        assert averaged is network
        for name, value in network.state_dict().items():
            assert torch.equal(value, ema.average.get(name, own[name])), name
    for name, value in network.state_dict().items():
        assert torch.equal(value, own[name])


def test_applied_puts_the_weights_back_after_an_error(network: nn.Module) -> None:
    ema = Ema(network, 0.5)
    _change(network)
    own = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(RuntimeError, match="evaluation failed"), ema.applied():
        raise RuntimeError("evaluation failed")
    for name, value in network.state_dict().items():
        assert torch.equal(value, own[name])


def test_training_goes_on_with_the_same_parameters_after_applied(network: nn.Module) -> None:
    ema = Ema(network, 0.5)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with ema.applied():
        pass
    before = ema.average["0.bias"].clone()
    network(torch.randn(8, 3)).sum().backward()
    weight = network.get_parameter("1.bias").detach().clone()
    optimizer.step()
    assert not torch.equal(network.get_parameter("1.bias"), weight)
    assert torch.equal(ema.average["0.bias"], before)
