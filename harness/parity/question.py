"""What both sides are asked: one folder of inputs, the same for each.

    question.json         settings of the asked network and step; names of the asked operations
    weights.safetensors   weights to load, by TorchSSL's parameter names
    network.npz           images (N, 3, 32, 32) float64: network inputs, random and real
    step.npz              labelled (K, B, 3, 32, 32), targets (K, B), weak and strong (K, mu B, ...)
                          of MixMatch weak_2 in place of strong, and what it draws: lambda (K,), as
                          it comes from its distribution, and permutation (K, B + 2 mu B)
    views.npz             images (V, 32, 32, 3) uint8, and the parameters of their views
    judge.npz             images (J, 32, 32, 3) uint8 and targets (J,), to be evaluated on

Each side answers with

    network.npz           logits (N, classes) of each mode: float64-train, float32-eval, ...
    parameters.json       the network's parameters: name -> shape
    step-<precision>/     a file <k>.npz after each step: losses, mask, lr, and each tensor
    views.npz             operations (O, V, M, 32, 32, 3) uint8, weak and strong (V, 3, 32, 32);
                          of MixMatch only weak
    draws.npz             parameters that it drew by itself for strong and weak views; of MixMatch
                          for the two weak ones (those of the second end with _2), lambda (D,), and
                          permutation (D, B + 2 mu B)

and the reference also

    judge.json            how many of the judge's images it counts as right after the last step,
                          and their mean loss
    judged.safetensors    the weights that it evaluated them with
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.experiment import algorithms
from harness.experiment.data import Dataset, read_images
from harness.implementations.interface import Request

STEPS = 20
PRECISIONS = ("float64", "float32")
MODES = ("train", "eval")
DRAWS = 6000  # views drawn by each side, for the distributions
VIEWS = 96  # views made by both sides from the same parameters
MAGNITUDES = 13  # over each operation's range, both ends among them
OPERATION_IMAGES = 10

# Table 12 of the paper with TorchSSL's ranges, by the names that both sides are asked by.
OPERATIONS: dict[str, tuple[float, float]] = {
    "autocontrast": (0, 1),
    "brightness": (0.05, 0.95),
    "color": (0.05, 0.95),
    "contrast": (0.05, 0.95),
    "equalize": (0, 1),
    "identity": (0, 1),
    "posterize": (4, 8),
    "rotate": (-30, 30),
    "sharpness": (0.05, 0.95),
    "shear_x": (-0.3, 0.3),
    "shear_y": (-0.3, 0.3),
    "solarize": (0, 256),
    "translate_x": (-0.3, 0.3),
    "translate_y": (-0.3, 0.3),
}
# A step costs 1,469,642 parameters' worth of float64 on WRN-28-2: the batch is kept small there.
STEP_BATCH = {"labelled": 4, "mu": 2}


@dataclass(frozen=True)
class Question:
    """The question's settings, as both sides read them from question.json."""

    depth: int
    widen_factor: int
    classes: int
    batch_size: int
    mu: int
    steps: int
    lr: float
    momentum: float
    weight_decay: float
    ema_decay: float
    seed: int
    algorithm: str
    own: Mapping[str, Any]  # settings of the algorithm, by name

    @property
    def written(self) -> dict[str, Any]:
        """All of them, side by side."""
        shared = {name: value for name, value in vars(self).items() if name != "own"}
        return shared | dict(self.own)

    @classmethod
    def of(cls, request: Request) -> Question:
        """The request's own settings, on a small batch, over a schedule of `STEPS` iterations.

        Fresh weights pass no threshold; `confident` ones pass this one about half the time, so
        that both losses count.
        """
        profile, dataset, used = request.profile, request.dataset, request.hyper_parameters
        own = {name: used[name] for name in algorithms.of(request.algorithm).settings}
        return cls(
            depth=profile.depth,
            widen_factor=profile.widen_factor,
            classes=dataset.num_classes,
            batch_size=STEP_BATCH["labelled"],
            mu=STEP_BATCH["mu"],
            steps=STEPS,
            lr=profile.lr,
            momentum=profile.momentum,
            weight_decay=profile.weight_decay,
            ema_decay=profile.ema_decay,
            seed=request.seed,
            algorithm=request.algorithm,
            own=own | ({"threshold": 0.4} if "threshold" in own else {}),
        )


