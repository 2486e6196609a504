from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from own_impl.network.wideresnet import WideResNet

REPOSITORY = Path(__file__).parents[3]


TORCHSSL = Path(os.environ.get("TORCHSSL_DIR") or REPOSITORY / "third_party/torchssl")


@pytest.mark.parametrize(
    ("depth", "widen_factor", "parameters", "convolution_biases"),
    [(28, 2, 1_469_642, 2_032), (10, 1, 78_186, 336)],
)
def test_parameter_counts(
    depth: int, widen_factor: int, parameters: int, convolution_biases: int
) -> None:
    network = WideResNet(depth, widen_factor)
    assert sum(p.numel() for p in network.parameters()) == parameters
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert sum(m.bias.numel() for m in convolutions if m.bias is not None) == convolution_biases
    assert sum(m.kernel_size == (3, 3) for m in convolutions) == depth - 3


@pytest.mark.parametrize("classes", [3, 10, 100])
def test_output_is_a_logit_for_each_class(classes: int) -> None:
    network = WideResNet(10, 1, classes)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, classes)


def test_each_group_after_the_first_halves_the_resolution() -> None:
    network = WideResNet(16, 2)
    x = network.conv1(torch.zeros(1, 3, 32, 32))
    shapes = [x.shape]
    for group in (network.block1, network.block2, network.block3):
        x = group(x)
        shapes.append(x.shape)
    assert [tuple(s[1:]) for s in shapes] == [
        (16, 32, 32),
        (32, 32, 32),
        (64, 16, 16),
        (128, 8, 8),
    ]


def test_batch_norm_and_activation_constants() -> None:
    modules = list(WideResNet(28, 2).modules())
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    activations = [m for m in modules if isinstance(m, nn.LeakyReLU)]
    assert {(m.momentum, m.eps) for m in norms} == {(0.001, 0.001)}
    assert {m.negative_slope for m in activations} == {0.1}
    assert len(norms) == len(activations) == 25


def test_equal_seeds_draw_equal_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in WideResNet(10, 1).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@pytest.fixture(scope="module")
def torchssl() -> ModuleType:
    """TorchSSL's own module of the network."""
    if not (TORCHSSL / "fixmatch.py").exists():
        pytest.skip("the TorchSSL submodule is not there")
    spec = importlib.util.spec_from_file_location("torchssl_wrn", TORCHSSL / "models/nets/wrn.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert set(ours) == set(theirs)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.torchssl
@pytest.mark.parametrize(("depth", "widen_factor", "seed"), [(10, 1, 0), (28, 2, 3), (16, 3, 7)])
def test_initial_weights_are_torchssls_for_the_same_seed(
    torchssl: ModuleType, depth: int, widen_factor: int, seed: int
) -> None:
    torch.manual_seed(seed)
    theirs = torchssl.WideResNet(1, 10, depth, widen_factor).state_dict()
    torch.manual_seed(seed)
    _assert_equal(WideResNet(depth, widen_factor).state_dict(), theirs)


@pytest.mark.torchssl
def test_initial_weights_are_those_of_torchssls_builder_in_its_own_process(
    torchssl: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "weights.safetensors"
    command = ["-m", "harness.implementations.torchssl.child.entry", "--torchssl"]
    verb = ["weights", "--seed", "3", "--depth", "28", "--widen-factor", "2", "--out"]
    subprocess.run(
        [sys.executable, *command, str(TORCHSSL), *verb, str(file)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=True,
        capture_output=True,
    )
    torch.manual_seed(3)
    _assert_equal(WideResNet(28, 2).state_dict(), load_file(file))


@pytest.mark.torchssl
@pytest.mark.parametrize(("depth", "widen_factor"), [(10, 1), (16, 2)])
def test_logits_gradients_and_statistics_are_torchssls(
    torchssl: ModuleType, depth: int, widen_factor: int
) -> None:
    theirs = torchssl.WideResNet(1, 10, depth, widen_factor)
    ours = WideResNet(depth, widen_factor)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    logits, their_logits = ours(x), theirs(x)
    assert torch.equal(logits, their_logits)
    logits.square().sum().backward()
    their_logits.square().sum().backward()
    for (name, own), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (own.grad is None) == (other.grad is None), name
        if own.grad is not None:
            torch.testing.assert_close(own.grad, other.grad, msg=name)
    for name, own in ours.named_buffers():
        assert torch.equal(own, theirs.get_buffer(name)), name
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
