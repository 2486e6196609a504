"""Rungs 1-4 as every comparison climbs them: what was asked for decides, the first is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.implementations import registry
from harness.implementations.reported import Evidence, Facts, Resolved
from harness.parity.terms import first_difference

SUMS = {"data_sha256": "d" * 64, "split_sha256": "5" * 64, "initial_weights_sha256": "1" * 64}


def side(name: str = "own", failure: str = "", **settings: object) -> Evidence:
    facts = Facts(torch_version="2.11.0", device="cpu", **SUMS)
    return Evidence(name, facts, {k: Resolved(v, "log") for k, v in settings.items()}, failure)


def baseline(asked: float = 0.0, **settings: object) -> Evidence:
    """Of an implementation that declares lambda_u = 0."""
    mine = side("labelled_only", **settings)
    return replace(mine, departs={"lambda_u": 0.0}, asked={"lambda_u": asked, "batch_size": 8})


REFERENCE = replace(
    side("torchssl", lambda_u=1.0, batch_size=8), asked={"lambda_u": 1.0, "batch_size": 8}
)


def test_equal_settings_break_nothing() -> None:
    asked = {**SUMS, "lr": 0.03, "mu": 7}
    assert first_difference(side(lr=0.03, mu=7), asked, [side("torchssl", lr=0.03, mu=7)]) is None


def test_a_setting_that_was_not_asked_for_is_named() -> None:
    found = first_difference(side(lr=0.03, mu=3), {"lr": 0.03, "mu": 7}, [])
    assert str(found) == "rung 4, same hyper-parameters: mu: it used 3, asked for was 7"


def test_where_nothing_was_asked_the_sides_must_agree() -> None:
    peer = side("torchssl", strong_operations=3)
    found = first_difference(side(strong_operations=2), {}, [peer])
    assert str(found).endswith("strong_operations: it used 2, torchssl 3")


@pytest.mark.parametrize("used", ["fp32", "tf32"])
def test_a_precision_that_was_not_used_is_no_result_of_it(used: str) -> None:
    found = first_difference(side(precision=used), {"precision": "bf16"}, [])
    assert str(found).endswith(f"precision: it used {used}, asked for was bf16")


@pytest.mark.parametrize("theirs", ["fp32", "tf32"])
def test_the_reference_declares_its_precision_whatever_ours_is(theirs: str) -> None:
    departs = registry.create("torchssl").departs
    peer = replace(side("torchssl", precision=theirs), departs=departs, asked={"precision": theirs})
    ours = replace(side(precision="bf16"), asked={"precision": "bf16"})
    assert first_difference(ours, ours.asked, [peer]) is None
    found = first_difference(peer, peer.asked, [ours])
    assert (found is None) == (theirs == "fp32")


def test_what_a_side_does_not_record_accuses_nobody() -> None:
    assert first_difference(side(), {"lr": 0.1}, [side("torchssl", lr=0.2)]) is None


def test_sums_come_before_settings() -> None:
    found = first_difference(side(lr=1.0), {"lr": 0.03, "data_sha256": "e" * 64}, [])
    assert found is not None
    assert found.rung == 1


def test_a_declared_departure_breaks_nothing_on_either_side() -> None:
    departed = baseline(lambda_u=0.0, batch_size=8)
    assert first_difference(departed, departed.asked, [REFERENCE]) is None
    assert first_difference(REFERENCE, REFERENCE.asked, [departed]) is None


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        (baseline(lambda_u=1.0, batch_size=8), "lambda_u: it used 1.0, asked for was 0.0"),
        (baseline(lambda_u=0.5, batch_size=8), "lambda_u: it used 0.5, asked for was 0.0"),
        (baseline(1.0, lambda_u=1.0), "lambda_u: asked for was 1.0, declared is 0.0"),
        (baseline(lambda_u=0.0, batch_size=4), "batch_size: it used 4, asked for was 8"),
    ],
)
def test_only_what_is_declared_may_differ(evidence: Evidence, text: str) -> None:
    found = first_difference(evidence, evidence.asked, [REFERENCE])
    assert str(found) == f"rung 4, same hyper-parameters: {text}"


@pytest.mark.parametrize("name", ["own", "torchssl"])
def test_the_departure_of_one_is_none_of_another(name: str) -> None:
    """Asked for or not: who declares nothing has the settings of the others, or is out."""
    strayed = side(name, lambda_u=0.0, batch_size=8)
    found = first_difference(strayed, REFERENCE.asked, [REFERENCE])
    assert str(found).endswith("lambda_u: it used 0.0, asked for was 1.0")
    asked = {"lambda_u": 0.0, "batch_size": 8}
    found = first_difference(strayed, asked, [replace(REFERENCE, implementation="other")])
    assert str(found).endswith("lambda_u: asked for was 0.0, of other 1.0")
