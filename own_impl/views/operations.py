"""The 14 operations of RandAugment (table 12 of the paper) on batches of uint8 images.

Each is an affine gather, a 256-entry table per image and channel, or a blend with a grey or a
smoothed image, and computes what PIL computes for one image, pixel for pixel: the integer and
floating-point steps below are PIL's. Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from own_impl.views.transfer import constant

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]

ONE = 1 << 16  # PIL's affine transform counts in 1/65536 of a pixel


@dataclass(frozen=True)
class Operation:
    """An operation of table 12 of the paper and the range of its magnitude."""

    name: str
    low: float
    high: float


OPERATIONS = (
    Operation("autocontrast", 0, 1),
    Operation("brightness", 0.05, 0.95),
    Operation("color", 0.05, 0.95),
    Operation("contrast", 0.05, 0.95),
    Operation("equalize", 0, 1),
    Operation("identity", 0, 1),
    Operation("posterize", 4, 8),
    Operation("rotate", -30, 30),
    Operation("sharpness", 0.05, 0.95),
    Operation("shear_x", -0.3, 0.3),
    Operation("shear_y", -0.3, 0.3),
    Operation("solarize", 0, 256),
    Operation("translate_x", -0.3, 0.3),
    Operation("translate_y", -0.3, 0.3),
)
NAMES = tuple(operation.name for operation in OPERATIONS)


# Affine: output pixel (x, y) is input pixel (ax + by + c, dx + ey + f), nearest; black outside.


def sources(coefficients: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Which input pixel each output pixel is, (N, H * W) int64; -1 outside.

    The maps are a, b, c, d, e, f (N, 6) int64, in 1/65536 of a pixel.
    """
    height, width = size
    a, b, c, d, e, f = coefficients[:, :, None, None].unbind(1)
    x = constant(np.arange(width), coefficients.device)
    y = constant(np.arange(height), coefficients.device)[:, None]
    column = (a * x + (b * y + c)) >> 16
    row = (d * x + (e * y + f)) >> 16
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return torch.where(inside, row * width + column, -1).flatten(1)


