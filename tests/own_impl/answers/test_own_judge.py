"""The judge: logits in the run's arithmetic, and how far that is from float64."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from own_impl import machine
from own_impl.answers import judge
from own_impl.config import Config
from own_impl.network.initial_weights import draw


def asked(folder: Path, *more: str) -> list[str]:
    """The options of a judgement of eight images of noise, by fresh weights."""
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    save_file(dict(draw(10, 1, 10, 0).state_dict()), folder / "weights.safetensors")
    files = {"weights": "weights.safetensors", "images": "images.npy", "out": "logits.npy"}
    options = [f"--{name}={folder / file}" for name, file in files.items()]
    return ["judge", *options, "--depth=10", "--widen-factor=1", *more]


def test_its_noise_is_what_float32_loses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = tmp_path / "noise"
    monkeypatch.setattr(sys, "argv", asked(tmp_path, f"--noise={noise}"))
    judge.main()
    logits = np.load(tmp_path / "logits.npy")
    assert logits.shape == (8, 10) and logits.dtype == np.float32
    assert 0 < float(noise.read_text()) < 1e-5 * np.abs(logits).max()


def test_it_sets_the_process_up_as_training_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On CUDA torch would else convolve in TF32, and a run of fp32 would look wrong."""
    prepared: list[Config] = []

    def prepare(config: Config) -> torch.device:
        prepared.append(config)
        return torch.device("cpu")

    monkeypatch.setattr(machine, "prepare", prepare)
    monkeypatch.setattr(sys, "argv", asked(tmp_path, "--device=cuda", "--precision=tf32"))
    judge.main()
    assert [(config.device, config.precision) for config in prepared] == [("cuda", "tf32")]


def test_two_logits_may_each_be_off() -> None:
    said, exact = np.array([[1.0, 2.0]]), np.array([[1.25, 2.0]])
    assert judge.noise_of(said, exact) == 0.5
