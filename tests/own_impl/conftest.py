"""A tiny data set in CIFAR-10's layout, and settings that train on it in about a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.experiment.data import write_layout
from own_impl import __main__ as program
from own_impl.algorithms import mixmatch
from own_impl.algorithms.fixmatch import Batch
from own_impl.algorithms.parts import Losses
from own_impl.config import Config
from own_impl.data import Data
from own_impl.network.initial_weights import draw
from own_impl.step import Model

TINY_SETTINGS: dict[str, Any] = {
    "num_labeled": 20,
    "depth": 10,
    "widen_factor": 1,
    "batch_size": 2,
    "mu": 2,
    "iterations": 6,
    "eval_every": 3,
    "checkpoint_every": 3,
    "threshold": 0.1,
    "device": "cpu",
}


def tiny_settings(**changes: Any) -> dict[str, Any]:
    """Settings of a tiny run, without those that its algorithm has not."""
    settings = TINY_SETTINGS | changes
    if settings.get("algorithm") == "mixmatch" and "threshold" not in changes:
        del settings["threshold"]
    return settings


def as_options(settings: dict[str, Any]) -> list[str]:
    """Settings as they are typed: {"use_ema": False, "mu": 2} -> --no-use-ema --mu 2."""
    options = []
    for name, value in settings.items():
        dashed = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{dashed}" if value else f"--no-{dashed}")
        else:
            options += [f"--{dashed}", str(value)]
    return options


def new_model(config: Config, seed: int = 0) -> Model:
    """A model on the CPU that has not been trained yet."""
    return Model(draw(config.depth, config.widen_factor, 10, seed), config)


def losses_of(model: Model, batch: Batch | mixmatch.Batch) -> Losses:
    """What training would minimise in the model's next step."""
    return model.losses(batch)


def step(model: Model, batch: Batch | mixmatch.Batch) -> Losses:
    """One step, as training takes it."""
    return model.update(losses_of(model, batch))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny tensors are slower on many threads than on one, most of all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """60 training and 20 test images of noise; 6 and 2 of each of 10 classes, shuffled."""
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    test = random.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    train_labels = random.permutation(np.arange(60) % 10)
    test_labels = random.permutation(np.arange(20) % 10)
    return train, train_labels, test, test_labels


@pytest.fixture(scope="session")
def data_dir(
    tmp_path_factory: pytest.TempPathFactory,
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> Path:
    """Read-only: a test that damages the layout writes its own."""
    root = tmp_path_factory.mktemp("tiny data")
    write_layout(root, *arrays)
    return root


@pytest.fixture
def tiny(tmp_path: Path, data_dir: Path) -> Callable[..., Config]:
    """Makes settings of a tiny run into tmp_path/out."""

    def make(**changes: Any) -> Config:
        return Config(**tiny_settings(**{"data_dir": data_dir, "out": tmp_path / "out"} | changes))

    return make


@pytest.fixture
def run(
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Runs the program on the tiny data; gives its exit code and what it printed on stderr."""

    def call(**changes: Any) -> tuple[int, str]:
        settings = tiny_settings(**{"data_dir": data_dir, "out": tmp_path / "out"} | changes)
        monkeypatch.setattr(sys, "argv", ["own_impl", *as_options(settings)])
        capsys.readouterr()
        code = program.main()
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def coloured() -> Data:
    """Training image i has value i everywhere, so that no flip or crop hides which one it is."""
    images = np.broadcast_to(
        np.arange(60, dtype=np.uint8)[:, None, None, None], (60, 32, 32, 3)
    ).copy()
    labels = np.arange(60) % 10
    return Data(images, labels, images[:20], labels[:20], labelled=np.arange(20, 40))


@pytest.fixture
def batch() -> Batch:
    """Two labelled and four unlabelled images of normal noise."""
    random = torch.Generator().manual_seed(0)

    def views(n: int) -> torch.Tensor:
        return torch.randn(n, 3, 32, 32, generator=random)

    return Batch(views(2), torch.tensor([3, 7]), views(4), views(4), torch.tensor([0, 1, 2, 3]))


@pytest.fixture
def mixed_batch() -> mixmatch.Batch:
    """Four labelled images and two views of four unlabelled ones, mixed by one coefficient."""
    random = torch.Generator().manual_seed(0)

    def views() -> torch.Tensor:
        return torch.randn(4, 3, 32, 32, generator=random)

    return mixmatch.Batch(
        labelled=views(),
        targets=torch.tensor([3, 7, 1, 1]),
        weak=views(),
        weak_2=views(),
        lambdas=torch.full((12,), 0.3, dtype=torch.float64),
        partners=torch.randperm(12, generator=random),
        truth=torch.tensor([0, 1, 2, 3]),
    )
