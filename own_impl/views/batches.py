"""Which images make up a batch, and their views.

Sampling is with replacement, labelled images are among the unlabelled ones (as TorchSSL). All
randomness of iteration k comes from a generator seeded with (seed, k): a resumed run needs no
saved state to see the very batches that an uninterrupted one sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import torch

from own_impl.config import Config
from own_impl.data import Data
from own_impl.step import Batch
from own_impl.views.operations import Integers
from own_impl.views.transfer import send
from own_impl.views.views import (
    POLICIES,
    StrongDraw,
    WeakDraw,
    draw_strong,
    draw_weak,
    normalise,
    strong_views,
    weak_views,
)

# Unlabelled images that are augmented together: so many that the calls cost less than the work.
TOGETHER = {"cpu": 256, "cuda": 2048}


@dataclass(frozen=True)
class BatchDraw:
    """All that is random in one batch: indices (B,) and (mu * B,), and what their views do."""

    labelled: Integers
    unlabelled: Integers
    labelled_views: WeakDraw
    weak_views: WeakDraw
    strong_views: StrongDraw


def draw(data: Data, config: Config, iteration: int) -> BatchDraw:
    """What is random in the batch of iteration `iteration` (from 0)."""
    random = np.random.default_rng((config.seed, iteration))
    n, m = config.batch_size, config.mu * config.batch_size
    height, width = data.train_images.shape[1:3]
    return BatchDraw(
        labelled=data.labelled[random.integers(0, len(data.labelled), n)],
        unlabelled=random.integers(0, len(data.train_images), m),
        labelled_views=draw_weak(n, random),
        weak_views=draw_weak(m, random),
        strong_views=draw_strong(m, (height, width), POLICIES[config.strong], random),
    )


def make(data: Data, draws: Sequence[BatchDraw], device: torch.device) -> list[Batch]:
    """The batches of these draws, ready for the network; one set of operations makes them all."""
    one = _joined(draws)
    resident = data.on(device)
    labelled, unlabelled = send([one.labelled, one.unlabelled], device)
    originals = resident.images.index_select(0, unlabelled)
    views = (
        weak_views(resident.images.index_select(0, labelled), one.labelled_views),
        weak_views(originals, one.weak_views),
        strong_views(originals, one.strong_views),
    )
    inputs = (normalise(view).chunk(len(draws)) for view in views)
    targets = resident.labels.index_select(0, labelled).chunk(len(draws))
    return [
        Batch(labelled=x, targets=y, weak=weak, strong=strong)
        for x, weak, strong, y in zip(*inputs, targets, strict=True)
    ]


def draw_batch(data: Data, config: Config, iteration: int, device: torch.device) -> Batch:
    """The batch of iteration `iteration` (from 0), ready for the network."""
    return make(data, [draw(data, config, iteration)], device)[0]


class Batches:
    """The batches of a run, made some at a time."""

    def __init__(self, data: Data, config: Config, device: torch.device) -> None:
        self.data, self.config, self.device = data, config, device
        self.together = max(1, TOGETHER[device.type] // (config.mu * config.batch_size))
        self._made: list[Batch] = []
        self._first = 0

    def __getitem__(self, iteration: int) -> Batch:
        """The batch of `draw_batch`, whatever was asked for before."""
        if not self._first <= iteration < self._first + len(self._made):
            last = min(iteration + self.together, max(self.config.total_iterations, iteration + 1))
            draws = [draw(self.data, self.config, k) for k in range(iteration, last)]
            self._made, self._first = make(self.data, draws, self.device), iteration
        return self._made[iteration - self._first]


Draw = TypeVar("Draw", BatchDraw, WeakDraw, StrongDraw)


def _joined(draws: Sequence[Draw]) -> Draw:
    """One draw of all the images of several."""
    joined: dict[str, Any] = {}
    for field in fields(draws[0]):
        parts = [getattr(one, field.name) for one in draws]
        is_array = isinstance(parts[0], np.ndarray)
        joined[field.name] = np.concatenate(parts) if is_array else _joined(parts)
    return type(draws[0])(**joined)
