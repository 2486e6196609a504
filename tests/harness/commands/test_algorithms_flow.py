"""ALGORITHMS in the flow, by the stand-in: who is asked what, what is lacking, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.commands import compare as pipeline
from harness.commands.cli import main
from harness.experiment import contender
from harness.implementations.torchssl.implementation import TorchSSL
from harness.report.figures import curves
from tests.fakes.fake import Fake
from tests.faults.comparison import Comparison

BOTH = ["fixmatch", "mixmatch"]


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Nothing is drawn: that takes most of the time. The stand-in has both algorithms."""
    monkeypatch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setattr(Fake, "trains", tuple(BOTH))
    monkeypatch.setenv("FAKE_DECLARES", "1")
    return Comparison(tmp_path / "results", data_dir)


def test_each_is_trained_with_each(case: Comparison) -> None:
    case.run(algorithms=BOTH)
    table = case.table()
    assert table["implementation"].tolist() == ["fake", "fake-mixmatch"]
    assert set(table["status"]) == {"done"}
    first, second = (case.manifest(f"40-seed0-{n}")["settings"] for n in table["implementation"])
    assert (first["threshold"], first["lambda_u"]) == (0.95, 1.0) and "algorithm" not in first
    assert (second["algorithm"], second["alpha"], second["lambda_u"]) == ("mixmatch", 0.5, 25.0)
    assert "threshold" not in second
    shared = {"lr", "iterations", "batch_size", "mu", "depth", "split_sha256", "data_sha256"}
    assert {key: first[key] for key in shared} == {key: second[key] for key in shared}


def test_the_same_command_again_has_nothing_to_do(case: Comparison) -> None:
    case.run(algorithms=BOTH)
    assert "Nothing to do: all 2 runs are done." in case.run(algorithms=BOTH)
    assert "Nothing to do: all 1 runs are done." in case.run(algorithms=["mixmatch"])


def test_without_it_all_is_as_it_was(case: Comparison) -> None:
    case.run()
    assert case.table()["implementation"].tolist() == ["fake"]
    assert "algorithm" not in case.manifest("40-seed0-fake")["settings"]


def test_a_shared_setting_is_held_equal_between_algorithms(case: Comparison) -> None:
    case.run()
    text = case.run(algorithms=["mixmatch"], iterations=8)
    assert "error 2: " in text
    assert "done with iterations = 60, asked for is 8; name another" in text


def test_the_reference_is_taken_of_each_algorithm(
    case: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contender, "reference", lambda: "fake")
    case.run(algorithms=BOTH)
    other = Comparison(tmp_path / "other", case.data_dir)
    text = other.run(algorithms=BOTH, reference=case.results)
    for name in ("fake", "fake-mixmatch"):
        assert f"40-seed0-{name}: taken from {case.results}\n" in text


def test_what_an_implementation_has_not_is_unavailable(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "trains", ("fixmatch",))
    text = case.run(algorithms=BOTH)
    assert text.endswith("error 3: not all runs are done: 40-seed0-fake-mixmatch unavailable")
    table = case.table().set_index("implementation")
    assert table["status"].to_dict() == {"fake": "done", "fake-mixmatch": "unavailable"}
    reason = case.manifest("40-seed0-fake-mixmatch")["reason"]
    assert reason == "fake has no MixMatch; leave it out of ALGORITHMS"


def test_a_baseline_is_of_its_own_algorithm(case: Comparison) -> None:
    text = case.run(implementations=["fake_baseline"], algorithms=["mixmatch"])
    assert "error 3: not all runs are done: 40-seed0-fake_baseline-mixmatch unavailable" in text
    reason = case.manifest("40-seed0-fake_baseline-mixmatch")["reason"]
    assert reason.startswith("what fake_baseline changes is of FixMatch alone; say what it is with")


@pytest.mark.parametrize(
    ("algorithms", "error"),
    [
        ("mixmatch uda", "ALGORITHMS uda: unknown; use fixmatch, mixmatch, flexmatch"),
        (" , ", "ALGORITHMS: none named; use fixmatch mixmatch flexmatch"),
    ],
)
def test_wrong_names_are_refused(
    algorithms: str,
    error: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["compare", "--profile", "quick", "--results", str(tmp_path / "results")]
    monkeypatch.setattr(sys, "argv", ["harness", *arguments, "--algorithms", algorithms])
    assert main() == 2
    assert capsys.readouterr().err == f"error: {error}\n"
    assert not (tmp_path / "results").exists()


def test_a_ladder_of_no_algorithm_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "parity", "--algorithm", "uda"])
    assert main() == 2
    error = "error: ALGORITHM uda: unknown; use fixmatch, mixmatch, flexmatch\n"
    assert capsys.readouterr().err == error


def test_a_ladder_that_ours_does_not_climb_is_refused(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    data_dir: Path,
) -> None:
    monkeypatch.setattr(TorchSSL, "unavailable", lambda _: None)
    arguments = ["--algorithm", "flexmatch", "--profile", "quick", "--data-dir", str(data_dir)]
    arguments += ["--results", str(tmp_path / "results")]
    monkeypatch.setattr(sys, "argv", ["harness", "parity", *arguments])
    assert main() == 3
    why = "own has no FlexMatch; leave it out of ALGORITHMS"
    assert capsys.readouterr().err == f"error: FlexMatch (own) is unavailable: {why}\n"
    assert not (tmp_path / "results").exists()


def test_names_of_contenders_are_taken_as_they_are_and_once(case: Comparison) -> None:
    question = pipeline.CompareQuestion(
        labels=[40], seeds=[0], implementations=["own", "own-mixmatch"], profile="quick",
        results=case.results, algorithms=BOTH,
    )  # fmt: skip
    assert question.contenders == ["own", "own-mixmatch"]
