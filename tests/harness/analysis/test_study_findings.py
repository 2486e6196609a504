"""What a study's runs say: verdicts, times, losses, and runs that are not the study's."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis import study as findings
from harness.analysis.study import Finding, Findings
from harness.errors import BadInput
from harness.experiment import study as definition
from harness.experiment.study import Study, Variant
from harness.report.study import wording as verdicts
from harness.runs.manifest import Status, read_manifest
from tests.helpers import studied


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    studied.define(monkeypatch, tmp_path / "configs")
    return definition.load("trial")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trial"


def variant(study: Study, name: str) -> Variant:
    return next(v for v in definition.variants(study) if v.name == name)


def build(folder: Path, study: Study) -> Findings:
    return findings.build(study, findings.load(folder, study))


def row(found: Findings, name: str) -> Finding:
    [one] = [one for one in found.rows if one.variant == name]
    return one


def ends(folder: Path, study: Study, name: str, *accuracies: float) -> None:
    for seed, end in enumerate(accuracies):
        studied.run(folder, variant(study, name), 250, seed, end=end)


def test_each_variant_is_judged_against_the_baseline(folder: Path, study: Study) -> None:
    found = build(studied.make(folder, study), study)
    assert [(r.variant, verdicts.verdict_word(r)) for r in found.rows] == [
        ("b08", "baseline"), ("b16", "better"), ("no-ema", "equivalent"), ("hot", "not finite"),
    ]  # fmt: skip
    assert found.rule == "last"
    pairing = row(found, "no-ema").pairing
    assert pairing is not None and pairing.margin == 3.0
    assert {s: round(d, 6) for s, d in pairing.differences.items()} == {0: -0.4, 1: -0.2, 2: 0.0}


@pytest.mark.parametrize(
    ("accuracies", "word", "clause"),
    [
        ((80.0, 81.0, 82.0), "worse", "`no-ema` is worse (-6.00 points, 95% interval [-6.00, -6.0"),
        ((88.0, 89.0, 90.0), "equivalent, not zero", "equivalent within ±3.00 points, small but "),
        ((80.0, 87.0, 94.0), "inconclusive", "is inconclusive at ±3.00 points, where about"),
        ((86.0, 87.0), "equivalent", "(+0.00 points, 95% interval [0.00, 0.00], n=2)"),
        ((86.0,), "inconclusive", "one seed having no spread (+0.00 points, n=1)"),
        ((), "no pair", "`no-ema` has no accuracy to compare (no run of it is here)"),
    ],
)
def test_verdicts(
    folder: Path, study: Study, accuracies: tuple[float, ...], word: str, clause: str
) -> None:
    ends(folder, study, "b08", 86.0, 87.0, 88.0)
    ends(folder, study, "no-ema", *accuracies)
    found = build(folder, study)
    assert verdicts.verdict_word(row(found, "no-ema")) == word
    assert clause in verdicts.conclusion(found)


def test_near_chance_nothing_is_said(folder: Path, study: Study) -> None:
    ends(folder, study, "b08", 11.0, 12.0)
    ends(folder, study, "no-ema", 14.0, 15.0)
    found = build(folder, study)
    assert verdicts.verdict_word(row(found, "no-ema")) == "near chance"
    assert "`no-ema` cannot be judged, both being near chance" in verdicts.conclusion(found)


def test_the_conclusion_is_one_sentence(folder: Path, study: Study) -> None:
    text = verdicts.conclusion(build(studied.make(folder, study, labels=(40, 250)), study))
    assert "\n" not in text and text.endswith(".") and ". " not in text
    assert text.startswith("At 40 labels, against `b08` (87.00% top-1, last evaluation): `b16` is")
    assert "; at 250 labels, against `b08`" in text


def test_time_is_by_the_runs_own_logs_and_paired(folder: Path, study: Study) -> None:
    found = build(studied.make(folder, study), study)
    base, large = row(found, "b08").time, row(found, "b16").time
    assert base is not None and large is not None
    # 1,000 iterations of 16 images and 500 of 32, in equal times: 50 s, 2% more for each seed.
    assert base.seconds == large.seconds == pytest.approx(51.0)
    assert base.seconds_per_iteration == pytest.approx(0.051)
    assert large.seconds_per_iteration == pytest.approx(0.102)
    assert base.images_per_second == large.images_per_second == pytest.approx(16 / 0.051)
    assert base.ratios is None and large.ratios is not None
    assert large.ratios.n == 3 and large.ratios.mean == pytest.approx(1.0)
    assert large.ratios.interval == pytest.approx((1.0, 1.0))


def test_times_of_another_machine_are_not_compared(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = {"b08": {}, "b16": {"batch_size": 16}, "another": {}}
    studied.define(monkeypatch, tmp_path / "configs", variants=variants, elsewhere="another")
    held = definition.load("trial")
    found = build(studied.make(folder, held), held)
    there, here = row(found, "another"), row(found, "b16")
    assert there.time is not None and there.time.ratios is None
    assert there.pairing is not None and there.pairing.result is not None
    assert here.time is not None and here.time.ratios is not None


def test_one_seed_has_a_ratio_and_no_interval(folder: Path, study: Study) -> None:
    ends(folder, study, "b08", 86.0)
    ends(folder, study, "no-ema", 86.0)
    time = row(build(folder, study), "no-ema").time
    assert time is not None and time.ratios is not None
    assert verdicts.ratio(time.ratios) == "1.00"


def test_equal_losses_are_told_from_moved_ones(folder: Path, study: Study) -> None:
    ends(folder, study, "b08", 86.0, 87.0)
    ends(folder, study, "no-ema", 85.0)
    studied.run(folder, variant(study, "no-ema"), 250, 1, moved=1e-7)
    apart = row(build(folder, study), "no-ema").apart
    assert apart is not None and not apart.equal
    assert (apart.first, apart.last) == (0.0, pytest.approx(1e-7))
    ends(folder, study, "no-ema", 85.0, 86.0)
    found = build(folder, study)
    apart = row(found, "no-ema").apart
    assert apart is not None and apart.equal
    assert "every logged training loss the same number" in verdicts.conclusion(found)


def test_losses_of_other_batches_are_not_compared(folder: Path, study: Study) -> None:
    assert row(build(studied.make(folder, study), study), "b16").apart is None


def test_a_diverged_run_is_told_with_its_message(folder: Path, study: Study) -> None:
    found = build(studied.make(folder, study), study)
    hot = row(found, "hot")
    assert [findings.loss_message(run) for run in hot.diverged] == [
        f"the loss is nan at iteration {at}: labelled nan, unlabelled 0.5, learning rate 9"
        for at in (12, 13, 14)
    ]
    assert verdicts.accuracy(hot) == "loss not finite in 3 of 3 runs"
    told = "`hot` has no accuracy, its loss was not finite in 3 of 3 runs (at iteration 12, 13, 14)"
    assert told in verdicts.conclusion(found)


def test_a_variant_that_diverged_for_one_seed_keeps_the_others(folder: Path, study: Study) -> None:
    ends(folder, study, "b08", 86.0, 87.0, 88.0)
    ends(folder, study, "hot", 70.0, 71.0)
    said = "the loss is nan or infinite at iteration 31; training diverged"
    studied.run(
        folder, variant(study, "hot"), 250, 2, status=Status.FAILED, reason=said,
        failure="not finite",
    )  # fmt: skip
    found = build(folder, study)
    assert "1 failed: loss not finite in 1 of 3 runs" in verdicts.accuracy(row(found, "hot"))
    text = verdicts.conclusion(found)
    assert "`hot` is worse" in text and "not finite in 1 of 3 runs (at iteration 31)" in text


def test_a_baseline_that_diverged_leaves_nothing_to_compare(folder: Path, study: Study) -> None:
    ends(folder, study, "no-ema", 86.0)
    for seed, said in enumerate(["the loss is inf", "stopped"]):
        studied.run(
            folder, variant(study, "b08"), 250, seed, status=Status.FAILED, reason=said,
            failure="not finite",
        )  # fmt: skip
    found = build(folder, study)
    text = verdicts.conclusion(found)
    assert "against `b08` (loss not finite in 2 of 2 runs): " in text
    assert "`no-ema` has no accuracy to compare" in text
    assert [findings.loss_message(run) for run in row(found, "b08").diverged] == [
        "the loss is inf", "stopped",
    ]  # fmt: skip


def test_other_initial_weights_are_incomparable(folder: Path, study: Study) -> None:
    ends(folder, study, "b08", 86.0)
    studied.run(folder, variant(study, "no-ema"), 250, 0, initial_weights="b" * 64)
    found = build(folder, study)
    [run] = found.runs["no-ema"]
    assert run.status is Status.INCOMPARABLE and "rung 3, same initial weights" in run.reason
    assert verdicts.verdict_word(row(found, "no-ema")) == "no pair"


def test_no_runs(folder: Path, study: Study) -> None:
    assert verdicts.conclusion(build(folder, study)) == "No run is here, so nothing can be said."


def test_a_folder_of_no_variant(folder: Path, study: Study) -> None:
    studied.make(folder, study).joinpath("runs/b32").mkdir()
    with pytest.raises(BadInput, match=r"runs/b32: .*trial\.yaml has no variant of this name"):
        findings.load(folder, study)


def test_runs_of_a_study_that_was_defined_otherwise(
    folder: Path, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studied.make(folder, study)
    studied.define(monkeypatch, tmp_path / "configs", scaled_with_batch_size=["iterations"])
    with pytest.raises(
        BadInput, match=r"b16/250-seed0-own: made with lr = 0\.06, .*asks for 0\.03"
    ):
        findings.load(folder, definition.load("trial"))


def test_runs_of_two_schedules(folder: Path, study: Study) -> None:
    studied.make(folder, study)
    short = next(v for v in definition.variants(study, 100) if v.name == "b08")
    studied.run(folder, short, 250, 7)
    with pytest.raises(BadInput, match=r"runs/b08: holds runs of 100 and 1000 iterations"):
        findings.load(folder, study)


def test_a_crashed_run_of_another_schedule_mixes_with_nothing(folder: Path, study: Study) -> None:
    studied.make(folder, study)
    short = next(v for v in definition.variants(study, 100) if v.name == "b08")
    place = studied.run(folder, short, 250, 7, status=Status.FAILED, reason="exit code 7")
    found = build(folder, study)
    assert read_manifest(place) is not None
    assert row(found, "b08").cell.lost == ("failed",)
