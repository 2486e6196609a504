"""What only a GPU can show: the same views as on the CPU, and a loop that never waits."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from own_impl import machine
from own_impl.algorithms import choice
from own_impl.algorithms.fixmatch import draw, make
from own_impl.config import Config
from own_impl.data import load
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Model
from own_impl.views import batches as batches_
from own_impl.views.batches import Batches
from own_impl.views.operations import Operation
from own_impl.views.views import (
    OPERATIONS,
    POLICIES,
    apply,
    draw_strong,
    draw_weak,
    normalise,
    strong_views,
    weak_views,
)
from tests.conftest import REPOSITORY
from tests.own_impl.conftest import as_options, step, tiny_settings

Tiny = Callable[..., Config]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here"),
]


@pytest.fixture
def images() -> torch.Tensor:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (50, 3, 32, 32), dtype=np.uint8)
    narrow = (random.integers(0, 200, (50, 3, 1, 1)) + noise // 8).clip(0, 255).astype(np.uint8)
    return torch.from_numpy(np.concatenate([noise, narrow]))


@pytest.fixture(autouse=True)
def _settings_as_they_were() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("default")
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operations_are_the_cpus_pixel_for_pixel(
    operation: Operation, images: torch.Tensor
) -> None:
    magnitudes = np.linspace(operation.low, operation.high, len(images))
    on_gpu = apply(operation.name, images.cuda(), magnitudes)
    assert torch.equal(on_gpu.cpu(), apply(operation.name, images, magnitudes))


@pytest.mark.parametrize("policy", POLICIES)
def test_views_are_the_cpus_pixel_for_pixel(policy: str, images: torch.Tensor) -> None:
    random = np.random.default_rng(1)
    strong = draw_strong(len(images), (32, 32), POLICIES[policy], random)
    weak = draw_weak(len(images), random)
    there = images.cuda()
    assert torch.equal(strong_views(there, strong).cpu(), strong_views(images, strong))
    assert torch.equal(weak_views(there, weak).cpu(), weak_views(images, weak))
    torch.testing.assert_close(normalise(there).cpu(), normalise(images), rtol=0, atol=1e-6)


def test_batches_are_the_cpus(tiny: Tiny) -> None:
    config = tiny()
    data = load(config)
    ours = make(data, draw(data, config, 3), torch.device("cuda"))
    expected = make(data, draw(data, config, 3), torch.device("cpu"))
    assert torch.equal(ours.targets.cpu(), expected.targets)
    torch.testing.assert_close(ours.strong.cpu(), expected.strong, rtol=0, atol=1e-6)


@pytest.mark.parametrize("algorithm", ["fixmatch", "mixmatch"])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_nothing_in_the_loop_waits_for_the_device(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, precision: str, algorithm: str
) -> None:
    """Whatever the sizes: small ones, since a CPU that plays the device emulates bf16."""
    monkeypatch.setitem(batches_.TOGETHER, "cuda", 8)
    config = tiny(
        device="cuda", precision=precision, batch_size=2, mu=1, iterations=200, algorithm=algorithm
    )
    device = machine.prepare(config)
    data = load(config)
    model = Model(WideResNet(10, 1).to(device), config)
    trained = choice.algorithm(config)
    batches = Batches(data, config, device, trained.draw, trained.make)
    for k in range(3):
        step(model, batches[k])
    torch.cuda.synchronize()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the mode is a prototype
        torch.cuda.set_sync_debug_mode("error")
    for k in range(3, 3 + 2 * batches.together):  # past the making of further batches
        step(model, batches[k])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("default")
    model.finite.check()


@pytest.mark.parametrize("algorithm", ["fixmatch", "mixmatch"])
def test_equal_seeds_give_equal_deterministic_runs(tiny: Tiny, algorithm: str) -> None:
    """Each in a process of its own: cuBLAS is told of its workspace before it is first used."""
    weights = []
    for name in "ab":
        out = tiny().out / name
        asked = {"device": "cuda", "deterministic": True, "algorithm": algorithm}
        settings = tiny_settings(**asked) | {"data_dir": tiny().data_dir, "out": out}
        options = as_options(settings)
        done = subprocess.run(
            [sys.executable, "-m", "own_impl", *options],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        weights.append(load_file(out / "final-ema.safetensors"))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_fp32_is_computed_in_full(tiny: Tiny) -> None:
    machine.prepare(tiny(device="cuda", precision="fp32"))
    x = torch.randn(8, 64, 16, 16, generator=torch.Generator().manual_seed(0))
    w = torch.randn(64, 64, 3, 3, generator=torch.Generator().manual_seed(1))
    exact = torch.nn.functional.conv2d(x.double(), w.double())
    ours = torch.nn.functional.conv2d(x.cuda(), w.cuda()).cpu().double()
    assert ((ours - exact).abs().max() / exact.abs().max()).item() < 1e-5  # tf32: about 1e-3
