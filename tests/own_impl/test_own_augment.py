from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import Compose, Normalize, ToTensor
from torchvision.transforms import functional as reference

from own_impl import augment
from own_impl.augment import (
    OPERATIONS,
    POLICIES,
    Operation,
    cutout,
    normalise,
    strong_views,
    weak_views,
)

REPOSITORY = Path(__file__).parents[2]


RANDAUGMENT = REPOSITORY / "third_party/torchssl/datasets/augmentation/randaugment.py"
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture
def noise() -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def torchssl() -> ModuleType:
    if not RANDAUGMENT.exists():
        pytest.skip("the TorchSSL submodule is not there")
    spec = importlib.util.spec_from_file_location("torchssl_randaugment", RANDAUGMENT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_weak_view_is_a_flip_and_a_crop_and_all_of_them_occur(noise: Image.Image) -> None:
    pixels = np.asarray(noise)
    possible = {}
    for flip in (False, True):
        flipped = reference.hflip(noise) if flip else noise
        padded = reference.pad(flipped, [4, 4], padding_mode="reflect")
        for top in range(9):
            for left in range(9):
                crop = reference.crop(padded, top, left, 32, 32)
                possible[np.asarray(crop).tobytes()] = (flip, top, left)
    assert len(possible) == 162

    views = weak_views(np.stack([pixels] * 2500), np.random.default_rng(0))
    assert views.shape == (2500, 32, 32, 3)
    assert views.dtype == np.uint8
    drawn = [possible[np.ascontiguousarray(view).tobytes()] for view in views]  # KeyError: neither
    assert {(top, left) for _, top, left in drawn} == {(y, x) for y in range(9) for x in range(9)}
    flips = sum(flip for flip, _, _ in drawn)
    assert 1150 < flips < 1350  # four standard deviations around one half


def test_views_keep_their_image(arrays: tuple[np.ndarray, ...]) -> None:
    constant = np.broadcast_to(np.arange(60, dtype=np.uint8)[:, None, None, None], (60, 32, 32, 3))
    np.testing.assert_array_equal(weak_views(constant, np.random.default_rng(0)), constant)


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_seeds_give_equal_views(arrays: tuple[np.ndarray, ...], policy: str) -> None:
    images = arrays[0][:8]

    def views(seed: int) -> np.ndarray:
        return strong_views(images, POLICIES[policy], np.random.default_rng(seed))

    first = views(1)
    assert first.shape == images.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, views(1))
    assert (first != views(2)).any()


def test_views_leave_the_images_as_they_were(arrays: tuple[np.ndarray, ...]) -> None:
    images = arrays[0][:8].copy()
    strong_views(images, POLICIES["torchssl"], np.random.default_rng(0))
    weak_views(images, np.random.default_rng(0))
    np.testing.assert_array_equal(images, arrays[0][:8])


def test_there_are_the_14_operations_of_the_paper() -> None:
    ranges = {operation.name: (operation.low, operation.high) for operation in OPERATIONS}
    fixed, enhancement, shift = (0, 1), (0.05, 0.95), (-0.3, 0.3)
    assert ranges == {
        "autocontrast": fixed,
        "brightness": enhancement,
        "color": enhancement,
        "contrast": enhancement,
        "equalize": fixed,
        "identity": fixed,
        "posterize": (4, 8),
        "rotate": (-30, 30),
        "sharpness": enhancement,
        "shear_x": shift,
        "shear_y": shift,
        "solarize": (0, 256),
        "translate_x": shift,
        "translate_y": shift,
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_keeps_size_and_mode_over_its_whole_range(
    operation: Operation, noise: Image.Image
) -> None:
    before = np.asarray(noise).copy()
    for magnitude in np.linspace(operation.low, operation.high, 9):
        result = operation.apply(noise, float(magnitude))
        assert result.size == (32, 32)
        assert result.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(noise), before)


@pytest.mark.parametrize(
    ("name", "magnitude"),
    [
        ("identity", 0.3),
        ("posterize", 8),
        ("rotate", 0),
        ("shear_x", 0),
        ("shear_y", 0),
        ("solarize", 256),
        ("translate_x", 0),
        ("translate_y", 0),
    ],
)
def test_magnitudes_that_change_nothing(name: str, magnitude: float, noise: Image.Image) -> None:
    result = np.asarray(BY_NAME[name].apply(noise, magnitude))
    np.testing.assert_array_equal(result, np.asarray(noise))


def test_operations_do_what_their_names_say(noise: Image.Image) -> None:
    pixels = np.asarray(noise)

    def applied(name: str, magnitude: float) -> np.ndarray:
        return np.asarray(BY_NAME[name].apply(noise, magnitude))

    np.testing.assert_array_equal(applied("solarize", 0), 255 - pixels)
    np.testing.assert_array_equal(
        applied("solarize", 128), np.where(pixels < 128, pixels, 255 - pixels)
    )
    np.testing.assert_array_equal(applied("posterize", 4.9), pixels & 0xF0)
    np.testing.assert_allclose(applied("brightness", 0.5), pixels * 0.5, atol=1)

    moved_left = np.zeros_like(pixels)
    moved_left[:, :24] = pixels[:, 8:]
    np.testing.assert_array_equal(applied("translate_x", 0.25), moved_left)
    moved_down = np.zeros_like(pixels)
    moved_down[8:] = pixels[:24]
    np.testing.assert_array_equal(applied("translate_y", -0.25), moved_down)


