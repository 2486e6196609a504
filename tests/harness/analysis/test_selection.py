"""Four rules on cases worked out by hand."""

from __future__ import annotations

import typing

import pytest

from harness.analysis import selection
from harness.experiment import profile
from harness.implementations.reported import Point


def points(*accuracies: float) -> list[Point]:
    return [Point(iteration=i + 1, top1=a) for i, a in enumerate(accuracies)]


def test_best_is_the_highest_and_last_the_last() -> None:
    run = points(10.0, 91.5, 90.25)
    assert selection.best(run) == 91.5
    assert selection.last(run) == 90.25


def test_mean_and_median_of_the_last_twenty() -> None:
    run = points(*[100.0] * 5, *[50.0] * 10, *[60.0] * 9, 78.0)
    assert selection.mean20(run) == pytest.approx((500 + 540 + 78) / 20)
    assert selection.median20(run) == pytest.approx(55.0)


def test_median_does_not_follow_one_outlier() -> None:
    assert selection.median20(points(*[90.0] * 19, 0.0)) == 90.0
    assert selection.mean20(points(*[90.0] * 19, 0.0)) == pytest.approx(85.5)


@pytest.mark.parametrize("rule", ["mean20", "median20"])
def test_fewer_than_twenty_have_no_value(rule: str) -> None:
    assert selection.RULES[rule](points(*[50.0] * 19)) is None
    assert selection.RULES[rule](points(*[50.0] * 20)) == 50.0


@pytest.mark.parametrize("rule", sorted(selection.RULES))
def test_nothing_evaluated_has_no_value(rule: str) -> None:
    assert selection.RULES[rule]([]) is None


def test_every_rule_that_a_profile_may_name_exists_and_is_described() -> None:
    named = set(typing.get_args(profile.Selection))
    assert named == set(selection.RULES) == set(selection.DESCRIPTIONS) == set(selection.SHORT)


@pytest.mark.parametrize(
    ("wanted", "evaluations", "rule"),
    [
        ("last", [3], "last"),
        ("best", [3], "best"),
        ("median20", [], "median20"),
        ("median20", [19, 12], "last"),
        ("mean20", [19], "last"),
        ("median20", [19, 20], "median20"),
        ("median20", [379], "median20"),
    ],
)
def test_short_runs_are_shown_by_their_last_evaluation(
    wanted: str, evaluations: list[int], rule: str
) -> None:
    assert selection.in_use(wanted, evaluations) == rule
