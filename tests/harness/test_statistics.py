"""The interval against tabled values of Student's t."""

from __future__ import annotations

import pytest

from harness.statistics import mean_interval


def test_three_values() -> None:
    mean, half = mean_interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.302653 * 0.57735027, abs=1e-5)  # t(0.975, 2) * 1 / sqrt(3)
    assert half == pytest.approx(2.4841, abs=1e-4)


def test_two_values() -> None:
    mean, half = mean_interval([90.0, 92.0])
    assert mean == 91.0
    assert half == pytest.approx(12.7062, abs=1e-4)  # t(0.975, 1) * sqrt(2) / sqrt(2)


def test_another_level() -> None:
    _, half = mean_interval([1.0, 2.0, 3.0], level=0.90)
    assert half == pytest.approx(2.919986 * 0.57735027, abs=1e-5)


def test_equal_values_have_a_width_of_zero() -> None:
    assert mean_interval([50.0, 50.0, 50.0]) == (50.0, 0.0)


def test_one_value_has_no_interval() -> None:
    assert mean_interval([91.25]) == (91.25, None)
