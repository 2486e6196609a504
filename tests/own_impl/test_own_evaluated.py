from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from own_impl import checkpoint
from own_impl.config import Config
from own_impl.data import channels_first, load
from own_impl.evaluated import evaluated
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Batch, FixMatch
from own_impl.views.views import normalise

Tiny = Callable[..., Config]


def _trained(config: Config, batch: Batch) -> FixMatch:
    torch.manual_seed(0)
    model = FixMatch(WideResNet(config.depth, config.widen_factor), config)
    for _ in range(2):
        model.step(batch)
    return model


def _copy(model: FixMatch) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.network.state_dict().items()}


@pytest.mark.parametrize("precise_bn", [True, False])
@pytest.mark.parametrize("use_ema", [True, False])
def test_which_weights_and_statistics_count_and_are_exported(
    tiny: Tiny, batch: Batch, tmp_path: Path, use_ema: bool, precise_bn: bool
) -> None:
    config = tiny(use_ema=use_ema, precise_bn=precise_bn)
    model = _trained(config, batch)
    live = _copy(model)
    with evaluated(model, load(config)) as network:
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
    with torch.no_grad(), evaluated(model, data) as network:
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
    with pytest.raises(KeyError), evaluated(model, load(config)):
        raise KeyError
    assert all(torch.equal(value, before[name]) for name, value in _copy(model).items())
    assert {module.training for module in model.network.modules()} == {training}
