from __future__ import annotations

import itertools
import math

import pytest

from own_impl.algorithms.schedule import learning_rate


def test_starts_at_lr_and_ends_at_seven_sixteenths_of_pi() -> None:
    assert learning_rate(0.03, 0, 1000) == 0.03
    assert learning_rate(0.03, 1000, 1000) == pytest.approx(0.03 * math.cos(7 * math.pi / 16))
    assert learning_rate(0.03, 1000, 1000) == pytest.approx(0.0058527, abs=1e-7)


def test_hand_values() -> None:
    assert learning_rate(1.0, 400, 700) == pytest.approx(math.cos(math.pi / 4))
    assert learning_rate(0.03, 500, 1000) == pytest.approx(0.03 * 0.7730105)


def test_falls_all_the_way() -> None:
    rates = [learning_rate(0.03, k, 100) for k in range(101)]
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))


def test_warm_up_is_linear_and_the_cosine_counts_from_its_end() -> None:
    rates = [learning_rate(0.03, k, 110, warmup=10) for k in range(11)]
    assert rates == pytest.approx([0.003 * k for k in range(11)])
    for k in range(101):
        assert learning_rate(0.03, 10 + k, 110, warmup=10) == learning_rate(0.03, k, 100)


def test_is_never_negative() -> None:
    assert all(learning_rate(0.03, k, 10) >= 0 for k in range(100))
    assert learning_rate(0.03, 20, 10) == 0
