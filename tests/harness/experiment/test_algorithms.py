"""The algorithms: what is whose setting, and a profile as each is told it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.errors import BadInput
from harness.experiment import algorithms, profile
from harness.implementations.own import Own
from tests.conftest import REPOSITORY

TORCHSSL = REPOSITORY / "third_party" / "torchssl" / "config" / "mixmatch"
QUICK = REPOSITORY / "configs" / "profiles" / "quick.yaml"
THRESHOLD = "threshold is a setting of FixMatch and FlexMatch; MixMatch has temperature"
SAME = {
    "num_train_iter": "iterations", "num_eval_iter": "eval_every", "batch_size": "batch_size",
    "uratio": "mu", "T": "temperature", "alpha": "alpha", "ulb_loss_ratio": "lambda_u",
    "ramp_up": "ramp_up", "lr": "lr", "momentum": "momentum", "weight_decay": "weight_decay",
    "ema_m": "ema_decay", "depth": "depth", "widen_factor": "widen_factor",
}  # fmt: skip


def test_fixmatch_is_the_default_and_told_what_it_was_told() -> None:
    quick = profile.load("quick")
    assert algorithms.names()[0] == algorithms.DEFAULT == "fixmatch"
    assert quick.under("fixmatch") is quick
    assert not {"algorithm", "mixmatch", "alpha"} & quick.hyper_parameters().keys()


def test_mixmatch_is_told_what_both_share_and_its_own() -> None:
    assert profile.load("quick").hyper_parameters("mixmatch") == {
        "algorithm": "mixmatch", "depth": 10, "widen_factor": 1, "iterations": 5000,
        "eval_every": 200, "batch_size": 8, "mu": 1, "lambda_u": 25.0, "lr": 0.03, "momentum": 0.9,
        "weight_decay": 0.0005, "ema_decay": 0.998, "warmup": 0, "precision": "fp32",
        "temperature": 0.5, "alpha": 0.5, "ramp_up": 0.4,
    }  # fmt: skip


@pytest.mark.parametrize("labels", [40, 250, 4000])
def test_cifar10_is_torchssls_own_configuration_of_mixmatch(labels: int) -> None:
    path = TORCHSSL / f"mixmatch_cifar10_{labels}_0.yaml"
    if not path.exists():
        pytest.skip("third_party/torchssl is not checked out")
    theirs = yaml.safe_load(path.read_text())
    ours = profile.load("cifar10").hyper_parameters("mixmatch")
    assert {key: ours[name] for key, name in SAME.items()} == {key: theirs[key] for key in SAME}


@pytest.mark.parametrize("name", profile.names())
def test_flexmatch_is_told_what_fixmatch_is_and_needs_no_section(name: str) -> None:
    told = profile.load(name)
    assert told.under("flexmatch") is told
    expected = {"algorithm": "flexmatch", **told.hyper_parameters("fixmatch")}
    assert told.hyper_parameters("flexmatch") == expected


def test_a_ladder_is_of_what_ours_has() -> None:
    """It holds ours against the reference."""
    with_a_ladder = {name for name in algorithms.names() if algorithms.of(name).has_ladder}
    assert with_a_ladder == set(Own.trains)


def test_told_twice_is_told_once() -> None:
    report = profile.load("report2024")
    told = report.under("mixmatch")
    assert (report.mu, told.mu, told.lambda_u) == (7, 1, 100.0)
    assert told.under("mixmatch") == told
    assert told.hyper_parameters("mixmatch") == report.hyper_parameters("mixmatch")


def test_a_departure_is_of_the_algorithms_own_value() -> None:
    changed = profile.load("quick").departing(
        {"lambda_u": 0.0, "alpha": 0.75, "lr": 1.0}, "mixmatch"
    )
    settings = changed.hyper_parameters("mixmatch")
    assert (settings["lambda_u"], settings["alpha"], settings["lr"]) == (0.0, 0.75, 1.0)
    assert changed.hyper_parameters("mixmatch")["temperature"] == 0.5


def test_what_an_iteration_costs() -> None:
    """At equal mu both see the same images; MixMatch takes more of them through the network."""
    settings = {"batch_size": 64, "mu": 1}
    assert algorithms.images_an_iteration(settings) == 128
    assert algorithms.FIXMATCH.images_forward({"batch_size": 64, "mu": 7}) == (960, 960)
    assert algorithms.MIXMATCH.images_forward(settings) == (320, 192)


@pytest.mark.parametrize(
    ("setting", "algorithm", "text"),
    [
        ("threshold", "mixmatch", THRESHOLD),
        ("alpha", "fixmatch", "alpha is a setting of MixMatch; FixMatch has threshold, lambda_u"),
        ("lambda_u", "mixmatch", ""),
        ("lr", "mixmatch", ""),
        ("alpha", "flexmatch", "alpha is a setting of MixMatch; FlexMatch has threshold, lambda_u"),
        ("threshold", "flexmatch", ""),
    ],
)
def test_a_setting_of_another_algorithm_is_named(setting: str, algorithm: str, text: str) -> None:
    found = algorithms.why_foreign(setting, algorithm)
    assert found.startswith(text) and bool(found) == bool(text)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(
        BadInput, match=r"^ALGORITHMS uda: unknown; use fixmatch, mixmatch, flexmatch$"
    ):
        algorithms.of("uda")


def test_a_profile_without_the_section_says_so(tmp_path: Path) -> None:
    content = yaml.safe_load(QUICK.read_text())
    del content["mixmatch"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(BadInput, match=r"^ALGORITHMS mixmatch: profile quick has no section"):
        profile.read(path).hyper_parameters("mixmatch")


@pytest.mark.parametrize(
    ("key", "value"),
    [("threshold", 0.95), ("temperature", 0), ("ramp_up", 1.5), ("alpha", "much"), ("mu", 0)],
)
def test_a_wrong_setting_of_the_section_is_named(tmp_path: Path, key: str, value: object) -> None:
    content = yaml.safe_load(QUICK.read_text())
    content["mixmatch"][key] = value
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(BadInput) as error:
        profile.read(path)
    assert str(error.value).startswith(f"{path}: mixmatch.{key}: ")
