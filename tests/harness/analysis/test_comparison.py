"""Cells, pairs and verdicts of runs, and how they are said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.analysis import comparison, published, selection
from harness.analysis.comparison import Comparison, Paired
from harness.analysis.results import Key
from harness.analysis.statistics import Verdict
from harness.errors import BadInput
from harness.experiment import profile
from harness.report import wording
from harness.runs.folder import Run
from harness.runs.manifest import Status
from harness.runs.predictions import Predictions
from tests.harness.report.test_table import CONTENDERS, RUNS, curve, run

CITED = published.load()


WITHOUT = {name: one for name, one in CONTENDERS.items() if not one.baseline_of}
NOTED = CONTENDERS["labelled_only"].model_copy(update={"note": "a note."})


def build(runs: list[Run], name: str = "quick", **options: object) -> Comparison:
    contenders = CONTENDERS | {"labelled_only": NOTED}
    given: dict[str, object] = {"predictions": {}, "contenders": contenders, "published": CITED}
    return comparison.build(runs, profile.load(name), **(given | options))  # type: ignore[arg-type]


def pair(seed: int, own: float, torchssl: float, labels: int = 40) -> list[Run]:
    sides = (("own", own), ("torchssl", torchssl))
    return [run(name, labels, seed, points=curve(10.0, accuracy)) for name, accuracy in sides]


def gain(*accuracies: tuple[float, float]) -> tuple[Paired, str]:
    """Of own over labelled images only, a seed each; and what is said of it."""
    names = ("own", "labelled_only")
    runs = [
        run(name, 40, seed, points=curve(10.0, accuracy))
        for seed, both in enumerate(accuracies)
        for name, accuracy in zip(names, both, strict=True)
    ]
    found = build(runs)
    [one] = found.gains
    return one, wording.gain(one, found.titles)


def predicted(*right: bool) -> Predictions:
    targets = np.zeros(len(right), dtype=np.int64)
    return Predictions(targets, np.where(right, 0, 1).astype(np.int64))


def test_a_cell_for_every_implementation_and_label_count() -> None:
    found = build(RUNS)
    assert (found.labels, found.implementations) == ([40, 250, 4000], ["own", "torchssl"])
    assert found.cell("own", 40).accuracies == {0: 60.0, 1: 64.0}
    assert found.cell("torchssl", 40).lost == ("failed",)
    assert found.data == "mnist5k"


def test_one_seed_has_no_interval() -> None:
    assert wording.cell(build(pair(0, 60.0, 58.0)).cell("own", 40)) == "60.00 (n=1)"


def test_two_seeds_have_one() -> None:
    # mean of 60 and 64; SD sqrt(8); t(0.975, 1) * 2 = 25.41
    cell = build(RUNS).cell("own", 40)
    assert wording.cell(cell) == "62.00 ± 2.83 [36.59, 87.41] (n=2)"
    assert (wording.value(cell), wording.detail(cell)) == ("62.00 ± 2.83", "[36.59, 87.41], n=2")


def test_an_interval_of_accuracies_ends_at_a_hundred() -> None:
    cell = build([*pair(0, 99.0, 99.0), *pair(1, 97.0, 98.0)]).cell("own", 40)
    assert wording.cell(cell).startswith("98.00 ± 1.41 [85.29, 100.00]")


def test_lost_seeds_are_counted_beside_the_mean() -> None:
    lost = run("own", 40, 2, status=Status.FAILED)
    assert wording.cell(build([RUNS[0], RUNS[3], lost]).cell("own", 40)) == "60.00 (n=1), 1 failed"


def test_an_incomparable_run_enters_no_mean_and_no_pair() -> None:
    found = build([RUNS[4], RUNS[5]])
    assert wording.cell(found.cell("torchssl", 250)) == "incomparable"
    assert found.pairings[0].differences == {}
    assert wording.verdict_word(found.pairings[0]) == "no pair"
    assert "nothing can be said" in wording.verdict(found.pairings[0], found.titles)


def test_no_run_at_all_is_missing() -> None:
    found = build([*pair(0, 60.0, 58.0), run("own", 250, 0, points=curve(80.0))])
    assert wording.cell(found.cell("torchssl", 250)) == "missing"


def test_too_few_evaluations_for_the_rule() -> None:
    found = build(RUNS, "cifar10")
    assert found.rule == "median20"
    assert wording.cell(found.cell("own", 40)) == "too few evaluations"
    assert wording.cell(found.cell("own", 250)) == "80.50 (n=1)"


def test_short_runs_are_shown_by_the_last_evaluation_and_it_is_said() -> None:
    found = build(pair(0, 60.0, 58.0), "cifar10")
    assert found.rule == "last"
    assert wording.selection_rule(found) == (
        "last evaluation (the profile's rule is the median of the last 20 evaluations; these runs "
        "have fewer)"
    )


def test_best_is_marked_as_chosen_on_the_test_set_with_how_many_looks() -> None:
    same = build([*pair(0, 60.0, 58.0)], rule="best")
    assert wording.selection_rule(same).startswith(
        "best evaluation, chosen on the test set from 2 evaluations a run"
    )
    assert "from 2 to 21 evaluations a run" in wording.selection_rule(
        build([*pair(0, 60.0, 58.0), RUNS[4]], rule="best")
    )


@pytest.mark.parametrize("rule", ["median20", "mean20", "last"])
def test_evaluations_of_another_part_of_the_training_are_told(rule: str) -> None:
    """As of one that evaluates after each of its epochs, which are longer."""
    every_epoch = tuple(replace(p, iteration=4 * p.iteration) for p in curve(*[60.0] * 25))
    runs = [
        run("own", 40, 0, points=every_epoch),
        run("torchssl", 40, 0, points=curve(*[60.0] * 25)),
    ]
    found = build(runs, rule=rule)
    said = wording.verdict(found.pairings[0], found.titles)
    told = "that count are those from iteration 2004 on of FixMatch (own), from 501 on of"
    assert (told in said) == (rule != "last")


@pytest.mark.parametrize("rule", selection.RULES)
def test_published_rows_stand_beside_results_of_their_rule_and_data_only(rule: str) -> None:
    runs = pair(0, 60.0, 58.0)
    assert build(runs, rule=rule).published_beside == []
    assert len(build(runs, rule=rule).published_apart) == len(CITED.rows)
    for one in runs:
        one.manifest.settings["data"] = "cifar10"
    found = build(runs, rule=rule)
    for one in runs:
        one.manifest.settings["data"] = "mnist5k"
    assert {row.selection for row in found.published_beside} <= {rule}
    both = [*found.published_beside, *found.published_apart]
    assert sorted(row.source for row in both) == sorted(row.source for row in CITED.rows)


def test_differences_are_paired_by_seed() -> None:
    runs = [*pair(0, 60.0, 59.0), *pair(1, 80.0, 79.5), *pair(2, 70.0, 69.8)]
    lonely = run("own", 40, 3, points=curve(99.0))
    [pairing] = build([*runs, lonely]).pairings
    assert pairing.differences == pytest.approx({0: 1.0, 1: 0.5, 2: 0.2})
    assert (pairing.implementation, pairing.reference) == ("own", "torchssl")
    assert pairing.margin == profile.load("quick").margin[40]


def test_without_the_reference_there_is_nothing_to_compare_with() -> None:
    found = build([RUNS[0], RUNS[2]])
    assert found.pairings == []
    assert "Nothing to compare" in wording.headline(found)


@pytest.mark.parametrize(
    ("accuracies", "verdict", "words"),
    [
        (
            [(80.0, 80.2), (81.0, 80.8), (82.0, 82.0)], "equivalent",
            ["TOST at ±5.00: p < 0.001 (90% interval [-0.34, 0.34])."],
        ),
        (
            [(80.5, 80.0), (81.5, 81.0), (82.6, 82.0)], "equivalent, not zero",
            ["+0.53 points on average over 3 seeds", "excludes 0: small, but not nothing"],
        ),
        (
            [(90.0, 80.0), (91.0, 81.2), (92.2, 82.0)], "different",
            ["The interval excludes 0, and the margin does not hold it"],
        ),
        (
            [(90.0, 80.0), (80.0, 84.0), (85.0, 85.0)], "inconclusive",
            ["the interval holds 0", "seeds (80% chance of a verdict"],
        ),
        ([(80.0, 80.2), (81.0, 81.2)], "equivalent, not zero", ["these seeds show no spread"]),
        ([(80.0, 80.2)], "inconclusive", ["with one seed, whose spread is unknown"]),
    ],
)  # fmt: skip
def test_verdicts_are_said_with_their_numbers(
    accuracies: list[tuple[float, float]], verdict: str, words: list[str]
) -> None:
    found = build([r for seed, both in enumerate(accuracies) for r in pair(seed, *both)])
    [pairing] = found.pairings
    assert wording.verdict_word(pairing) == verdict
    text = wording.verdict(pairing, found.titles)
    for word in words:
        assert word in text
    assert "same" not in text


def test_two_untrained_networks_are_not_called_equivalent() -> None:
    found = build([r for seed in range(3) for r in pair(seed, 10.0 + seed, 10.2 + seed)])
    assert wording.verdict_word(found.pairings[0]) == "near chance"
    assert "nothing is learnt yet" in wording.verdict(found.pairings[0], found.titles)
    learnt = build([r for seed in range(3) for r in pair(seed, 10.0, 60.0 + seed)])
    assert wording.verdict_word(learnt.pairings[0]) == "different"


def test_the_number_of_seeds_that_would_decide_is_said() -> None:
    found = build([*pair(0, 90.0, 80.0), *pair(1, 80.0, 84.0), *pair(2, 85.0, 85.0)])
    [pairing] = found.pairings
    assert pairing.result is not None and pairing.result.verdict is Verdict.INCONCLUSIVE
    needed = pairing.result.seeds_needed
    assert f"it takes about {needed} seeds" in wording.verdict(pairing, found.titles)


def test_one_seed_compares_two_checkpoints_and_says_so() -> None:
    judged: dict[Key, Predictions] = {
        (40, 0, "own"): predicted(*[True] * 6, False, True, False, False),
        (40, 0, "torchssl"): predicted(*[False] * 6, True, True, False, False),
    }
    found = build(pair(0, 70.0, 20.0), predictions=judged)
    text = wording.verdict(found.pairings[0], found.titles)
    assert "FixMatch (own) has 7 of 10 test images right" in text
    assert "[34.75, 93.33] (Clopper-Pearson)" in text  # of 7 in 10, tabled
    assert "6 images only FixMatch (own) has right, 1 only FixMatch (TorchSSL)" in text
    assert "exact McNemar test, p = 0.125" in text  # 2 * 8 / 2^7
    assert "about these two checkpoints and not about the implementations" in text
    assert wording.verdict_word(found.pairings[0]) == "inconclusive"


def test_one_seed_without_predictions_has_binomial_intervals_of_the_logged_accuracy() -> None:
    found = build(pair(0, 70.0, 60.0))  # of 10 test images
    text = wording.verdict(found.pairings[0], found.titles)
    assert "FixMatch (own) has 7 of 10 test images right" in text
    assert "no predictions of both, so no test" in text


def test_predictions_on_other_images_are_refused() -> None:
    other = Predictions(np.ones(3, dtype=np.int64), np.ones(3, dtype=np.int64))
    judged = {(40, 0, "own"): predicted(True, True, False), (40, 0, "torchssl"): other}
    with pytest.raises(BadInput, match="not of the same test images; judge both runs again"):
        build(pair(0, 70.0, 60.0), predictions=judged)


def test_the_headline_names_every_label_count_once() -> None:
    same = [r for seed in range(3) for n in (40, 250) for r in pair(seed, 80.0 + seed, 80.0, n)]
    far = [r for seed in range(3) for r in pair(seed, 90.0 + seed / 9, 70.0, 4000)]
    assert wording.headline(build([*same, *far])) == (
        "FixMatch (own) against FixMatch (TorchSSL): equivalent at 40 and 250 labels, different "
        "at 4000 labels."
    )


@pytest.mark.parametrize(
    ("accuracies", "word", "said"),
    [
        # mean 10, SD 1; t(0.975, 2) / sqrt(3) = 2.48
        (
            [(80.0, 71.0), (81.0, 71.0), (82.0, 71.0)], "helps",
            "+10.00 points [7.52, 12.48], 3 seeds: helps.",
        ),
        (
            [(71.0, 80.0), (71.0, 81.0), (71.0, 82.0)], "hurts",
            "-10.00 points [-12.48, -7.52], 3 seeds: hurts.",
        ),
        (
            [(71.0, 70.0), (72.0, 70.0), (73.0, 70.0)], "no difference shown",
            "+2.00 points [-0.48, 4.48], 3 seeds: no difference shown.",
        ),
        (
            [(71.0, 70.0), (72.0, 71.0)], "helps",
            "2 seeds: helps (all differences are equal: these seeds show no spread).",
        ),
        (
            [(80.0, 60.0)], "one seed",
            "+20.00 points, 1 seed, whose spread is unknown: at least two are needed. Of the final "
            "weights of seed 0, FixMatch (own) has 8 of 10 test images right",
        ),
        (
            [(12.0, 11.0), (13.0, 12.0)], "near chance",
            "2 seeds: both are near chance, nothing is learnt yet, so nothing can be said.",
        ),
    ],
)  # fmt: skip
def test_what_the_unlabelled_data_adds_is_said_with_its_interval(
    accuracies: list[tuple[float, float]], word: str, said: str
) -> None:
    found, text = gain(*accuracies)
    assert wording.gain_word(found) == word
    assert text.startswith("FixMatch (own) minus Labelled images only (own): ")
    assert said in text


def test_seeds_of_one_side_enter_no_gain() -> None:
    lonely = run("labelled_only", 40, 7, points=curve(99.0))
    found = build([*pair(0, 60.0, 58.0), lonely])
    assert (found.gains[0].differences, wording.gain_word(found.gains[0])) == ({}, "no pair")
    assert "nothing can be said" in wording.gain(found.gains[0], found.titles)


def test_a_baseline_is_no_candidate_and_stands_last() -> None:
    third = run("labelled_only", 40, 0, points=curve(50.0))
    found = build([*pair(0, 60.0, 58.0), third])
    assert found.implementations == ["own", "torchssl", "labelled_only"]
    assert [pairing.implementation for pairing in found.pairings] == ["own"]
    assert wording.headline(found) == wording.headline(build(pair(0, 60.0, 58.0)))
    assert wording.gain_notes(found) == ["Labelled images only (own): a note."]


def test_without_the_reference_the_headline_is_the_gain() -> None:
    runs = [
        run(name, labels, seed, points=curve(10.0, accuracy + seed / 3))
        for labels, accuracies in ((40, (80.0, 60.0)), (250, (90.0, 90.0)))
        for seed in range(3)
        for name, accuracy in zip(("own", "labelled_only"), accuracies, strict=True)
    ]
    assert wording.headline(build(runs)) == (
        "FixMatch (own) minus Labelled images only (own): helps at 40 labels, no difference shown "
        "at 250 labels."
    )


def test_baselines_without_runs_change_nothing() -> None:
    runs = pair(0, 60.0, 58.0)
    with_it, without = build(runs), build(runs, contenders=WITHOUT)
    assert replace(with_it, contenders=WITHOUT) == without
