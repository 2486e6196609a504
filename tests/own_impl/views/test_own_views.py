from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import Compose, Normalize, ToTensor

from own_impl.config import Config
from own_impl.data import channels_first, load
from own_impl.views.operations import Operation
from own_impl.views.views import (
    NAMES,
    OPERATIONS,
    POLICIES,
    StrongDraw,
    WeakDraw,
    apply,
    apply_rounds,
    cutout,
    draw_strong,
    draw_weak,
    normalise,
    strong_views,
    weak_views,
)
from tests.own_impl.views import pil_reference as pil

REPOSITORY = Path(__file__).parents[3]

TORCHSSL = Path(os.environ.get("TORCHSSL_DIR") or REPOSITORY / "third_party/torchssl")
RANDAUGMENT = TORCHSSL / "datasets/augmentation/randaugment.py"
BY_NAME = {operation.name: operation for operation in OPERATIONS}
SIZE = (32, 32)


@pytest.fixture(scope="module")
def torchssl() -> ModuleType:
    if not RANDAUGMENT.exists():
        pytest.skip("the TorchSSL submodule is not there")
    spec = importlib.util.spec_from_file_location("torchssl_randaugment", RANDAUGMENT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def images() -> dict[str, torch.Tensor]:
    """Kinds of images (N, 3, 32, 32): each takes the table operations down another path."""
    random = np.random.default_rng(3)
    n = 60
    shape = (n, 32, 32, 3)
    level = random.integers(0, 256, (n, 1, 1, 3))
    two = np.where(random.random(shape) < random.random((n, 1, 1, 1)) ** 3, 200, 30)
    digits = load(Config(dataset="mnist5k", num_labeled=40)).train_images
    kinds = {
        "noise": random.integers(0, 256, shape),
        "digits": digits[random.integers(0, len(digits), n)],
        "narrow": (level + random.integers(-40, 40, shape)).clip(0, 255),
        "two values": two,
        "one value": np.broadcast_to(level, shape),
    }
    return {name: channels_first(kind.astype(np.uint8)) for name, kind in kinds.items()}


@pytest.fixture
def noise(images: dict[str, torch.Tensor]) -> torch.Tensor:
    return images["noise"]


def _each(
    function: Callable[[Image.Image, float], Image.Image],
    images: torch.Tensor,
    magnitudes: np.ndarray,
) -> torch.Tensor:
    """`function` of every image by itself."""
    pairs = zip(images, magnitudes, strict=True)
    return torch.stack([pil.to_tensor(function(pil.to_image(x), float(v))) for x, v in pairs])


def _assert_same_pixels(ours: torch.Tensor, theirs: torch.Tensor, where: str) -> None:
    differing = (ours != theirs).flatten(1).any(1).nonzero().flatten().tolist()
    assert not differing, f"{where}: images {differing} differ"


def _magnitudes(operation: Operation, n: int) -> list[np.ndarray]:
    """Over the whole range: evenly with both ends, at the ten levels, and drawn."""
    low, width = operation.low, operation.high - operation.low
    levels = np.arange(n) % 11 / 10
    drawn = np.random.default_rng(5).random(n)
    return [low + width * share for share in (np.linspace(0, 1, n), levels, drawn)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operations_equal_pils_pixel_for_pixel(
    operation: Operation, images: dict[str, torch.Tensor]
) -> None:
    for kind, batch in images.items():
        before = batch.clone()
        for magnitudes in _magnitudes(operation, len(batch)):
            ours = apply(operation.name, batch, magnitudes)
            assert ours.dtype == torch.uint8
            expected = _each(pil.FUNCTIONS[operation.name], batch, magnitudes)
            _assert_same_pixels(ours, expected, f"{operation.name} of {kind}")
        assert torch.equal(batch, before)


@pytest.mark.torchssl
def test_operations_equal_torchssls_pixel_for_pixel(
    torchssl: ModuleType, images: dict[str, torch.Tensor]
) -> None:
    theirs = torchssl.augment_list()
    assert len(theirs) == len(OPERATIONS)
    batch = torch.cat([images["noise"][:20], images["digits"][:20]])
    for own, (function, low, high) in zip(OPERATIONS, theirs, strict=True):
        assert own.name.replace("_", "") == function.__name__.lower()
        assert (own.low, own.high) == (low, high)
        magnitudes = np.linspace(low, high, len(batch))
        expected = _each(function, batch, magnitudes)
        _assert_same_pixels(apply(own.name, batch, magnitudes), expected, own.name)


@pytest.mark.parametrize("policy", POLICIES)
def test_strong_views_equal_pils_pixel_for_pixel(
    policy: str, images: dict[str, torch.Tensor]
) -> None:
    batch = torch.cat([images["noise"], images["digits"], images["narrow"]])
    drawn = draw_strong(len(batch), SIZE, POLICIES[policy], np.random.default_rng(1))
    expected = []
    for i, pixels in enumerate(batch):
        image = pil.to_image(pixels)
        for chosen, magnitude in zip(drawn.operations[i], drawn.magnitudes[i], strict=True):
            image = pil.FUNCTIONS[NAMES[chosen]](image, float(magnitude))
        image = pil.cutout(image, float(drawn.side[i]), drawn.centre[i])
        weak = drawn.weak
        image = pil.weak(image, bool(weak.flip[i]), int(weak.top[i]), int(weak.left[i]))
        expected.append(pil.to_tensor(image))
    _assert_same_pixels(strong_views(batch, drawn), torch.stack(expected), policy)


def test_images_of_other_sizes_are_taken() -> None:
    """Wide and not a power of two in area: nothing is tied to 32 x 32."""
    random = np.random.default_rng(0)
    batch = torch.from_numpy(random.integers(0, 256, (9, 3, 24, 36), dtype=np.uint8))
    for operation in OPERATIONS:
        magnitudes = np.linspace(operation.low, operation.high, len(batch))
        expected = _each(pil.FUNCTIONS[operation.name], batch, magnitudes)
        _assert_same_pixels(apply(operation.name, batch, magnitudes), expected, operation.name)


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
def test_magnitudes_that_change_nothing(name: str, magnitude: float, noise: torch.Tensor) -> None:
    assert torch.equal(apply(name, noise[:3], [magnitude] * 3), noise[:3])


def test_operations_do_what_their_names_say(noise: torch.Tensor) -> None:
    pixels = noise[:1]

    def applied(name: str, magnitude: float) -> torch.Tensor:
        return apply(name, pixels, [magnitude])

    assert torch.equal(applied("solarize", 0), 255 - pixels)
    assert torch.equal(applied("solarize", 128), torch.where(pixels < 128, pixels, 255 - pixels))
    assert torch.equal(applied("posterize", 4.9), pixels & 0xF0)
    assert (applied("brightness", 0.5).int() * 2 - pixels.int()).abs().max() <= 1

    moved_left = torch.zeros_like(pixels)
    moved_left[..., :24] = pixels[..., 8:]
    assert torch.equal(applied("translate_x", 0.25), moved_left)
    moved_down = torch.zeros_like(pixels)
    moved_down[:, :, 8:] = pixels[:, :, :24]
    assert torch.equal(applied("translate_y", -0.25), moved_down)


def test_each_image_gets_its_own_operations_in_their_order(noise: torch.Tensor) -> None:
    index = NAMES.index
    chosen = np.array([[index("rotate"), index("equalize")], [index("equalize"), index("rotate")]])
    result = apply_rounds(noise[:2], chosen, np.full((2, 2), 25.0))
    for pixels, names, ours in zip(
        noise[:2], (("rotate", "equalize"), ("equalize", "rotate")), result, strict=True
    ):
        expected = pixels[None]
        for name in names:
            expected = apply(name, expected, [25.0])
        assert torch.equal(ours, expected[0])
    assert not torch.equal(result[0], apply("rotate", apply("equalize", noise[:1], [0]), [25])[0])


def test_a_batch_of_any_size_gives_each_image_the_same_view(noise: torch.Tensor) -> None:
    drawn = draw_strong(4, SIZE, POLICIES["torchssl"], np.random.default_rng(2))
    whole = strong_views(noise[:4], drawn)
    for i in range(4):
        one = slice(i, i + 1)
        weak = WeakDraw(drawn.weak.flip[one], drawn.weak.top[one], drawn.weak.left[one])
        alone = StrongDraw(
            drawn.operations[one], drawn.magnitudes[one], drawn.centre[one], drawn.side[one], weak
        )
        assert torch.equal(strong_views(noise[one], alone), whole[one])


def test_a_weak_view_is_a_flip_and_a_crop_and_all_of_them_occur(noise: torch.Tensor) -> None:
    image = pil.to_image(noise[0])
    possible = {}
    for flip in (False, True):
        for top in range(9):
            for left in range(9):
                crop = pil.to_tensor(pil.weak(image, flip, top, left))
                possible[crop.numpy().tobytes()] = (flip, top, left)
    assert len(possible) == 162

    batch = noise[:1].expand(2500, 3, 32, 32).contiguous()
    views = weak_views(batch, draw_weak(2500, np.random.default_rng(0)))
    assert views.shape == (2500, 3, 32, 32)
    assert views.dtype == torch.uint8
    drawn = [possible[view.numpy().tobytes()] for view in views]  # KeyError: neither
    assert {(top, left) for _, top, left in drawn} == {(y, x) for y in range(9) for x in range(9)}
    flips = sum(flip for flip, _, _ in drawn)
    assert 1150 < flips < 1350  # four standard deviations around one half


def test_views_leave_the_images_as_they_were(noise: torch.Tensor) -> None:
    before = noise.clone()
    random = np.random.default_rng(0)
    strong_views(noise, draw_strong(len(noise), SIZE, POLICIES["torchssl"], random))
    weak_views(noise, draw_weak(len(noise), random))
    assert torch.equal(noise, before)


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_seeds_give_equal_views(noise: torch.Tensor, policy: str) -> None:
    def views(seed: int) -> torch.Tensor:
        random = np.random.default_rng(seed)
        return strong_views(noise, draw_strong(len(noise), SIZE, POLICIES[policy], random))

    first = views(1)
    assert first.shape == noise.shape
    assert first.dtype == torch.uint8
    assert torch.equal(first, views(1))
    assert not torch.equal(first, views(2))


@pytest.mark.torchssl
def test_cutout_equals_torchssls_pixel_for_pixel(
    torchssl: ModuleType, noise: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    n = 300
    fractions, centres = 0.5 * random.random(n), random.random((n, 2)) * 32
    expected = []
    for fraction, centre in zip(fractions, centres, strict=True):
        coordinates = iter(centre)
        with monkeypatch.context() as patch:
            patch.setattr(np.random, "uniform", lambda _, c=coordinates: next(c))
            expected.append(pil.to_tensor(torchssl.Cutout(pil.to_image(noise[0]), fraction)))
    batch = noise[:1].expand(n, 3, 32, 32).contiguous()
    _assert_same_pixels(cutout(batch, centres, fractions * 32), torch.stack(expected), "cutout")


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
    black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    expected = black.clone()
    grey = torch.tensor([125, 123, 114], dtype=torch.uint8).view(3, 1, 1)
    expected[0, :, rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = grey
    result = cutout(black, np.array([centre], float), np.array([side], float))
    assert torch.equal(result, expected)
    assert not black.any()


def test_a_cutout_of_side_0_leaves_the_image_alone(noise: torch.Tensor) -> None:
    assert torch.equal(cutout(noise[:1], np.array([[9.0, 9.0]]), np.zeros(1)), noise[:1])


def _shares(drawn: StrongDraw) -> np.ndarray:
    """Where in its range each magnitude lies, from 0 to 1."""
    low = np.array([operation.low for operation in OPERATIONS])[drawn.operations]
    high = np.array([operation.high for operation in OPERATIONS])[drawn.operations]
    return (drawn.magnitudes - low) / (high - low)


def test_torchssls_policy_draws_3_operations_of_any_magnitude() -> None:
    drawn = draw_strong(1000, SIZE, POLICIES["torchssl"], np.random.default_rng(0))
    assert drawn.operations.shape == drawn.magnitudes.shape == (1000, 3)
    counts = np.bincount(drawn.operations.reshape(-1), minlength=14)
    assert (counts > 155).all() and (counts < 275).all()  # 214, four standard deviations
    assert any(len(set(row)) < 3 for row in drawn.operations.tolist())
    shares = _shares(drawn)
    assert shares.min() < 0.01 and shares.max() > 0.99 and abs(shares.mean() - 0.5) < 0.03
    side = drawn.side
    assert 0 <= side.min() < 0.2 and 15.8 < side.max() < 16 and abs(side.mean() - 8) < 0.6
    # TorchSSL's centre is in (1, 32].
    assert drawn.centre.shape == (1000, 2)
    assert 1 < drawn.centre.min() < 1.2 and 31.8 < drawn.centre.max() <= 32
    assert abs(drawn.centre.mean() - 16.5) < 0.8


def test_the_papers_policy_draws_2_operations_of_10_levels_and_cuts_half_the_width() -> None:
    drawn = draw_strong(2200, SIZE, POLICIES["paper"], np.random.default_rng(0))
    assert drawn.operations.shape == (2200, 2)
    levels = np.round(_shares(drawn).reshape(-1) * 10, 6)
    assert set(levels) == set(range(11))
    counts = np.bincount(levels.astype(int))
    assert (counts > 320).all() and (counts < 480).all()  # 400, four standard deviations
    assert (drawn.side == 16).all()
    assert 0 <= drawn.centre.min() < 0.2 and 31.8 < drawn.centre.max() < 32


def test_the_papers_policy_turns_as_far_to_the_left_as_to_the_right() -> None:
    drawn = draw_strong(5000, SIZE, POLICIES["paper"], np.random.default_rng(0))
    turns = drawn.magnitudes[drawn.operations == NAMES.index("rotate")]
    assert set(np.round(turns, 6)) == set(range(-30, 31, 6))
    assert abs(turns.mean()) < 3  # 19 / sqrt(700) is one standard deviation


def test_normalise_equals_torchvisions(arrays: tuple[np.ndarray, ...]) -> None:
    mean = [x / 255 for x in (125.3, 123.0, 113.9)]
    std = [x / 255 for x in (63.0, 62.1, 66.7)]
    transform = Compose([ToTensor(), Normalize(mean, std)])
    expected = torch.stack([transform(image) for image in arrays[0]])
    inputs = normalise(channels_first(arrays[0]))
    assert inputs.dtype == torch.float32
    assert inputs.shape == (60, 3, 32, 32)
    torch.testing.assert_close(inputs, expected, rtol=0, atol=1e-6)


def test_images_with_negative_strides_are_taken(arrays: tuple[np.ndarray, ...]) -> None:
    flipped = arrays[0][:, :, ::-1]
    assert torch.equal(channels_first(flipped), channels_first(flipped.copy()))
