"""Studies as data: the shipped ones, what a variant becomes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.commands.study import guess
from harness.errors import BadInput
from harness.experiment import profile
from harness.experiment import study as definition
from harness.experiment.study import Study, Variant
from tests.helpers import studied

SHIPPED = ["batch-size", "ema", "interleave", "labelled-pool", "noise", "precision", "warmup"]
MOST_MINUTES = 45  # with two runs at once


def by_name(study: Study, iterations: int | None = None) -> dict[str, Variant]:
    return {variant.name: variant for variant in definition.variants(study, iterations)}


def test_the_shipped_studies() -> None:
    assert definition.names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_is_fair_and_short(name: str) -> None:
    study = definition.load(name)
    variants = by_name(study)
    baseline = variants[study.baseline]
    settings = profile.load(study.profile, study.iterations)
    # The baseline is the profile itself, and what differs from it is what the file names.
    assert baseline.profile == settings
    assert {key: baseline.options[key] for key in definition.OWN} == definition.OWN
    # Only where many images are labelled does it matter what becomes of them.
    counts = {40, 250, 4000} if name == "labelled-pool" else {40, 250}
    assert len(study.seeds) == 3 and set(study.labels) <= counts
    for variant in variants.values():
        seen = variant.profile.iterations * variant.profile.batch_size * (1 + variant.profile.mu)
        assert seen == settings.iterations * settings.batch_size * (1 + settings.mu)
        evaluations = len(variant.profile.evaluated_after())
        assert abs(evaluations - len(settings.evaluated_after())) <= 3
    seconds = sum(map(guess, variants.values())) * len(study.seeds) * len(study.labels)
    assert seconds / 2 / 60 < MOST_MINUTES


def test_what_each_shipped_study_varies() -> None:
    varied = {}
    for name in SHIPPED:
        study = definition.load(name)
        varied[name] = {n: o.given() for n, o in study.variants.items() if n != study.baseline}
    assert varied["precision"] == {"bf16": {"precision": "bf16"}}
    assert varied["interleave"] == {"interleaved": {"interleave": True}}
    assert varied["labelled-pool"] == {"apart": {"labelled_in_pool": False}}
    assert varied["noise"] == {"two-threads": {"threads": 2}, "another-processor": {"threads": 1}}
    assert varied["warmup"] == {"tenth": {"warmup": 500}}
    assert varied["batch-size"] == {"b04": {"batch_size": 4}, "b16": {"batch_size": 16}}
    assert varied["ema"]["without-ema"] == {"use_ema": False}


def test_a_batch_scales_learning_rate_and_schedule() -> None:
    variants = by_name(definition.load("batch-size"))
    told = {
        name: (v.profile.batch_size, v.profile.lr, v.profile.iterations, v.profile.eval_every)
        for name, v in variants.items()
    }
    assert told == {
        "b04": (4, 0.015, 10_000, 400),
        "b08": (8, 0.03, 5000, 200),
        "b16": (16, 0.06, 2500, 100),
    }


def test_a_batch_scales_nothing_that_the_study_does_not_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studied.define(monkeypatch, tmp_path, scaled_with_batch_size=[])
    bigger = by_name(definition.load("trial"))["b16"].profile
    assert (bigger.batch_size, bigger.lr, bigger.iterations) == (16, 0.03, 1000)


def test_fewer_iterations_shorten_schedule_and_warm_up() -> None:
    variants = by_name(definition.load("warmup"), iterations=40)
    assert {name: v.options["warmup"] for name, v in variants.items()} == {"none": 0, "tenth": 4}
    assert {v.profile.iterations for v in variants.values()} == {40}
    scaled = by_name(definition.load("batch-size"), iterations=40)
    assert [v.profile.iterations for v in scaled.values()] == [80, 40, 20]


def test_a_variant_that_takes_longer_is_planned_so() -> None:
    variants = by_name(definition.load("precision"))
    own = {name: v.profile.seconds_per_iteration["own"] for name, v in variants.items()}
    assert own["bf16"] == pytest.approx(9 * own["fp32"])
    large = by_name(definition.load("batch-size"))["b16"].profile
    assert large.seconds_per_iteration["own"] == pytest.approx(2 * own["fp32"])


def test_own_settings_stay_out_of_profiles() -> None:
    """A comparison's profile pins what TorchSSL has no setting for, whatever studies may do."""
    assert set(definition.OWN) - set(profile.Profile.model_fields) == {
        "use_ema",
        "precise_bn",
        "interleave",
    }
    quick = profile.load("quick")
    assert (quick.warmup, quick.precision) == (0, "fp32")
    for variant in definition.variants(definition.load("precision")):
        assert variant.profile.precision == "fp32"
        assert variant.settings["precision"] == variant.options["precision"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"variants": {"b08": {}, "b": {"learning_rate": 1.0}}}, ["variants.b.learning_rate"]),
        ({"variants": {"b08": {}, "b": {"lr": -1.0}}}, ["variants.b.lr", "greater than 0"]),
        ({"variants": {"b08": {}, "b": {"precision": "fp8"}}}, ["variants.b.precision"]),
        ({"variants": {"b08": {}, "b": {"iterations": 7}}}, ["variants.b.iterations"]),
        ({"variants": {"b08": {}, "../b": {}}}, ["variants.../b", "pattern"]),
        ({"variants": {"b08": {}, True: {}}}, ["variants.1", "valid string"]),
        ({"variants": {"b08": {}}}, ["variants", "at least 2"]),
        ({"takes": {"b64": 2.0}}, ["takes: b64 is none of the variants"]),
        ({"baseline": "b64"}, ["baseline b64 is none of the variants"]),
        ({"profile": "fast"}, ["profile fast: unknown", "quick"]),
        ({"name": "other"}, ["name: other"]),
        ({"seeds": []}, ["seeds"]),
        ({"labels": [0]}, ["labels.0"]),
        ({"schema": 2}, ["schema"]),
        ({"colour": "red"}, ["colour", "Extra inputs"]),
    ],
)
def test_a_wrong_file_is_named_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: list[str]
) -> None:
    path = studied.define(monkeypatch, tmp_path, **changes)
    with pytest.raises(BadInput) as caught:
        definition.load("trial")
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    assert all(word in text for word in words), text


def test_an_unknown_study_names_the_known_ones() -> None:
    with pytest.raises(BadInput, match=r"NAME mixup: unknown; use batch-size, ema, interleave"):
        definition.load("mixup")


def test_the_files_say_why() -> None:
    for name in SHIPPED:
        content = yaml.safe_load(definition.path_of(name).read_text())
        assert len(content["notes"]) > 200 and content["question"].endswith("?")


def test_a_setting_is_told_only_where_a_study_varies_it() -> None:
    """So that runs from before there was one are still the study's."""
    assert by_name(definition.load("noise"))["one-thread"].settings["threads"] == 1
    pool = definition.load("labelled-pool")
    assert by_name(pool)["among-them"].settings["labelled_in_pool"] is True
    assert "unlabelled_pool" in pool.varied  # it follows
    for name in ("ema", "precision"):
        for variant in definition.variants(definition.load(name)):
            assert not {"threads", "labelled_in_pool"} & variant.settings.keys()