@pytest.mark.torchssl
def test_operations_equal_torchssls_pixel_for_pixel(
    torchssl: ModuleType, noise: Image.Image
) -> None:
    theirs = torchssl.augment_list()
    assert len(theirs) == len(OPERATIONS)
    for own, (function, low, high) in zip(OPERATIONS, theirs, strict=True):
        assert own.name.replace("_", "") == function.__name__.lower()
        assert (own.low, own.high) == (low, high)
        for magnitude in np.linspace(low, high, 9):
            np.testing.assert_array_equal(
                np.asarray(own.apply(noise, float(magnitude))),
                np.asarray(function(noise, float(magnitude))),
                err_msg=f"{own.name} {magnitude}",
            )


@pytest.mark.torchssl
def test_cutout_equals_torchssls_pixel_for_pixel(
    torchssl: ModuleType, noise: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        fraction, centre = 0.5 * random.random(), random.random(2) * 32
        coordinates = iter(centre)
        with monkeypatch.context() as patch:
            patch.setattr(np.random, "uniform", lambda _, c=coordinates: next(c))
            theirs = torchssl.Cutout(noise, fraction)
        np.testing.assert_array_equal(
            np.asarray(cutout(noise, fraction * 32, centre)), np.asarray(theirs)
        )


# columns and rows are inclusive: PIL's rectangle includes its last row and column
@pytest.mark.parametrize(
    ("side", "centre", "columns", "rows"),
    [
        (4, (10, 12), (8, 12), (10, 14)),
        (3, (10.7, 12.2), (9, 12), (10, 13)),
        (1, (5.5, 5.5), (5, 6), (5, 6)),
        (16, (16, 16), (8, 24), (8, 24)),
        (4, (0, 0), (0, 4), (0, 4)),  # clipped left and above, but not made smaller
        (4, (31.9, 31.9), (29, 31), (29, 31)),  # clipped right and below
        (16, (31, 0), (23, 31), (0, 16)),
    ],
)
def test_cutout_fills_a_grey_square(
    side: float, centre: tuple[float, float], columns: tuple[int, int], rows: tuple[int, int]
) -> None:
    black = Image.new("RGB", (32, 32))
    expected = np.zeros((32, 32, 3), np.uint8)
    expected[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = (125, 123, 114)
    np.testing.assert_array_equal(np.asarray(cutout(black, side, np.array(centre))), expected)
    assert not np.asarray(black).any()


def test_a_cutout_of_side_0_leaves_the_image_alone(noise: Image.Image) -> None:
    np.testing.assert_array_equal(np.asarray(cutout(noise, 0, np.array([9, 9]))), np.asarray(noise))


@pytest.fixture
def witnessed(monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple[str, float]], list[float]]:
    """Operations (name, share of the range) and cutout sides that policies ask for."""
    applied: list[tuple[str, float]] = []
    sides: list[float] = []

    def witness(operation: Operation) -> Operation:
        def apply(image: Image.Image, magnitude: float) -> Image.Image:
            share = (magnitude - operation.low) / (operation.high - operation.low)
            applied.append((operation.name, share))
            return image

        return dataclasses.replace(operation, apply=apply)

    def cut(image: Image.Image, side: float, centre: np.ndarray) -> Image.Image:
        assert centre.shape == (2,)
        assert (centre >= 0).all() and (centre <= 32).all()
        sides.append(side)
        return image

    monkeypatch.setattr(augment, "OPERATIONS", tuple(witness(o) for o in OPERATIONS))
    monkeypatch.setattr(augment, "cutout", cut)
    return applied, sides


def test_torchssls_policy_draws_3_operations_of_any_magnitude(
    witnessed: tuple[list[tuple[str, float]], list[float]], noise: Image.Image
) -> None:
    applied, sides = witnessed
    random = np.random.default_rng(0)
    for _ in range(1000):
        POLICIES["torchssl"](noise, random)
    assert len(applied) == 3000
    counts = np.array([sum(name == o.name for name, _ in applied) for o in OPERATIONS])
    assert (counts > 155).all() and (counts < 275).all()  # 214, four standard deviations
    assert any(len({name for name, _ in applied[i : i + 3]}) < 3 for i in range(0, 3000, 3))
    shares = np.array([share for _, share in applied])
    assert shares.min() < 0.01 and shares.max() > 0.99 and abs(shares.mean() - 0.5) < 0.03
    assert 0 <= min(sides) < 0.2 and 15.8 < max(sides) < 16 and abs(np.mean(sides) - 8) < 0.6


def test_the_papers_policy_draws_2_operations_of_10_levels_and_cuts_half_the_width(
    witnessed: tuple[list[tuple[str, float]], list[float]], noise: Image.Image
) -> None:
    applied, sides = witnessed
    random = np.random.default_rng(0)
    for _ in range(500):
        POLICIES["paper"](noise, random)
    assert len(applied) == 1000
    levels = {round(share * 10, 6) for _, share in applied}
    assert levels == set(range(1, 11))
    assert sides == [16.0] * 500


def test_normalise_equals_torchvisions(arrays: tuple[np.ndarray, ...]) -> None:
    mean = [x / 255 for x in (125.3, 123.0, 113.9)]
    std = [x / 255 for x in (63.0, 62.1, 66.7)]
    transform = Compose([ToTensor(), Normalize(mean, std)])
    expected = torch.stack([transform(image) for image in arrays[0]])
    inputs = normalise(arrays[0], torch.device("cpu"))
    assert inputs.dtype == torch.float32
    assert inputs.shape == (60, 3, 32, 32)
    torch.testing.assert_close(inputs, expected, rtol=0, atol=1e-6)


def test_normalise_takes_views_with_negative_strides(arrays: tuple[np.ndarray, ...]) -> None:
    flipped = arrays[0][:, :, ::-1]
    device = torch.device("cpu")
    torch.testing.assert_close(normalise(flipped, device), normalise(flipped.copy(), device))
