"""The checklist says what holds, what does not, and what was not climbed."""

from __future__ import annotations

import json
from pathlib import Path

from harness.parity import checklist
from harness.parity.checklist import check, rung

GOOD = check("logits", "0.0e+00", "at most 1e-10", True)
BAD = check("lr", "differs by 1e-3 after step 2", "at most 1e-10", False)


def test_a_rung_holds_if_all_its_checks_do() -> None:
    assert rung(5, "same network", (GOOD,)).holds
    broken = rung(6, "same step", (GOOD, BAD))
    assert not broken.holds
    assert broken.broken
    first = "lr: differs by 1e-3 after step 2 (tolerance: at most 1e-10)"
    assert broken.first_difference == first


def test_a_rung_that_was_not_climbed_neither_holds_nor_is_broken() -> None:
    one = rung(6, "same step", (), "rung 5 does not hold")
    assert not one.holds
    assert not one.broken
    assert one.first_difference == "not climbed: rung 5 does not hold"


def test_a_rung_that_was_climbed_half_way_does_not_hold() -> None:
    one = rung(7, "same augmentation", (GOOD,), "own drew no indices")
    assert not one.holds
    assert not one.broken
    assert one.first_difference == "not climbed: own drew no indices"


def test_the_file_is_what_the_report_reads(tmp_path: Path) -> None:
    rungs = [rung(5, "same network", (GOOD,)), rung(6, "same step", (BAD,))]
    checklist.write(tmp_path, "quick", {"data": "mnist5k"}, rungs)
    content = json.loads((tmp_path / "parity.json").read_text())
    assert content["data"] == "mnist5k"
    assert content["rungs"][1]["checks"][0]["quantity"] == "lr"
    found = checklist.read(tmp_path)
    assert found is not None
    assert not found.holds
    assert [rung.holds for rung in found.rungs] == [True, False]
    assert found.rungs[1].first_difference.startswith("lr: differs")
