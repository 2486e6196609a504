"""What the batched operations must compute: PIL's, one image at a time."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from torchvision.transforms import functional

GREY = (125, 123, 114)
Function = Callable[[Image.Image, float], Image.Image]


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


FUNCTIONS: dict[str, Function] = {
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "brightness": lambda image, v: ImageEnhance.Brightness(image).enhance(v),
    "color": lambda image, v: ImageEnhance.Color(image).enhance(v),
    "contrast": lambda image, v: ImageEnhance.Contrast(image).enhance(v),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "identity": lambda image, _: image,
    "posterize": lambda image, v: ImageOps.posterize(image, int(v)),
    "rotate": lambda image, v: image.rotate(v),
    "sharpness": lambda image, v: ImageEnhance.Sharpness(image).enhance(v),
    "shear_x": lambda image, v: _affine(image, 1, v, 0, 0, 1, 0),
    "shear_y": lambda image, v: _affine(image, 1, 0, 0, v, 1, 0),
    "solarize": lambda image, v: ImageOps.solarize(image, ceil(v)),
    "translate_x": lambda image, v: _affine(image, 1, 0, v * image.width, 0, 1, 0),
    "translate_y": lambda image, v: _affine(image, 1, 0, 0, 0, 1, v * image.height),
}


def cutout(image: Image.Image, side: float, centre: np.ndarray) -> Image.Image:
    """A rectangle as ImageDraw draws it, its corner at a whole pixel."""
    if side <= 0:
        return image
    left, top = (int(max(0.0, c - side / 2)) for c in centre)
    right, bottom = min(image.width, left + side), min(image.height, top + side)
    image = image.copy()
    ImageDraw.Draw(image).rectangle((left, top, right, bottom), GREY)
    return image


def weak(image: Image.Image, flip: bool, top: int, left: int) -> Image.Image:
    """Flip, then a crop of the reflect-padded image."""
    flipped = functional.hflip(image) if flip else image
    padded = functional.pad(flipped, [4, 4], padding_mode="reflect")
    return functional.crop(padded, top, left, image.height, image.width)


def to_image(pixels: torch.Tensor) -> Image.Image:
    """(3, H, W) uint8 -> image."""
    return Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Image -> (3, H, W) uint8."""
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())
