"""Weak and strong views of a batch (section 2.3 and appendix D of the paper).

Weak: a random flip and a random crop of the reflect-padded image. Strong: RandAugment and cutout
on the original image, then flip and crop. Views are uint8; `normalise` makes the network's input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from own_impl.data import MEAN, STD, Images

PADDING = 4  # 12.5% of 32 pixels
CUTOUT_GREY = (125, 123, 114)  # CIFAR-10's mean colour


def weak_views(images: Images, random: np.random.Generator) -> Images:
    """Flip, then crop; (N, H, W, 3) uint8 in and out."""
    return _crop(_flip(images, random), random)


def strong_views(images: Images, policy: StrongPolicy, random: np.random.Generator) -> Images:
    """RandAugment and cutout, then flip and crop; (N, H, W, 3) uint8 in and out."""
    augmented = [np.asarray(policy(Image.fromarray(image), random)) for image in images]
    return weak_views(np.stack(augmented), random)


def normalise(images: Images, device: torch.device) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32, zero mean and unit deviation per channel."""
    x = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2)
    mean = torch.tensor(MEAN, dtype=torch.float32, device=device).view(3, 1, 1)
    std = torch.tensor(STD, dtype=torch.float32, device=device).view(3, 1, 1)
    return x.float().div(255).sub(mean).div(std)


def _flip(images: Images, random: np.random.Generator) -> Images:
    flipped = random.random(len(images)) < 0.5
    return np.where(flipped[:, None, None, None], images[:, :, ::-1], images)


def _crop(images: Images, random: np.random.Generator) -> Images:
    n, height, width, _ = images.shape
    edge = (PADDING, PADDING)
    padded = np.pad(images, ((0, 0), edge, edge, (0, 0)), mode="reflect")
    top, left = random.integers(0, 2 * PADDING + 1, (2, n, 1, 1))
    rows = top + np.arange(height)[None, :, None]
    columns = left + np.arange(width)[None, None, :]
    cropped: Images = padded[np.arange(n)[:, None, None], rows, columns]
    return cropped


# The operations of table 12 of the paper: each takes an image and a magnitude from its range.


@dataclass(frozen=True)
class Operation:
    name: str
    low: float
    high: float
    apply: Callable[[Image.Image, float], Image.Image]


def _affine(
    image: Image.Image, a: float, b: float, c: float, d: float, e: float, f: float
) -> Image.Image:
    """Output pixel (x, y) is input pixel (ax + by + c, dx + ey + f), nearest; black outside."""
    return image.transform(image.size, Image.Transform.AFFINE, (a, b, c, d, e, f))


OPERATIONS = (
    Operation("autocontrast", 0, 1, lambda image, _: ImageOps.autocontrast(image)),
    Operation("brightness", 0.05, 0.95, lambda image, v: ImageEnhance.Brightness(image).enhance(v)),
    Operation("color", 0.05, 0.95, lambda image, v: ImageEnhance.Color(image).enhance(v)),
    Operation("contrast", 0.05, 0.95, lambda image, v: ImageEnhance.Contrast(image).enhance(v)),
    Operation("equalize", 0, 1, lambda image, _: ImageOps.equalize(image)),
    Operation("identity", 0, 1, lambda image, _: image),
    Operation("posterize", 4, 8, lambda image, v: ImageOps.posterize(image, int(v))),
    Operation("rotate", -30, 30, lambda image, v: image.rotate(v)),
    Operation("sharpness", 0.05, 0.95, lambda image, v: ImageEnhance.Sharpness(image).enhance(v)),
    Operation("shear_x", -0.3, 0.3, lambda image, v: _affine(image, 1, v, 0, 0, 1, 0)),
    Operation("shear_y", -0.3, 0.3, lambda image, v: _affine(image, 1, 0, 0, v, 1, 0)),
    Operation("solarize", 0, 256, lambda image, v: ImageOps.solarize(image, ceil(v))),
    Operation(
        "translate_x", -0.3, 0.3, lambda image, v: _affine(image, 1, 0, v * image.width, 0, 1, 0)
    ),
    Operation(
        "translate_y", -0.3, 0.3, lambda image, v: _affine(image, 1, 0, 0, 0, 1, v * image.height)
    ),
)


@dataclass(frozen=True)
class StrongPolicy:
    """RandAugment as FixMatch uses it: `operations` of the list, with replacement, then cutout.

    With `levels` None a magnitude is uniform over its range and the cutout's side over
    0..0.5 of the width (TorchSSL); otherwise a magnitude is one of `levels` equal steps over its
    range and the side is half the width (the paper's n and m).
    """

    operations: int
    levels: int | None

    def __call__(self, image: Image.Image, random: np.random.Generator) -> Image.Image:
        for choice in random.integers(0, len(OPERATIONS), self.operations):
            operation = OPERATIONS[choice]
            fraction = self._fraction(random)
            image = operation.apply(
                image, operation.low + (operation.high - operation.low) * fraction
            )
        place = random.random(2) * image.size
        if self.levels is not None:
            return cutout(image, 0.5 * image.width, place)
        # TorchSSL's centre is in (1, size], not [0, size): its uniform(32) is uniform(32, 1).
        place = image.size - place * (np.array(image.size) - 1) / image.size
        return cutout(image, 0.5 * random.random() * image.width, place)

    def _fraction(self, random: np.random.Generator) -> float:
        if self.levels is None:
            return random.random()
        return int(random.integers(1, self.levels + 1)) / self.levels


POLICIES = {
    "torchssl": StrongPolicy(operations=3, levels=None),
    "paper": StrongPolicy(operations=2, levels=10),
}


def cutout(image: Image.Image, side: float, centre: NDArray[np.float64]) -> Image.Image:
    """Fill a square of `side` pixels around `centre` (x, y) with grey; clipped at the edges.

    The square starts at the whole pixel left of and above its corner and includes its last row
    and column, as PIL draws rectangles. A side of 0 leaves the image alone.
    """
    if side <= 0:
        return image
    left, top = (int(max(0.0, c - side / 2)) for c in centre)
    right, bottom = min(image.width, left + side), min(image.height, top + side)
    image = image.copy()
    ImageDraw.Draw(image).rectangle((left, top, right, bottom), CUTOUT_GREY)
    return image
