"""As `parity`, what is asked of MixMatch: the mixture of each step is given, or heard as drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image

from harness.implementations.torchssl.child.loop import save_early
from harness.implementations.torchssl.child.parity import (
    Loop,
    Question,
    answer,
    scripted,
    transforms_of,
)


def main() -> None:
    """Of MixMatch."""
    answer(_mixmatch, _answer_views)


def _mixmatch(question: Question, builder: Any) -> Loop:
    from models.mixmatch import mixmatch  # type: ignore[import-not-found]

    class Saving(mixmatch.MixMatch):  # type: ignore[misc]
        """With its own `save_model`, which saves."""

    save_early(Saving)
    model = Saving(
        builder, question["classes"], question["ema_decay"], question["temperature"],
        question["lambda_u"], num_eval_iter=10**9, logger=mock.Mock(),
    )  # fmt: skip
    used = {name: question[name] for name in ("alpha", "ramp_up")}
    return Loop(mixmatch, model, "weak_2", used, _given)


@contextmanager
def _given(batches: dict[str, torch.Tensor], recorder: Any) -> Iterator[None]:
    """In step k MixUp draws the given lambda and the given permutation."""

    def beta(*_: Any) -> float:
        return float(batches["lambda"][recorder.step])

    def randperm(size: int) -> torch.Tensor:
        permutation = batches["permutation"][recorder.step]
        assert len(permutation) == size
        return permutation

    with mock.patch.object(np.random, "beta", beta), mock.patch.object(torch, "randperm", randperm):
        yield


def _answer_views(question: Question, folder: Path, out: Path) -> None:
    views: dict[str, Any] = dict(np.load(folder / "views.npz"))
    weak_transform, _ = transforms_of("mixmatch")
    made = []
    for v, pixels in enumerate(views["images"]):
        script = {name: views[name][v] for name in ("fraction", "side", "centre", "flip")}
        corner = (int(views["top"][v]), int(views["left"][v]))
        with scripted(chosen=[], corner=corner, **script):
            made.append(weak_transform(Image.fromarray(pixels)).numpy())
    np.savez(out / "views.npz", weak=np.array(made))
    np.savez(out / "draws.npz", **_draw(question))


def _draw(question: Question) -> dict[str, Any]:
    """What it draws by itself: views as its data set makes items, mixtures as it mixes batches."""
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(question["seed"])
    return _draw_views(question["draws"]) | _draw_mixtures(question)


def _draw_views(items: int) -> dict[str, Any]:
    from datasets.dataset import BasicDataset  # type: ignore[import-not-found]
    from datasets.ssl_dataset import get_transform, mean, std  # type: ignore[import-not-found]
    from torchvision import transforms

    transform = get_transform(mean["cifar10"], std["cifar10"], 32, True)
    blank = np.zeros((1, 32, 32, 3), np.uint8)
    dataset = BasicDataset("mixmatch", blank, None, 10, transform, is_ulb=True)
    flips, corners = [], []
    rand, corner = torch.rand, transforms.RandomCrop.get_params

    def heard_rand(*args: Any, **named: Any) -> torch.Tensor:
        flips.append(value := rand(*args, **named))
        return value

    def heard_corner(*args: Any) -> Any:
        corners.append(value := corner(*args))
        return value

    with (
        mock.patch.object(torch, "rand", heard_rand),
        mock.patch.object(transforms.RandomCrop, "get_params", staticmethod(heard_corner)),
    ):
        for _ in range(items):
            dataset[0]
    flipped = np.array([value.item() < 0.5 for value in flips]).reshape(items, 2)
    placed = np.array(corners)[:, :2].reshape(items, 2, 2)
    return {
        name + behind: values[:, view]
        for view, behind in enumerate(("", "_2"))
        for name, values in (
            ("flip", flipped), ("top", placed[:, :, 0]), ("left", placed[:, :, 1]),
        )
    }  # fmt: skip


def _draw_mixtures(question: Question) -> dict[str, Any]:
    from models.mixmatch import mixmatch

    # Its permutation lies on the device.
    size, device = question["batch_size"] * (1 + 2 * question["mu"]), question.get("device", "cpu")
    views = torch.zeros(size, 1, device=device)
    lambdas, permutations = [], []
    beta, randperm = np.random.beta, torch.randperm

    def heard_beta(*args: Any) -> Any:
        lambdas.append(value := beta(*args))
        return value

    def heard_randperm(size: int) -> torch.Tensor:
        permutations.append(value := randperm(size))
        return value

    with (
        mock.patch.object(np.random, "beta", heard_beta),
        mock.patch.object(torch, "randperm", heard_randperm),
    ):
        for _ in range(question["draws"]):
            mixmatch.mixup_one_target(views, views, 0, question["alpha"], is_bias=True)
    return {"lambda": np.array(lambdas), "permutation": torch.stack(permutations).numpy()}


if __name__ == "__main__":
    main()
