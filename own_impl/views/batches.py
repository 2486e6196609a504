"""The batches of a run, made some at a time.

All randomness of iteration k comes from a generator seeded with (seed, k): a resumed run needs no
saved state to see the very batches that an uninterrupted one sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch

from own_impl.config import Config
from own_impl.data import Data

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Unlabelled images that are augmented together: enough to make the cost of the calls small.
TOGETHER = {"cpu": 256, "cuda": 2048}

D = TypeVar("D", bound="DataclassInstance")  # an algorithm's Draw: arrays, and draws of arrays
B = TypeVar("B", bound="DataclassInstance")  # and its Batch: tensors


class Batches(Generic[B]):
    """The batches that an algorithm's `draw` and `make` give, by iteration from 0."""

    def __init__(
        self,
        data: Data,
        config: Config,
        device: torch.device,
        draw: Callable[[Data, Config, int], D],
        make: Callable[[Data, D, torch.device], B],
    ) -> None:
        self.data, self.config, self.device = data, config, device
        self.together = max(1, TOGETHER[device.type] // (config.mu * config.batch_size))
        self._draw: Callable[[Data, Config, int], Any] = draw
        self._make: Callable[[Data, Any, torch.device], B] = make
        self._made: list[B] = []
        self._first = 0

    def __getitem__(self, iteration: int) -> B:
        """The batch of this iteration: the same one whichever were asked for before."""
        if not self._first <= iteration < self._first + len(self._made):
            last = min(iteration + self.together, max(self.config.total_iterations, iteration + 1))
            draws = [self._draw(self.data, self.config, k) for k in range(iteration, last)]
            whole = self._make(self.data, _joined(draws), self.device)
            self._made, self._first = _split(whole, len(draws)), iteration
        return self._made[iteration - self._first]


def _joined(draws: Sequence[D]) -> D:
    """One draw of all the images of several."""
    joined: dict[str, Any] = {}
    for field in fields(draws[0]):
        parts = [getattr(one, field.name) for one in draws]
        is_array = isinstance(parts[0], np.ndarray)
        joined[field.name] = np.concatenate(parts) if is_array else _joined(parts)
    return replace(draws[0], **joined)


def _split(whole: B, n: int) -> list[B]:
    """The n equal parts of a batch: what its draws would have become one by one."""
    names = [field.name for field in fields(whole)]
    parts = zip(*(getattr(whole, name).chunk(n) for name in names), strict=True)
    return [replace(whole, **dict(zip(names, part, strict=True))) for part in parts]
