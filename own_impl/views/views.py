"""Weak and strong views of a batch (section 2.3 and appendix D of the paper).

Weak: a random flip and a random crop of the reflect-padded image. Strong: RandAugment and cutout
on the original image, then flip and crop. What is random is drawn on the host, as a `WeakDraw` or
`StrongDraw`; applying a draw is arithmetic on the images' device that never waits for it. Images
and views are (N, 3, H, W) uint8; `normalise` makes the network's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from own_impl.data import MEAN, STD
from own_impl.network.memory_format import memory_format
from own_impl.views.operations import NAMES, OPERATIONS, Floats, Integers
from own_impl.views.randaugment import apply_rounds
from own_impl.views.transfer import constant, send

PADDING = 4  # 12.5% of 32 pixels
CUTOUT_GREY = (125, 123, 114)  # CIFAR-10's mean colour


@dataclass(frozen=True)
class StrongPolicy:
    """RandAugment as FixMatch uses it: `operations` of the list, with replacement, then cutout.

    With `levels` None a magnitude is uniform over its range and the cutout's side over
    0..0.5 of the width (TorchSSL); otherwise a magnitude is level k = 0..n of n equal steps from
    the low to the high end of its range, and the side is half the width (the paper's n and m).
    """

    operations: int
    levels: int | None


POLICIES = {
    "torchssl": StrongPolicy(operations=3, levels=None),
    "paper": StrongPolicy(operations=2, levels=10),
}


@dataclass(frozen=True)
class WeakDraw:
    """Flips (N,) bool, and the crops' top and left (N,) in the padded image."""

    flip: NDArray[np.bool_]
    top: Integers
    left: Integers


@dataclass(frozen=True)
class StrongDraw:
    """What a strong view does, in this order: operations, cutout, flip and crop.

    `operations` (N, n) index OPERATIONS, with `magnitudes` (N, n). The cutout has centres (N, 2)
    as x, y and sides (N,), in pixels.
    """

    operations: Integers
    magnitudes: Floats
    centre: Floats
    side: Floats
    weak: WeakDraw


def draw_weak(n: int, random: np.random.Generator) -> WeakDraw:
    """The flips and crops of n weak views."""
    flip = random.random(n) < 0.5
    top, left = random.integers(0, 2 * PADDING + 1, (2, n))
    return WeakDraw(flip, top, left)


def draw_strong(
    n: int, size: tuple[int, int], policy: StrongPolicy, random: np.random.Generator
) -> StrongDraw:
    """What n strong views of images of `size` (height, width) do."""
    height, width = size
    chosen = random.integers(0, len(OPERATIONS), (n, policy.operations))
    extent = np.array([width, height], np.float64)
    centre = random.random((n, 2)) * extent
    if policy.levels is None:
        share = random.random(chosen.shape)
        # TorchSSL's centre is in (1, size], not [0, size): its uniform(32) is uniform(32, 1).
        centre = extent - centre * (extent - 1) / extent
        side = 0.5 * random.random(n) * width
    else:
        share = random.integers(0, policy.levels + 1, chosen.shape) / policy.levels
        side = np.full(n, 0.5 * width)
    low, high = (np.array([getattr(o, end) for o in OPERATIONS], float) for end in ("low", "high"))
    magnitudes = low[chosen] + (high - low)[chosen] * share
    return StrongDraw(chosen, magnitudes, centre, side, draw_weak(n, random))


def weak_views(images: torch.Tensor, draw: WeakDraw) -> torch.Tensor:
    """Flip, then crop out of the reflect-padded image."""
    n, channels, height, width = images.shape
    rows = _reflected(draw.top, height)
    columns = _reflected(draw.left, width)
    columns = np.where(draw.flip[:, None], width - 1 - columns, columns)
    row, column = send([rows * width, columns], images.device)
    source = (row[:, :, None] + column[:, None]).view(n, 1, -1).expand(n, channels, -1)
    return images.view(n, channels, -1).gather(2, source).view_as(images)


def strong_views(images: torch.Tensor, draw: StrongDraw) -> torch.Tensor:
    """RandAugment, cutout, flip and crop."""
    augmented = apply_rounds(images, draw.operations, draw.magnitudes)
    return weak_views(cutout(augmented, draw.centre, draw.side), draw.weak)


def apply(name: str, images: torch.Tensor, magnitudes: Sequence[float] | Floats) -> torch.Tensor:
    """The operation `name` on every image, with a magnitude (N,) for each."""
    chosen = np.full((len(images), 1), NAMES.index(name))
    return apply_rounds(images, chosen, np.asarray(magnitudes, np.float64)[:, None])


def cutout(images: torch.Tensor, centre: Floats, side: Floats) -> torch.Tensor:
    """Fill squares of `side` pixels (N,) around `centre` (N, 2) as x, y with grey.

    A square is clipped at the edges, starts at the whole pixel left of and above its corner and
    includes its last row and column, as PIL draws rectangles. A side of 0 leaves an image alone.
    """
    height, width = images.shape[2:]
    first = np.maximum(0.0, centre - side[:, None] / 2).astype(np.int64)
    last = np.minimum([width, height], first + side[:, None]).astype(np.int64)
    last[side <= 0] = -1
    left, top, right, bottom = send([*first.T, *last.T], images.device)
    x = constant(np.arange(width), images.device)
    y = constant(np.arange(height), images.device)
    columns = (x >= left[:, None]) & (x <= right[:, None])
    rows = (y >= top[:, None]) & (y <= bottom[:, None])
    grey = constant(np.array(CUTOUT_GREY, np.uint8), images.device).view(3, 1, 1)
    return torch.where((rows[:, :, None] & columns[:, None])[:, None], grey, images)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) uint8 -> float32, zero mean and unit deviation per channel."""
    mean, std = (constant(x.astype(np.float32), images.device).view(3, 1, 1) for x in (MEAN, STD))
    inputs = images.float().div_(255).sub_(mean).div_(std)
    return inputs.contiguous(memory_format=memory_format(inputs.device))


def _reflected(first: Integers, size: int) -> Integers:
    """Pixels (N, size) of a crop that starts at `first` (N,) of the reflect-padded side."""
    at = np.abs(first[:, None] + np.arange(size) - PADDING)
    reflected: Integers = np.where(at < size, at, 2 * (size - 1) - at)
    return reflected
