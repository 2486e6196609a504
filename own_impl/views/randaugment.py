"""Applies drawn operations to a batch, one round after the other.

In a round, all images whose operations are of one kind are changed together. What can be computed
on the host is computed for all rounds at once, and sent in one copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from own_impl.views import operations
from own_impl.views.operations import NAMES, Floats, Integers
from own_impl.views.transfer import send

Size = tuple[int, int]


@dataclass(frozen=True)
class _Kind:
    """Operations that are applied together: what the host works out, and what the device does."""

    names: tuple[str, ...]
    plan: Callable[[Integers, Floats, Size], NDArray[Any]]  # operations, magnitudes -> (M, ...)
    prepare: Callable[[torch.Tensor, Size], torch.Tensor]  # all rounds at once
    change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # images of one round


def apply_rounds(images: torch.Tensor, chosen: Integers, magnitudes: Floats) -> torch.Tensor:
    """Images (N, 3, H, W) uint8 after the operations (N, rounds), which index NAMES."""
    images = images.clone()
    n, (height, width) = len(images), images.shape[2:]
    rounds = np.arange(chosen.shape[1] + 1)
    flat, flat_magnitudes = chosen.T.reshape(-1), magnitudes.T.reshape(-1)
    kind_of = _KIND_OF[flat]
    kinds: list[tuple[_Kind, list[int]]] = []
    arrays: list[NDArray[Any]] = []
    for number, kind in enumerate(_KINDS):
        at = np.flatnonzero(kind_of == number)
        if len(at):
            kinds.append((kind, np.searchsorted(at, rounds * n).tolist()))
            arrays += [at % n, kind.plan(flat[at], flat_magnitudes[at], (height, width))]
    sent = send(arrays, images.device)
    prepared = [
        (kind, bounds, index, kind.prepare(payload, (height, width)))
        for (kind, bounds), index, payload in zip(kinds, sent[::2], sent[1::2], strict=True)
    ]
    for number in rounds[:-1]:
        for kind, bounds, index, payload in prepared:
            begin, end = bounds[number], bounds[number + 1]
            if begin < end:
                these = index[begin:end]
                images.index_copy_(
                    0, these, kind.change(images.index_select(0, these), payload[begin:end])
                )
    return images


def _filled(functions: Mapping[str, Callable[..., NDArray[Any]]], *arguments: Any) -> NDArray[Any]:
    """Rows (M, ...), one for each operation chosen, from the function under its name."""
    chosen, magnitudes, *rest = arguments
    rows = [
        (at, function(magnitudes[at], *rest))
        for name, function in functions.items()
        if len(at := np.flatnonzero(chosen == NAMES.index(name)))
    ]
    filled = np.empty((len(chosen), rows[0][1].shape[1]), rows[0][1].dtype)
    for at, values in rows:
        filled[at] = values
    return filled


def _magnitudes(_: Integers, magnitudes: Floats, __: Size) -> NDArray[Any]:
    return magnitudes


def _as_sent(payload: torch.Tensor, _: Size) -> torch.Tensor:
    return payload


def _look_up(table: Any, images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return operations.look_up(images, table(images, factor))


def _blend(degenerate: Any, images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return operations.blend(degenerate(images), images, factor[:, None, None, None])


_KINDS = (
    _Kind(
        tuple(operations.MAPS),
        partial(_filled, operations.MAPS),
        operations.sources,
        operations.move,
    ),
    _Kind(
        tuple(operations.FIXED_TABLES),
        lambda chosen, magnitudes, _: _filled(operations.FIXED_TABLES, chosen, magnitudes),
        lambda tables, _: tables[:, None],
        operations.look_up,
    ),
    *(
        _Kind((name,), _magnitudes, _as_sent, partial(_look_up, table))
        for name, table in operations.TABLES.items()
    ),
    *(
        _Kind((name,), _magnitudes, _as_sent, partial(_blend, degenerate))
        for name, degenerate in operations.DEGENERATES.items()
    ),
)
_KIND_OF = np.array(
    [next((i for i, kind in enumerate(_KINDS) if name in kind.names), -1) for name in NAMES]
)
