"""Intervals, paired differences and equivalence: pure functions, distributions by scipy.stats.

Every verdict is at the 5% level, and each label count is judged by itself: nothing is corrected
for how many are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.05
POWER = 0.8  # probability with which the seeds that are named decide
MOST_SEEDS = 1000
NO_SPREAD = 1e-9  # a deviation below this is rounding


@dataclass(frozen=True)
class Sample:
    """n values: mean, sample standard deviation and 95% interval of the mean (Student's t).

    One value has neither deviation nor interval.
    """

    n: int
    mean: float
    deviation: float | None = None
    interval: tuple[float, float] | None = None


class Verdict(StrEnum):
    """What an equivalence test says; the last is no milder form of the first."""

    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Equivalence:
    """Verdict on paired differences at a margin.

    `p` is the larger of the two one-sided p-values of TOST, `inner` the 90% interval that it holds
    against the margin; `nonzero` says whether the 95% interval excludes 0; `seeds_needed` is set
    where the verdict is inconclusive, and None there if no number up to 1,000 would do or the
    spread is not known.
    """

    differences: Sample
    margin: float
    p: float | None
    nonzero: bool
    verdict: Verdict
    seeds_needed: int | None = None
    inner: tuple[float, float] | None = None


@dataclass(frozen=True)
class McNemar:
    """Two checkpoints on the same images: how many only one of them has right; exact p-value."""

    images: int
    only_first: int
    only_second: int
    p: float


def describe(values: Sequence[float], bounds: tuple[float, float] | None = None) -> Sample:
    """Mean, deviation and interval of one value or more; the interval ends at `bounds`."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Sample(n, mean)
    deviation = float(np.std(values, ddof=1))
    deviation = 0.0 if deviation < NO_SPREAD else deviation
    half = float(stats.t.ppf(1 - LEVEL / 2, n - 1)) * deviation / n**0.5
    low, high = bounds or (-np.inf, np.inf)
    return Sample(n, mean, deviation, (max(low, mean - half), min(high, mean + half)))


def sign(sample: Sample) -> int | None:
    """1 or -1 where the 95% interval lies above or below 0, 0 where it holds 0; None: no interval.

    That is a two-sided t-test at 5% and its direction.
    """
    if sample.interval is None:
        return None
    low, high = sample.interval
    return int(low > NO_SPREAD) - int(high < -NO_SPREAD)


def equivalence(differences: Sequence[float], margin: float) -> Equivalence:
    """Two one-sided t-tests (TOST) of paired differences against -margin and +margin.

    equivalent: both tests reject at 5%, that is, the 90% interval of the mean difference lies
    inside the margins. A difference may be so and yet not be zero (`nonzero`).
    different: not equivalent, and the 95% interval excludes 0.
    inconclusive: neither; and always so with a single difference, whose spread is unknown.
    """
    sample = describe(differences)
    if sample.deviation is None or sample.interval is None:
        return Equivalence(sample, margin, None, False, Verdict.INCONCLUSIVE)
    error = sample.deviation / sample.n**0.5
    if error == 0:
        p = float(abs(sample.mean) >= margin)
    else:
        p = float(stats.t.sf((margin - abs(sample.mean)) / error, sample.n - 1))
    half = float(stats.t.ppf(1 - LEVEL, sample.n - 1)) * error
    nonzero = sign(sample) != 0
    verdict = Verdict.INCONCLUSIVE
    if p < LEVEL:
        verdict = Verdict.EQUIVALENT
    elif nonzero:
        verdict = Verdict.DIFFERENT
    needed = None
    if verdict is Verdict.INCONCLUSIVE:
        needed = seeds_needed(sample.mean, sample.deviation, margin)
        # Where so many should have done by now, they were unlucky: one more is the least.
        needed = None if needed is None else max(needed, sample.n + 1)
    inner = (sample.mean - half, sample.mean + half)
    return Equivalence(sample, margin, p, nonzero, verdict, needed, inner)


def seeds_needed(mean: float, deviation: float, margin: float) -> int | None:
    """The fewest seeds of which one verdict, equivalent or different, has an 80% chance.

    Assumes that differences are normal with this mean and deviation, that is, that the true
    values are the observed ones. Power by the noncentral t distribution; that of TOST by its usual
    lower bound (both one-sided powers less one). None: more than 1,000.
    """
    n = np.arange(2, MOST_SEEDS + 1)
    enough = np.flatnonzero(
        np.maximum(
            _power_of_equivalence(n, mean, deviation, margin),
            _power_of_difference(n, mean, deviation),
        )
        >= POWER
    )
    return int(n[enough[0]]) if len(enough) else None


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """The exact test of two checkpoints; which images each has right, shape (N,) both."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    p = float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemar(len(first), only_first, only_second, p)


def proportion_interval(right: int, images: int) -> tuple[float, float]:
    """95% interval of an accuracy in percent: Clopper and Pearson's, exact for the binomial."""
    interval = stats.binomtest(right, images).proportion_ci(1 - LEVEL, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def _power_of_equivalence(
    n: NDArray[np.int64], mean: float, deviation: float, margin: float
) -> NDArray[np.float64]:
    critical = stats.t.ppf(1 - LEVEL, n - 1)
    above = stats.nct.sf(critical, n - 1, _noncentrality(n, margin + mean, deviation))
    below = stats.nct.sf(critical, n - 1, _noncentrality(n, margin - mean, deviation))
    return np.maximum(0.0, above + below - 1)


def _power_of_difference(
    n: NDArray[np.int64], mean: float, deviation: float
) -> NDArray[np.float64]:
    critical = stats.t.ppf(1 - LEVEL / 2, n - 1)
    return np.asarray(stats.nct.sf(critical, n - 1, _noncentrality(n, abs(mean), deviation)))


def _noncentrality(n: NDArray[np.int64], distance: float, deviation: float) -> NDArray[np.float64]:
    # Past 30 the power is 1 but for two or three seeds, and the distribution loses its digits.
    return np.clip(distance * np.sqrt(n) / deviation, -30.0, 30.0)
