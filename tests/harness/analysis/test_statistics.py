"""Intervals, equivalence and exact tests against tabled values and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from harness.analysis import statistics
from harness.analysis.statistics import Verdict, describe, equivalence, mcnemar, proportion_interval


def interval(values: list[float]) -> tuple[float, float]:
    found = describe(values).interval
    assert found is not None
    return found


def test_three_values() -> None:
    sample = describe([1.0, 2.0, 3.0])
    assert (sample.n, sample.mean, sample.deviation) == (3, 2.0, 1.0)
    # t(0.975, 2) * 1 / sqrt(3) = 4.302653 * 0.57735027
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.0, 3.0, 4.0], 1),  # 3 - 2.48 > 0
        ([-2.0, -3.0, -4.0], -1),
        ([1.0, 2.0, 3.0], 0),  # 2 - 2.48 < 0
        ([0.0, 0.0], 0),
        ([1.0, 1.0], 1),
        ([5.0], None),
    ],
)
def test_sign_by_hand(values: list[float], expected: int | None) -> None:
    assert statistics.sign(describe(values)) == expected


def test_two_values() -> None:
    # t(0.975, 1) * sqrt(2) / sqrt(2)
    assert interval([90.0, 92.0]) == pytest.approx((91 - 12.7062, 91 + 12.7062), abs=1e-4)


def test_an_interval_ends_at_its_bounds() -> None:
    assert describe([98.0, 100.0], bounds=(0, 100)).interval == pytest.approx((86.2938, 100))


def test_equal_values_have_a_width_of_zero() -> None:
    assert describe([50.2, 50.2, 50.2]).deviation == 0.0
    assert interval([50.0, 50.0, 50.0]) == (50.0, 50.0)


def test_one_value_has_no_interval_and_no_deviation() -> None:
    assert describe([91.25]) == statistics.Sample(1, 91.25)


def test_equivalent_by_hand() -> None:
    # mean 0.2, SD 0.2, error 0.2 / sqrt(3) = 0.11547; t = (1 - 0.2) / 0.11547 = 6.9282 on 2
    # degrees of freedom, where P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)) = 0.01010
    result = equivalence([0.0, 0.2, 0.4], margin=1.0)
    assert result.p == pytest.approx(0.010101, abs=1e-5)
    assert result.verdict is Verdict.EQUIVALENT
    assert not result.nonzero
    assert result.seeds_needed is None


def test_p_is_that_of_the_two_one_sided_tests() -> None:
    values = [0.3, -0.7, 1.9, 0.4]
    below = stats.ttest_1samp(values, -1.5, alternative="greater").pvalue
    above = stats.ttest_1samp(values, 1.5, alternative="less").pvalue
    assert equivalence(values, 1.5).p == pytest.approx(max(below, above))


def test_equivalent_is_the_ninety_percent_interval_inside_the_margin() -> None:
    values = [0.3, -0.7, 1.9, 0.4]
    half = stats.t.ppf(0.95, 3) * np.std(values, ddof=1) / 2
    edge = abs(np.mean(values)) + half
    inner = equivalence(values, 1.5).inner
    assert inner == pytest.approx((np.mean(values) - half, np.mean(values) + half))
    assert equivalence(values, edge * 1.001).verdict is Verdict.EQUIVALENT
    assert equivalence(values, edge * 0.999).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("sign", [1, -1])
def test_equivalent_and_yet_not_zero(sign: int) -> None:
    # mean 0.5, half-width 4.302653 * 0.01 / sqrt(3) = 0.0248: excludes 0, and far inside 2
    result = equivalence([sign * v for v in (0.49, 0.50, 0.51)], margin=2.0)
    assert result.verdict is Verdict.EQUIVALENT
    assert result.nonzero


@pytest.mark.parametrize("sign", [1, -1])
def test_different(sign: int) -> None:
    # mean 5, half-width 2.4841 * 0.5 = 1.242: excludes 0, and is past the margin
    result = equivalence([sign * v for v in (4.5, 5.0, 5.5)], margin=2.0)
    assert result.verdict is Verdict.DIFFERENT
    assert result.nonzero
    assert result.p is not None and result.p > 0.95


def test_different_needs_an_interval_without_zero() -> None:
    """A mean past the margin is not enough."""
    result = equivalence([1.0, 5.0, 9.0], margin=2.0)
    assert result.verdict is Verdict.INCONCLUSIVE


def test_no_significant_difference_is_not_equivalence() -> None:
    """p > 0.05 against 0 says nothing: the interval is as wide as can be."""
    values = [8.0, -7.0, 1.0]
    assert stats.ttest_1samp(values, 0).pvalue > 0.8
    result = equivalence(values, margin=1.0)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.seeds_needed is not None and result.seeds_needed > 100


def test_one_difference_is_inconclusive_whatever_it_is() -> None:
    for value in (0.0, 50.0):
        result = equivalence([value], margin=1.0)
        assert (result.verdict, result.p) == (Verdict.INCONCLUSIVE, None)
        assert result.seeds_needed is None


@pytest.mark.parametrize(
    ("values", "verdict", "nonzero"),
    [
        ([0.0, 0.0, 0.0], Verdict.EQUIVALENT, False),
        ([0.2, 0.2, 0.2], Verdict.EQUIVALENT, True),
        ([3.0, 3.0], Verdict.DIFFERENT, True),
    ],
)
def test_equal_differences(values: list[float], verdict: Verdict, nonzero: bool) -> None:
    result = equivalence(values, margin=1.0)
    assert (result.verdict, result.nonzero) == (verdict, nonzero)


def exact_power(n: int, mean: float, deviation: float, margin: float) -> float:
    """Chance that TOST holds, by integration over the distribution of the sample deviation."""
    error, degrees = deviation / n**0.5, n - 1
    critical = stats.t.ppf(0.95, degrees)

    def given(ratio: float) -> float:
        reach = margin - critical * error * ratio
        if reach <= 0:
            return 0.0
        inside = stats.norm.cdf((reach - mean) / error) - stats.norm.cdf((-reach - mean) / error)
        return float(inside * stats.chi.pdf(ratio * degrees**0.5, degrees) * degrees**0.5)

    return float(integrate.quad(given, 0, 6, limit=200)[0])


@pytest.mark.parametrize(
    ("mean", "deviation", "margin"), [(0.0, 1.0, 1.0), (0.0, 1.0, 0.5), (0.3, 1.0, 1.0)]
)
def test_seeds_that_decide_by_equivalence(mean: float, deviation: float, margin: float) -> None:
    needed = statistics.seeds_needed(mean, deviation, margin)
    assert needed is not None
    assert exact_power(needed, mean, deviation, margin) >= 0.8
    assert exact_power(needed - 1, mean, deviation, margin) < 0.8


def test_seeds_that_decide_by_difference() -> None:
    # Of a one-sample t-test at d = 1 the tables have n = 10 for 80% (Cohen 1988).
    assert statistics.seeds_needed(1.0, 1.0, 1.0) == 10
    assert statistics.seeds_needed(-1.0, 1.0, 1.0) == 10


def test_more_spread_takes_more_seeds() -> None:
    needed = [statistics.seeds_needed(0.0, deviation, 1.0) for deviation in (0.5, 1.0, 2.0, 4.0)]
    assert needed == sorted(n for n in needed if n is not None)


def test_more_than_a_thousand_seeds() -> None:
    assert statistics.seeds_needed(0.0, 10.0, 0.1) is None


def test_what_is_needed_is_more_than_there_is() -> None:
    unlucky = [0.9, 0.9, 0.9, -3.5, 1.0, 1.1, 1.1, 1.0, 1.0, 0.9, 1.0, 0.8]
    result = equivalence(unlucky, margin=1.0)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.seeds_needed is not None and result.seeds_needed > len(unlucky)


def test_mcnemar_by_hand() -> None:
    # 6 against 1 of 7: 2 * (C(7,0) + C(7,1)) / 2^7 = 2 * 8 / 128 = 0.125
    first = np.array([1, 1, 1, 1, 1, 1, 0, 1, 0], dtype=bool)
    second = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0], dtype=bool)
    result = mcnemar(first, second)
    assert (result.images, result.only_first, result.only_second) == (9, 6, 1)
    assert result.p == pytest.approx(0.125)


def test_mcnemar_of_checkpoints_that_are_right_on_the_same_images() -> None:
    right = np.array([True, False, True])
    assert mcnemar(right, right) == statistics.McNemar(3, 0, 0, 1.0)


def test_clopper_pearson_by_hand() -> None:
    # All of n right: the lower end solves p^n = 0.025.
    assert proportion_interval(10, 10) == pytest.approx((100 * 0.025**0.1, 100))
    # None right: the upper end solves (1 - p)^n = 0.025.
    assert proportion_interval(0, 10) == pytest.approx((0, 100 * (1 - 0.025**0.1)))
    # 5 of 10, tabled: 18.71 to 81.29.
    assert proportion_interval(5, 10) == pytest.approx((18.71, 81.29), abs=0.005)
