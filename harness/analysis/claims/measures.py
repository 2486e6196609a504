"""What decides a claim about two algorithms: numbers of one seed's runs, and a stated rule.

A measure reads the runs of one implementation, label count and seed; it never sees a claim's words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from harness.implementations.reported import Point
from harness.runs.folder import Run

LAST = 5  # evaluations that count as the end: one batch alone has few images
ROUNDING = 1e-6  # a confidence is a mean of float32 numbers


class Ruling(StrEnum):
    """What is said of a claim."""

    TRUE = "true"
    FALSE = "false"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Trained:
    """The done runs of one implementation, label count and seed; None where there is none."""

    default: Run | None  # with the default algorithm
    other: Run | None


@dataclass(frozen=True)
class Reading:
    """What one seed's runs give: numbers by name, and what they say by themselves.

    `ruling` is None where the run does not record what the rule needs.
    """

    numbers: Mapping[str, float]
    ruling: Ruling | None


@dataclass(frozen=True)
class Measure:
    """How a claim is measured.

    `numbers` are its columns: name -> (head, format). `rule` is its words for people, `summary` the
    numbers that decide, by name; in them and in a head stand `{default}` and `{other}` for the
    algorithms, and in a rule `{threshold:g}`. `read` gives None where the run that it `needs` is
    not there, or records none of its numbers.
    """

    needs: Literal["default", "other"]
    rule: str
    numbers: Mapping[str, tuple[str, str]]
    summary: str
    read: Callable[[Trained, float], Reading | None]


def _entropy(trained: Trained, _threshold: float) -> Reading | None:
    values = _recorded(trained.other, "guess_entropy")
    if len(values) < 2:
        return None
    first, last = values[0], values[-1]
    numbers = {"first": first, "last": last, "change": last - first}
    return _decided(numbers, true=last > first, false=last < first)


def _chosen(trained: Trained, _threshold: float) -> Reading | None:
    run = trained.default
    shares = _recorded(run, "mask")
    if run is None or not shares:
        return None
    share = _mean(shares)
    numbers = {"share": share, "end": _mean(shares[-LAST:])}
    confidences, right = _recorded(run, "guess_confidence"), _recorded(run, "guess_accuracy")
    if not confidences or not right:
        return Reading(numbers, None)
    numbers |= {"right": _mean(right), "right_end": _mean(right[-LAST:])}
    lowest = min(confidences) if all(map(math.isfinite, confidences)) else math.nan
    numbers |= {"confidence": lowest}
    chooses = 0 < share < 1 and lowest >= run.manifest.settings["threshold"] - ROUNDING
    return _decided(numbers, true=chooses, false=not chooses)


def _iterations(trained: Trained, threshold: float) -> Reading | None:
    if trained.default is None:
        return None
    if not _has_learnt(trained.default):
        return Reading({}, Ruling.NOT_SHOWN)
    before, at = _reached(trained.default, threshold)
    numbers: dict[str, float] = {"before": before, "at": at}
    is_slow = before >= 1  # an evaluation after one update or more had not reached it
    if trained.other is None or not _has_learnt(trained.other):
        return _decided(numbers, true=False, false=is_slow)
    other_before, other_at = _reached(trained.other, threshold)
    numbers |= {"others": other_at, "ratio": other_at / at}
    is_quick = at <= 1
    return _decided(
        numbers,
        true=is_quick and other_before >= 1,
        false=is_slow or (is_quick and other_at <= 1),
    )


def _has_learnt(run: Run) -> bool:
    """Whether its last accuracy is twice what guessing gives, or more."""
    return run.points[-1].top1 >= 200 / max(1, len(run.manifest.settings["test_class_counts"]))


def _reached(run: Run, share: float) -> tuple[int, int]:
    """(iteration of the last evaluation before, that of the first) at `share` of the last accuracy.

    The former is 0 where the first evaluation of all has it.
    """
    needed, before = share * run.points[-1].top1, 0
    for point in run.points:
        if point.top1 >= needed:
            return before, point.iteration
        before = point.iteration
    raise AssertionError("the last evaluation has all of its accuracy")


def _pool_an_iteration(trained: Trained, _threshold: float) -> Reading | None:
    drawn, pool = _drawn(trained.other), _pool(trained.other)
    if drawn is None or pool is None:
        return None
    numbers = {"drawn": drawn, "pool": pool, "share": 100 * drawn / pool}
    return _decided(numbers, true=drawn >= pool, false=drawn < pool)


def _pool_in_the_run(trained: Trained, threshold: float) -> Reading | None:
    run, drawn, pool = trained.default, _drawn(trained.default), _pool(trained.default)
    if run is None or drawn is None or pool is None:
        return None
    images = drawn * run.points[-1].iteration
    numbers = {
        "drawn": drawn,
        "others": _drawn(trained.other),
        "passes": images / pool,
        "seen": 100 * (1 - (1 - 1 / pool) ** images),
    }
    known = {name: value for name, value in numbers.items() if value is not None}
    is_part = images / pool < threshold
    return _decided(known, true=is_part, false=not is_part)


def _share_in_the_loss(trained: Trained, _threshold: float) -> Reading | None:
    shares = _recorded(trained.default, "mask")
    if not shares:
        return None
    share = _mean(shares)
    numbers = {"share": share, "end": _mean(shares[-LAST:])}
    return _decided(numbers, true=0 < share < 1, false=share in (0, 1))


def _decided(numbers: Mapping[str, float], *, true: bool, false: bool) -> Reading:
    """Not shown where neither holds, or a number is not finite."""
    ruling = Ruling.TRUE if true else Ruling.FALSE if false else Ruling.NOT_SHOWN
    is_finite = all(map(math.isfinite, numbers.values()))
    return Reading(numbers, ruling if is_finite else Ruling.NOT_SHOWN)


def _recorded(run: Run | None, name: str) -> list[float]:
    """That number of each evaluation that has it, in the order of iterations."""
    points: Sequence[Point] = run.points if run is not None else ()
    return [value for point in points if (value := getattr(point, name)) is not None]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _drawn(run: Run | None) -> float | None:
    """Unlabelled images of an iteration, each counted once however many views it has."""
    if run is None:
        return None
    return float(run.manifest.settings["batch_size"] * run.manifest.settings["mu"])


def _pool(run: Run | None) -> float | None:
    """The unlabelled images that there are, by what the run recorded itself."""
    found = run.settings.get("unlabelled_pool") if run is not None else None
    return float(found.value) if found is not None else None


MEASURES: Mapping[str, Measure] = {
    "entropy-of-guesses": Measure(
        needs="other",
        rule=(
            "False where the mean entropy of {other}'s guessed labels is lower at the last "
            "evaluation than at the first, true where it is higher. The first evaluation is of the "
            "first batch; each other of all guesses since the one before."
        ),
        numbers={
            "first": ("first, nats", ".2f"),
            "last": ("last, nats", ".2f"),
            "change": ("change, nats", "+.2f"),
        },
        summary="entropy of the guesses {first} → {last} nats",
        read=_entropy,
    ),
    "chosen-by-confidence": Measure(
        needs="default",
        rule=(
            "True where the share of unlabelled images that move weights, its mean over the "
            "evaluations, lies strictly between 0 and 1, and the mean confidence of those that do "
            "is at or above the threshold of the run's settings at each evaluation that records "
            "it; else false. A share is of the last batch before an evaluation; accuracy and "
            "confidence are of all since the one before. At the end: mean of the last "
            f"{LAST} evaluations."
        ),
        numbers={
            "share": ("share that moves weights", ".2f"),
            "end": ("at the end", ".2f"),
            "right": ("pseudo-labels right, %", ".1f"),
            "right_end": ("at the end, %", ".1f"),
            "confidence": ("lowest mean confidence", ".3f"),
        },
        summary="{share} of the images, with a confidence of at least {confidence}",
        read=_chosen,
    ),
    "iterations-to-accuracy": Measure(
        needs="default",
        rule=(
            "The iterations until {threshold:.0%} of the run's last accuracy are reached. False "
            "where {default} had not reached it at an evaluation after one iteration or more, or "
            "where both algorithms had after one; true where {default} had after one and {other} "
            "had not. A run whose last accuracy is below twice chance decides nothing."
        ),
        numbers={
            "before": ("{default}, not yet at", ".0f"),
            "at": ("{default}, reached at", ".0f"),
            "others": ("{other}, reached at", ".0f"),
            "ratio": ("{other} / {default}", ".2f"),
        },
        summary="{default} {at} iterations, {other} {others}: {ratio} times as many",
        read=_iterations,
    ),
    "pool-an-iteration": Measure(
        needs="other",
        rule=(
            "False where an iteration of {other} draws fewer unlabelled images than there are, "
            "true where it draws as many or more."
        ),
        numbers={
            "drawn": ("images an iteration", ".0f"),
            "pool": ("unlabelled images", ".0f"),
            "share": ("share, %", ".2f"),
        },
        summary="{drawn} of {pool} images an iteration, {share}%",
        read=_pool_an_iteration,
    ),
    "pool-in-the-run": Measure(
        needs="default",
        rule=(
            "Each unlabelled image that {default} draws goes through the network. False where a "
            "run draws at least {threshold:g} times their number, true where it draws fewer. "
            "Seen: the share of them that is expected to be drawn at least once, as they are drawn "
            "with replacement."
        ),
        numbers={
            "drawn": ("{default}, images an iteration", ".0f"),
            "others": ("{other}, images an iteration", ".0f"),
            "passes": ("{default}, times the pool in the run", ".2f"),
            "seen": ("seen, %", ".2f"),
        },
        summary="{passes} times the pool in a run; {drawn} images an iteration, {other} {others}",
        read=_pool_in_the_run,
    ),
    "share-in-the-loss": Measure(
        needs="default",
        rule=(
            "True where the share of the unlabelled images that move weights in {default}, its "
            "mean over the evaluations, lies strictly between 0 and 1; false where it is 0 or 1. "
            "A share is of the last batch before an evaluation, as the logs have it. At the end: "
            f"mean of the last {LAST} evaluations."
        ),
        numbers={
            "share": ("share that moves weights", ".2f"),
            "end": ("at the end", ".2f"),
        },
        summary="{share} of the images, {end} at the end",
        read=_share_in_the_loss,
    ),
}
