"""`make parity` from the outside: the checklist, the files, the exit code."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands import cli
from harness.commands import parity as proof
from harness.commands.console.terminal import Terminal
from harness.errors import CheckFailed, Incomplete
from harness.parity import checklist, ladder
from harness.parity.checklist import Rung, check, rung
from tests.conftest import REPOSITORY

DRIFT = [
    {"step": k, "scalar": 0.0, "weight": k * 1e-7, "momentum": 0.0, "ema": 1e-8, "statistic": 0.0}
    for k in (1.0, 2.0)
]


def climb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *rungs: Rung) -> str:
    monkeypatch.setattr(ladder, "climb", lambda *_: ladder.Climb(rungs, DRIFT))
    text = io.StringIO()
    asked = proof.LadderQuestion("quick", 40, 0, None, tmp_path)
    try:
        proof.climb(asked, Terminal(Console(file=text, width=160)))
    finally:
        said = text.getvalue()
    return said


def test_a_ladder_that_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    equal = check("lr", "0.03", "equal", True)
    one = rung(4, "same hyper-parameters", (equal, equal))
    said = climb(tmp_path, monkeypatch, one, rung(5, "same network", (check("p", "1", "e", True),)))
    assert "2 settings" in said
    assert "ok" in said
    found = checklist.read(tmp_path / "quick")
    assert found is not None and found.holds
    assert (tmp_path / "quick" / "step-drift.png").read_bytes().startswith(b"\x89PNG")


def test_a_broken_rung_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = rung(1, "same images", (), "own failed")
    broken = rung(5, "same network", (check("parameters", "9 against 10", "exact", False),))
    with pytest.raises(CheckFailed, match="rung 5, same network: parameters: 9 against 10"):
        climb(tmp_path, monkeypatch, blocked, broken)
    found = checklist.read(tmp_path / "quick")
    assert found is not None and not found.holds


@pytest.mark.usefixtures("fake")
def test_without_torchssl_it_is_incomplete(tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match="TorchSSL"):
        proof.climb(proof.LadderQuestion("quick", 40, 0, None, tmp_path), Terminal())
    assert REPOSITORY not in tmp_path.parents


def test_one_label_count_and_one_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["harness", "parity", "--labels", "40 250", "--results", str(tmp_path)]
    monkeypatch.setattr("sys.argv", asked)
    assert cli.main() == 2
    assert capsys.readouterr().err == "error: LABELS 40 250: give one whole number\n"
