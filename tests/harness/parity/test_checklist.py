"""parity.json and accepted.json: read back, or refused with the remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis.diff import accepted
from harness.analysis.diff.accepted import Accepted, Change
from harness.errors import BadInput
from harness.parity import checklist

RUNG = {
    "number": 1, "name": "same images", "holds": True, "measured": "sums equal",
    "tolerance": "exact", "first_difference": "",
}  # fmt: skip
LADDER = {"schema": 1, "profile": "quick", "holds": True, "rungs": [RUNG]}
CHANGE = Change(
    labels=40, implementation="own", rule="last", old=80.0, new=90.0, reason="a better schedule",
    base="1" * 40, commit="2" * 40, date="2026-01-01",
)  # fmt: skip


def test_a_ladder_is_read(tmp_path: Path) -> None:
    (tmp_path / "parity.json").write_text(json.dumps(LADDER))
    found = checklist.read(tmp_path)
    assert found is not None and found.holds and found.rungs[0].name == "same images"


def test_a_ladder_never_climbed(tmp_path: Path) -> None:
    assert checklist.read(tmp_path) is None


@pytest.mark.parametrize("change", [{"schema": 2}, {"rungs": "eight"}, {"holds": None}])
def test_a_wrong_ladder_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "parity.json").write_text(json.dumps(LADDER | change))
    with pytest.raises(BadInput, match=rf"parity\.json: {next(iter(change))}: .*make parity"):
        checklist.read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_what_is_no_ladder_is_named_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "parity.json").write_text(text)
    with pytest.raises(BadInput, match=r"parity\.json: \(the file\): ") as error:
        checklist.read(tmp_path)
    assert "\n" not in str(error.value)


def test_accepted_changes_round_trip(tmp_path: Path) -> None:
    assert accepted.read(tmp_path) == Accepted()
    accepted.write(tmp_path, Accepted(changes=(CHANGE,)))
    assert accepted.read(tmp_path).changes == (CHANGE,)
    assert json.loads((tmp_path / "accepted.json").read_text())["schema"] == 1


def test_a_damaged_accepted_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "accepted.json").write_text('{"schema": 1, "changes": [{"labels": 40}]}')
    with pytest.raises(BadInput, match=r"accepted\.json: changes\.0\.\w+: .*restore it from git"):
        accepted.read(tmp_path)
