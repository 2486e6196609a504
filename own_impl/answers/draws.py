"""What own_impl draws by itself: many draws, for the ladder to test their distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from own_impl.algorithms import mixmatch
from own_impl.config import Config
from own_impl.data import Data
from own_impl.views.operations import OPERATIONS, Integers
from own_impl.views.views import POLICIES, WeakDraw, draw_strong

Arrays = dict[str, Any]


def of_fixmatch(n: int, size: tuple[int, int], order: Integers, seed: int) -> Arrays:
    """The parameters of n strong views of images of `size` (height, width).

    `chosen` (n, 3) operations as positions in `order`, which indexes OPERATIONS, at `fraction`
    (n, 3) of their ranges; `side` (n,) of the width; `centre` (n, 2); `flip`, `top`, `left` (n,).
    """
    drawn = draw_strong(n, size, POLICIES["torchssl"], np.random.default_rng(seed))
    low, high = (np.array([getattr(o, end) for o in OPERATIONS], float) for end in ("low", "high"))
    span = (high - low)[drawn.operations]
    return {
        "chosen": np.argsort(order)[drawn.operations],
        "fraction": (drawn.magnitudes - low[drawn.operations]) / span,
        "side": drawn.side / size[1],
        "centre": drawn.centre,
        **_weak([drawn.weak]),
    }


def of_mixmatch(n: int, config: Config) -> Arrays:
    """What the batches of n iterations are mixed with, and the views of the first n images.

    `lambda` (n,), before the larger of it and its complement is taken, or (n, N) where each example
    has its own; `permutation` (n, N); `flip`, `top`, `left` (n,) of each image's first weak view,
    and the same with `_2` of its second one.
    """
    pixel = np.zeros((1, 1, 1, 3), np.uint8)  # no draw looks at an image
    label = np.zeros(1, np.int64)
    data = Data(pixel, label, pixel, label, labelled=label)
    drawn = [mixmatch.draw(data, config, iteration) for iteration in range(n)]
    lambdas = np.stack([one.lambdas for one in drawn])
    return {
        "lambda": lambdas[:, 0] if config.mixup == "batch" else lambdas,
        "permutation": np.stack([one.partners for one in drawn]),
        **{name: a[:n] for name, a in _weak([one.weak_views for one in drawn]).items()},
        **{f"{name}_2": a[:n] for name, a in _weak([one.weak_views_2 for one in drawn]).items()},
    }


def _weak(draws: list[WeakDraw]) -> Arrays:
    names = ("flip", "top", "left")
    return {name: np.concatenate([getattr(one, name) for one in draws]) for name in names}
