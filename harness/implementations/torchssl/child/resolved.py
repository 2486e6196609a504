"""Settings that TorchSSL's source fixes, read from the objects and functions that it uses."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def resolved(model: Any, args: Any) -> dict[str, Any]:
    """Of a model that is about to train; what its algorithm has nothing of is left out.

    Some are seen only in what its data set and functions do once; the random states are put back.
    """
    decayed, _ = model.optimizer.param_groups
    unlabelled = model.loader_dict["train_ulb"]
    weak, strong = _views(unlabelled.dataset)
    found = {
        "lr": decayed["initial_lr"],
        "momentum": decayed["momentum"],
        "nesterov": decayed["nesterov"],
        "weight_decay": decayed["weight_decay"],
        "warmup": next(n for n in range(10**6) if model.scheduler.lr_lambdas[0](n) == 1),
        "replacement": unlabelled.batch_sampler.sampler.replacement,
        "labelled_pool": len(model.loader_dict["train_lb"].dataset),
        "unlabelled_pool": len(unlabelled.dataset),
        "weak_views": weak,
    }
    if strong:
        # Of its other data sets too, which make that transform and never use it.
        found["strong_operations"] = unlabelled.dataset.strong_transform.transforms[0].n
    mix = getattr(sys.modules[type(model).__module__], "mixup_one_target", None)
    if mix is not None:
        found["mixup_coefficient"] = _coefficient(mix, args)
    return found


def _views(dataset: Any) -> tuple[int, int]:
    """How many weak and strong views of an image one item of the data set makes."""
    made = {"transform": 0, "strong_transform": 0}
    kept = {name: getattr(dataset, name) for name in made}

    def count(name: str) -> Any:
        def counted(image: Any) -> Any:
            made[name] += 1
            return kept[name](image)

        return counted

    for name in made:
        setattr(dataset, name, count(name))
    try:
        with _random_states_kept():
            dataset[0]
    finally:
        for name, transform in kept.items():
            setattr(dataset, name, transform)
    return made["transform"], made["strong_transform"]


def _coefficient(mix: Any, args: Any) -> str:
    """Whether MixUp draws a coefficient for a batch, or one for each of its examples."""
    import torch

    two = torch.zeros(2, 1).cuda(args.gpu)
    with _random_states_kept():
        drawn = mix(two, two, args.gpu, args.alpha, is_bias=True)[2]
    return "per batch" if np.ndim(drawn) == 0 else "per example"


@contextmanager
def _random_states_kept() -> Iterator[None]:
    import torch

    cuda: Any = torch.cuda
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_gpu = cuda.get_rng_state_all() if cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if on_gpu is not None:
            cuda.set_rng_state_all(on_gpu)
