"""The step rung on answers made by hand: what counts as a difference, and of what size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.parity import answers as rungs
from harness.parity.question import PRECISIONS

VARIANCE = "statistic/bn1.running_var"


def answers(folder: Path, **changed: float) -> Path:
    """Two steps in each precision, of one tensor of each kind."""
    values = {
        "scalar/mask": 0.5,
        "weight/fc.weight": 0.25,
        "momentum/fc.weight": 1e-3,
        "ema/fc.weight": 0.25,
        VARIANCE: 8192.0,
    } | changed
    for precision in PRECISIONS:
        (folder / f"step-{precision}").mkdir(parents=True)
        for k in range(2):
            arrays = {
                name: np.full(() if name.startswith("scalar") else 3, value, precision)
                for name, value in values.items()
            }
            np.savez(folder / f"step-{precision}" / f"{k}.npz", **arrays)
    return folder


def test_a_variance_of_thousands_is_held_relative_to_its_size(tmp_path: Path) -> None:
    """Two of float32's own steps at 8192 are 2e-3, and no difference between implementations."""
    apart = answers(tmp_path / "own", **{VARIANCE: 8192.0 + 2 * 2**-10})
    rung, drift = rungs.step(apart, answers(tmp_path / "torchssl"), 2)
    by_name = {check.quantity: check for check in rung.checks}
    float32 = next(check for name, check in by_name.items() if "float32" in name)
    assert float32.holds
    assert drift[0]["statistic"] == pytest.approx(2**-9 / 8192)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (VARIANCE, 8192.0 * 1.002),
        ("weight/fc.weight", 0.252),
        ("momentum/fc.weight", 3e-3),
        (VARIANCE, float("nan")),
        (VARIANCE, float("inf")),
    ],
)
def test_what_is_further_apart_breaks_the_rung_and_is_named(
    tmp_path: Path, name: str, value: float
) -> None:
    ours, theirs = answers(tmp_path / "own", **{name: value}), answers(tmp_path / "torchssl")
    for mine, reference in ((ours, theirs), (theirs, ours)):
        rung, _ = rungs.step(mine, reference, 2)
        assert not rung.holds
        assert rung.first_difference is not None
        assert f"{name} differs" in str(rung.first_difference)