def write(folder: Path, question: Question, dataset: Dataset) -> None:
    """Write the question's files; the weights are put there by whoever draws them."""
    random = np.random.default_rng(question.seed)
    train = read_images(dataset).train
    test = read_images(dataset).test
    settings: dict[str, Any] = question.written | {"operations": list(OPERATIONS), "draws": DRAWS}
    settings |= {"operation_images": OPERATION_IMAGES, "precisions": PRECISIONS, "modes": MODES}
    (folder / "question.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")

    real = train[random.integers(0, len(train), 16)]
    noise = random.standard_normal((16, 3, 32, 32))
    np.savez(folder / "network.npz", images=np.concatenate((network_input(real), noise)))

    k, b, n = question.steps, question.batch_size, question.mu * question.batch_size
    labelled = random.integers(0, len(train), (k, b))
    weak = train[random.integers(0, len(train), (k, n))]
    step: dict[str, Any] = {
        "labelled": network_input(train[labelled]),
        "targets": dataset.train_labels[labelled],
        "weak": network_input(weak),
    }
    np.savez(folder / "views.npz", **_views(train, random))
    chosen = random.permutation(len(test))[:200]
    np.savez(folder / "judge.npz", images=test[chosen], targets=dataset.test_labels[chosen])
    if question.algorithm == algorithms.MIXMATCH.name:
        step |= {"weak_2": network_input(weak[:, :, :, ::-1]), **_mixture(question, random)}
    else:
        step["strong"] = network_input(np.where(weak > 128, 255 - weak, weak)[:, :, :, ::-1])
    np.savez(folder / "step.npz", **step)


def _mixture(question: Question, random: np.random.Generator) -> dict[str, Any]:
    """What MixUp draws in each step; every other lambda is the smaller of it and its complement."""
    alpha, views = question.own["alpha"], question.batch_size * (1 + 2 * question.mu)
    drawn = random.beta(alpha, alpha, question.steps)
    drawn[::2] = np.minimum(drawn, 1 - drawn)[::2]
    partners = [random.permutation(views) for _ in range(question.steps)]
    return {"lambda": drawn, "permutation": np.stack(partners)}


def confident(weights: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Initial weights whose classifier says what it says louder: the question's weights."""
    return weights | {"fc.weight": 8 * weights["fc.weight"]}


def network_input(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(..., 32, 32, 3) uint8 -> (..., 3, 32, 32) float64 of about zero mean, unit deviation."""
    return np.ascontiguousarray(np.moveaxis(images.astype(np.float64) / 255 - 0.45, -1, -3) / 0.25)


def _views(train: NDArray[np.uint8], random: np.random.Generator) -> dict[str, Any]:
    """Images and the parameters of their views.

    `magnitude` (O, M) are asked of each operation on the first `OPERATION_IMAGES` images. View v
    applies `chosen` (V, 3) operations at `fraction` (V, 3) of their ranges, cutout of `side` (V,)
    of the width around `centre` (V, 2) pixels (x, y), then `flip` (V,) and the crop at
    `top`, `left` (V,) of the padded image.
    """
    images = train[random.integers(0, len(train), VIEWS)]
    images[::4] = random.integers(0, 256, images[::4].shape, dtype=np.uint8)
    images[1] = 77  # one colour only
    ranges = np.array(list(OPERATIONS.values()))
    steps = np.linspace(0, 1, MAGNITUDES)
    chosen = random.integers(0, len(OPERATIONS), (VIEWS, 3))
    chosen[: len(OPERATIONS), 0] = np.arange(len(OPERATIONS))
    return {
        "images": images,
        "magnitude": ranges[:, :1] + (ranges[:, 1:] - ranges[:, :1]) * steps,
        "chosen": chosen,
        "fraction": random.random((VIEWS, 3)),
        "side": np.where(np.arange(VIEWS) % 16 == 0, 0.0, 0.5 * random.random(VIEWS)),
        "centre": 32 - 31 * random.random((VIEWS, 2)),
        "flip": random.random(VIEWS) < 0.5,
        "top": random.integers(0, 9, VIEWS),
        "left": random.integers(0, 9, VIEWS),
    }