def move(images: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Gather images (N, C, H, W) from `sources`; -1 is black."""
    n, channels, height, width = images.shape
    source = source[:, None]
    index = source.clamp(min=0).expand(n, channels, height * width)
    return (images.flatten(2).gather(2, index) * (source >= 0)).view_as(images)


def _fixed(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats, f: Floats) -> Integers:
    """Coefficients (N, 6) for `sources`, which go by pixel centres, from maps of corners."""
    centred = np.stack((a, b, c + a * 0.5 + b * 0.5, d, e, f + d * 0.5 + e * 0.5), axis=1)
    return np.floor(centred * ONE + 0.5).astype(np.int64)


def _rotate(degrees: Floats, size: tuple[int, int]) -> Integers:
    angle = -np.radians(np.mod(degrees, 360.0))
    cos = np.round(np.cos(angle), 15).astype(np.float64)
    sin = np.round(np.sin(angle), 15).astype(np.float64)
    y, x = size[0] / 2, size[1] / 2
    return _fixed(cos, sin, cos * -x + sin * -y + x, -sin, cos, -sin * -x + cos * -y + y)


def _shear_x(share: Floats, _: tuple[int, int]) -> Integers:
    one, zero = np.ones_like(share), np.zeros_like(share)
    return _fixed(one, share, zero, zero, one, zero)


def _shear_y(share: Floats, _: tuple[int, int]) -> Integers:
    one, zero = np.ones_like(share), np.zeros_like(share)
    return _fixed(one, zero, zero, share, one, zero)


def _whole_pixels(shift: Floats) -> Floats:
    """What PIL shifts by: without rotation or shear it counts in whole pixels."""
    return np.floor(shift + 0.5)


def _translate_x(share: Floats, size: tuple[int, int]) -> Integers:
    one, zero = np.ones_like(share), np.zeros_like(share)
    return _fixed(one, zero, _whole_pixels(share * size[1]), zero, one, zero)


def _translate_y(share: Floats, size: tuple[int, int]) -> Integers:
    one, zero = np.ones_like(share), np.zeros_like(share)
    return _fixed(one, zero, zero, zero, one, _whole_pixels(share * size[0]))


# On the host: the cosines of a GPU are not PIL's. (magnitudes (N,), (height, width)) -> (N, 6).
MAPS: dict[str, Callable[[Floats, tuple[int, int]], Integers]] = {
    "rotate": _rotate,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}


# Tables: what each of the 256 values becomes.


def look_up(images: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    """Put images (N, C, H, W) through tables (N, C or 1, 256) uint8."""
    values = images.flatten(2).long()
    return tables.expand(*values.shape[:2], 256).gather(2, values).view_as(images)


VALUES = np.arange(256)


def _brightness(factor: Floats) -> Bytes:
    table: Bytes = (factor.astype(np.float32)[:, None] * VALUES.astype(np.float32)).astype(np.uint8)
    return table


def _posterize(bits: Floats) -> Bytes:
    dropped = 8 - bits.astype(np.int64)[:, None]
    return (VALUES >> dropped << dropped).astype(np.uint8)


def _solarize(threshold: Floats) -> Bytes:
    return np.where(threshold[:, None] > VALUES, VALUES, 255 - VALUES).astype(np.uint8)


# These ask nothing of the image, so the host makes them. (magnitudes (N,)) -> (N, 256).
FIXED_TABLES: dict[str, Callable[[Floats], Bytes]] = {
    "brightness": _brightness,
    "posterize": _posterize,
    "solarize": _solarize,
}


def _autocontrast(images: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    pixels = images.flatten(2)
    low, high = (x.double()[:, :, None] for x in (pixels.amin(2), pixels.amax(2)))
    values = constant(VALUES, images.device).double()
    # Not 255 / (high - low): torch multiplies by the reciprocal there, which rounds twice.
    scale = torch.full_like(high, 255) / (high - low)
    stretched = (values * scale + -low * scale).clamp(0, 255)
    return torch.where(high > low, stretched, values).to(torch.uint8)


def _equalize(images: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    n, channels = images.shape[:2]
    pixels = images.view(n * channels, -1).long()
    first = 256 * torch.arange(n * channels, device=images.device)[:, None]
    histogram = torch.zeros(n * channels * 256, dtype=torch.int64, device=images.device)
    one = constant(np.ones(1, np.int64), images.device).expand(pixels.numel())
    histogram = histogram.scatter_add_(0, (pixels + first).view(-1), one).view(-1, 256)
    below = histogram.cumsum(1) - histogram
    # 0 where fewer than 255 pixels are below the greatest value: such a channel stays as it is.
    step = below.gather(1, pixels.amax(1, keepdim=True)) // 255
    divisor = step.clamp(min=1)
    equalized = ((divisor // 2 + below) // divisor).clamp(max=255)
    table = torch.where(step > 0, equalized, constant(VALUES, images.device))
    return table.to(torch.uint8).view(n, channels, 256)


def _contrast(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    grey = _grey(images).flatten(1)
    pixels = grey.shape[1]
    mean = (2 * grey.sum(1) + pixels) // (2 * pixels)
    values = constant(VALUES, images.device)
    return blend(mean[:, None, None], values, factor[:, None, None])


# (images, magnitudes (N,)) -> (N, C or 1, 256)
TABLES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "autocontrast": _autocontrast,
    "contrast": _contrast,
    "equalize": _equalize,
}


# Blends with a degenerate image.


def blend(degenerate: torch.Tensor, values: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """degenerate + factor * (values - degenerate) of integers, truncated to uint8, as PIL."""
    return (degenerate + factor.float() * (values - degenerate)).to(torch.uint8)


def _grey(images: torch.Tensor) -> torch.Tensor:
    """ITU-R 601 luma (N, 1, H, W) int32 of RGB images."""
    weights = constant(np.array([19595, 38470, 7471], np.int32), images.device).view(3, 1, 1)
    luma = (images * weights).sum(1, keepdim=True, dtype=torch.int32)
    return luma.add_(1 << 15).bitwise_right_shift_(16)


def _smooth(images: torch.Tensor) -> torch.Tensor:
    """3 x 3 mean with the centre weighted 5-fold, rounded; the outermost pixels stay; int32."""
    pixels = images.int()
    rows = pixels[:, :, :-2] + pixels[:, :, 1:-1] + pixels[:, :, 2:]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * pixels[:, :, 1:-1, 1:-1]
    pixels[:, :, 1:-1, 1:-1] = (2 * total + 13) // 26
    return pixels


# images -> (N, C or 1, H, W) int32
DEGENERATES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "color": _grey,
    "sharpness": _smooth,
}
