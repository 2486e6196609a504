"""Rungs 1-4 between runs of two algorithms: only what both share must be equal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.experiment import profile
from harness.implementations.reported import Evidence, Facts, Resolved
from harness.parity.terms import first_difference

SUMS = {"data_sha256": "d" * 64, "split_sha256": "5" * 64, "initial_weights_sha256": "1" * 64}
CIFAR10 = profile.load("cifar10")


def side(name: str, algorithm: str, **used: object) -> Evidence:
    """A run that used what it was asked for, but for `used`."""
    asked = CIFAR10.hyper_parameters(algorithm)
    found = {key: Resolved(value, "log") for key, value in {**asked, **used}.items()}
    facts = Facts(torch_version="2.14.1", device="cpu", **SUMS)
    return Evidence(name, facts, found, asked=asked, algorithm=algorithm)


FIX, MIX = side("own", "fixmatch"), side("own-mixmatch", "mixmatch")


def test_their_own_settings_may_differ() -> None:
    assert MIX.asked["lambda_u"] != FIX.asked["lambda_u"] and MIX.asked["mu"] != FIX.asked["mu"]
    assert first_difference(MIX, MIX.asked, [FIX]) is None
    assert first_difference(FIX, FIX.asked, [MIX]) is None


@pytest.mark.parametrize(("key", "value"), [("lr", 0.1), ("batch_size", 8), ("iterations", 9)])
def test_what_both_share_may_not(key: str, value: float) -> None:
    other = replace(MIX, asked=dict(MIX.asked) | {key: value})
    found = first_difference(FIX, FIX.asked, [other])
    assert str(found).startswith(f"rung 4, same hyper-parameters: {key}: asked for was ")


def test_within_an_algorithm_all_are_held() -> None:
    strayed = side("own-mixmatch", "mixmatch", alpha=0.75)
    assert str(first_difference(strayed, MIX.asked, [])).endswith(
        "alpha: it used 0.75, asked for was 0.5"
    )
    peer = replace(side("torchssl-mixmatch", "mixmatch"), asked=dict(MIX.asked) | {"alpha": 1.0})
    assert str(first_difference(MIX, MIX.asked, [peer])).endswith(
        "alpha: asked for was 0.5, of torchssl-mixmatch 1.0"
    )


def test_one_lambda_a_batch_is_not_one_an_example() -> None:
    mine = side("own-mixmatch", "mixmatch", mixup_coefficient="per example")
    peer = side("torchssl-mixmatch", "mixmatch", mixup_coefficient="per batch")
    assert str(first_difference(mine, mine.asked, [peer, FIX])).endswith(
        "mixup_coefficient: it used per example, torchssl-mixmatch per batch"
    )


@pytest.mark.parametrize("key", list(SUMS))
def test_images_split_and_weights_are_the_same_for_both(key: str) -> None:
    assert FIX.facts is not None
    other = replace(FIX, facts=FIX.facts.model_copy(update={key: "0" * 64}))
    assert first_difference(MIX, MIX.asked, [other]) is not None
