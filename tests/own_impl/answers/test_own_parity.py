"""What own_impl answers of MixMatch's step and draws; FixMatch's: tests/harness/parity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy import stats

from own_impl.algorithms import mixmatch
from own_impl.answers import parity
from own_impl.config import Config
from own_impl.data import load
from own_impl.network.initial_weights import draw
from own_impl.step import Model
from own_impl.views.views import WeakDraw, normalise, weak_views
from tests.own_impl.conftest import TINY_SETTINGS

B, MU, STEPS, DRAWS = 2, 2, 3, 300
N = B + 2 * MU * B
QUESTION: dict[str, Any] = {
    "algorithm": "mixmatch", "depth": 10, "widen_factor": 1, "classes": 10, "batch_size": B,
    "mu": MU, "steps": STEPS, "temperature": 0.5, "alpha": 0.5, "ramp_up": 0.4, "lambda_u": 25.0,
    "lr": 0.03, "momentum": 0.9, "weight_decay": 5e-4, "ema_decay": 0.998, "seed": 0,
    "draws": DRAWS, "precisions": ["float64"], "modes": ["train"],
}  # fmt: skip


@pytest.fixture
def question(tmp_path: Path) -> Path:
    folder = tmp_path / "question"
    folder.mkdir()
    random = np.random.default_rng(0)
    (folder / "question.json").write_text(json.dumps(QUESTION))
    save_file(dict(draw(10, 1, 10, 0).state_dict()), folder / "weights.safetensors")
    images = random.standard_normal((4, 3, 32, 32))
    np.savez(folder / "network.npz", images=images)
    mixture: dict[str, Any] = {
        "lambda": random.beta(0.5, 0.5, STEPS),
        "permutation": np.array([random.permutation(N) for _ in range(STEPS)]),
    }
    np.savez(
        folder / "step.npz",
        labelled=random.standard_normal((STEPS, B, 3, 32, 32)),
        targets=random.integers(0, 10, (STEPS, B)),
        weak=random.standard_normal((STEPS, MU * B, 3, 32, 32)),
        weak_2=random.standard_normal((STEPS, MU * B, 3, 32, 32)),
        **mixture,
    )
    np.savez(
        folder / "views.npz",
        images=random.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8),
        flip=np.array([True, False, True, False, True]),
        top=np.arange(5),
        left=8 - np.arange(5),
    )
    return folder


def _answers(question: Path, out: Path) -> Path:
    out.mkdir()
    parity.answer(question, out)
    return out


def _training(question: Path) -> Model:
    """The same steps, taken as training takes them."""
    given = {name: torch.from_numpy(a) for name, a in np.load(question / "step.npz").items()}
    network = draw(10, 1, 10, 1)
    network.load_state_dict(load_file(question / "weights.safetensors"))
    config = Config(
        algorithm="mixmatch", depth=10, widen_factor=1, batch_size=B, mu=MU, iterations=STEPS,
        lambda_u=25, ema_decay=0.998,
    )  # fmt: skip
    model = Model(network.double(), config)
    for k in range(STEPS):
        batch = mixmatch.Batch(
            labelled=given["labelled"][k],
            targets=given["targets"][k],
            weak=given["weak"][k],
            weak_2=given["weak_2"][k],
            lambdas=given["lambda"][k].repeat(N),
            partners=given["permutation"][k],
            truth=torch.zeros(MU * B, dtype=torch.int64),
        )
        model.update(mixmatch.losses(model.forward, batch, config, k))
    return model


def test_the_step_is_that_of_training_with_the_given_mixture(
    question: Path, tmp_path: Path
) -> None:
    found = dict(np.load(_answers(question, tmp_path / "a") / "step-float64" / "2.npz"))
    assert {name for name in found if name.startswith("scalar/")} == {
        "scalar/loss_x",
        "scalar/loss_u",
        "scalar/lr",
    }
    model = _training(question)
    assert found["scalar/lr"] == model.learning_rate
    for name, weight in model.network.named_parameters():
        assert np.array_equal(found[f"weight/{name}"], weight.detach().numpy()), name
        assert np.array_equal(found[f"ema/{name}"], model.ema.average[name].numpy()), name
    for name, buffer in model.network.named_buffers():
        assert np.array_equal(found[f"statistic/{name}"], buffer.numpy()), name


@pytest.mark.parametrize("other", ["lambda", "permutation", "weak_2", "each example"])
def test_another_mixture_is_another_step(question: Path, tmp_path: Path, other: str) -> None:
    before = dict(np.load(_answers(question, tmp_path / "a") / "step-float64" / "0.npz"))
    given = dict(np.load(question / "step.npz"))
    if other == "each example":
        given["lambda"] = np.random.default_rng(1).random((STEPS, N))
    elif other == "lambda":
        given["lambda"] = (given["lambda"] + 0.2) / 2
    else:
        given[other] = given[other][:, ::-1].copy()
    np.savez(question / "step.npz", **given)
    after = dict(np.load(_answers(question, tmp_path / "b") / "step-float64" / "0.npz"))
    assert before["scalar/loss_x"] != after["scalar/loss_x"]


def test_what_it_draws_is_told(question: Path, tmp_path: Path) -> None:
    out = _answers(question, tmp_path / "a")
    drawn = dict(np.load(out / "draws.npz"))
    assert drawn["lambda"].shape == (DRAWS,)
    assert drawn["permutation"].shape == (DRAWS, N)
    assert (np.sort(drawn["permutation"]) == np.arange(N)).all()
    assert stats.kstest(drawn["lambda"], stats.beta(0.5, 0.5).cdf).pvalue > 0.01
    for name in ("flip", "top", "left"):
        one, other = drawn[name], drawn[f"{name}_2"]
        assert one.shape == other.shape == (DRAWS,)
        assert set(one) == set(other) == set(range(2 if name == "flip" else 9))
        assert not np.array_equal(one, other)


def test_one_lambda_an_example_is_told_of_each(question: Path, tmp_path: Path) -> None:
    (question / "question.json").write_text(json.dumps(QUESTION | {"mixup": "paper"}))
    drawn = dict(np.load(_answers(question, tmp_path / "a") / "draws.npz"))
    assert drawn["lambda"].shape == (DRAWS, N)
    assert (drawn["lambda"].std(axis=1) > 0).all()


def test_its_weak_views_are_made_of_the_given_parameters(question: Path, tmp_path: Path) -> None:
    asked = dict(np.load(question / "views.npz"))
    found = dict(np.load(_answers(question, tmp_path / "a") / "views.npz"))
    images = torch.from_numpy(asked["images"].transpose(0, 3, 1, 2).copy())
    views = weak_views(images, WeakDraw(asked["flip"], asked["top"], asked["left"]))
    assert set(found) == {"weak"}
    assert np.array_equal(found["weak"], normalise(views).numpy())


def test_declaring_tells_the_first_indices_of_a_mixmatch_run(
    data_dir: Path, tmp_path: Path
) -> None:
    settings = {k: v for k, v in TINY_SETTINGS.items() if k != "threshold"}
    config = Config(**settings, algorithm="mixmatch", data_dir=data_dir, out=tmp_path / "out")
    parity.declare(config, draws=20)
    streams = np.load(config.out / "streams.npz")
    data = load(config)
    drawn = [mixmatch.draw(data, config, k) for k in range(10)]
    assert np.array_equal(
        data.labelled[streams["labelled"]], np.concatenate([one.labelled for one in drawn])
    )
    unlabelled = np.concatenate([one.unlabelled for one in drawn])
    assert np.array_equal(streams["unlabelled"], unlabelled[:20])
    start = json.loads((config.out / "metrics.jsonl").read_text())
    assert start["resolved"]["algorithm"] == "mixmatch"
