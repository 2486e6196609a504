"""A baseline in the flow, by the stand-in: what is declared differs, and nothing else may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis import results, status
from harness.commands import diff as diff_command
from harness.commands import verify
from harness.experiment import profile
from harness.implementations import registry
from harness.report.figures import curves as figure
from harness.runs.manifest import Status
from tests.faults.comparison import Comparison

BOTH = ["fake", "fake_baseline"]
NAME = "40-seed0-fake_baseline"
QUICK = profile.load("quick")


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Nothing is drawn: that takes most of the time."""
    monkeypatch.setattr(figure, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setenv("FAKE_DECLARES", "1")
    return Comparison(tmp_path / "results", data_dir, implementations=BOTH)


def test_a_baseline_runs_on_its_own_terms_and_says_so(case: Comparison) -> None:
    text = case.run(seeds=[0, 1])
    assert "\nerror " not in text
    assert case.manifest(NAME)["settings"]["lambda_u"] == 0.0
    assert case.manifest("40-seed0-fake")["settings"]["lambda_u"] == 1.0
    others = {
        key: value for key, value in case.manifest(NAME)["settings"].items() if key != "lambda_u"
    }
    assert others.items() <= case.manifest("40-seed0-fake")["settings"].items()
    log = (case.folder / "runs" / NAME / "attempt-1/metrics.jsonl").read_text().splitlines()
    assert json.loads(log[0])["settings"]["lambda_u"] == 0.0
    assert set(case.table()["status"]) == {"done"}


def test_the_terminal_asks_its_question_and_no_other(case: Comparison) -> None:
    text = case.run(seeds=[0, 1])
    assert (
        "40 labels: no difference shown: fake - fake_baseline +0.00 [0.00, 0.00], 2 seeds" in text
    )
    assert "equivalent" not in text
    told = (case.folder / "table.md").read_text()
    assert "## Does the unlabelled data help?" in told
    assert (
        "40 labels, **no difference shown**: Fake minus Fake baseline: +0.00 points [0.00, 0.00], "
        "2 seeds: no difference shown (all differences are equal: these seeds show no spread)."
    ) in told
    assert "Fake baseline: the stand-in without its unlabelled loss." in told
    assert "## Differences" not in told and "equivalent" not in told


def test_its_folder_is_whole_and_differs_from_nothing(case: Comparison) -> None:
    case.run()
    assert verify.check(case.folder, QUICK) == []
    found, _ = diff_command.against(case.folder, QUICK, str(case.folder / "table.csv"))
    assert found.holds
    assert [row.implementation for row in found.rows] == BOTH


def test_a_baseline_is_added_to_finished_runs_in_any_order(case: Comparison) -> None:
    for name in reversed(BOTH):
        assert "\nerror " not in case.run(implementations=[name])
    assert "Nothing to do: all 2 runs are done." in case.run(implementations=list(reversed(BOTH)))


def test_a_baseline_is_refused_where_the_terms_differ_in_more(case: Comparison) -> None:
    case.run(implementations=["fake"])
    text = case.run(implementations=["fake_baseline"], iterations=40)
    assert "error 2: " in text and "done with iterations = 60, asked for is 40" in text


@pytest.mark.parametrize(
    ("strays", "said"),
    [
        ({"lambda_u": 0.5}, "lambda_u: it used 0.5, asked for was 0.0"),
        ({"lambda_u": 1.0}, "lambda_u: it used 1.0, asked for was 0.0"),
        ({"batch_size": 3}, "batch_size: it used 3, asked for was"),
    ],
)
def test_a_baseline_that_would_stray_is_not_trained(
    case: Comparison, monkeypatch: pytest.MonkeyPatch, strays: dict[str, float], said: str
) -> None:
    monkeypatch.setenv("FAKE_STRAYS", json.dumps(strays))
    text = case.run()
    assert f"{NAME}: incomparable, so not trained: rung 4, same hyper-parameters: {said}" in text
    assert f"error 3: not all runs are done: {NAME} incomparable" in text
    assert dict(zip(case.table()["implementation"], case.table()["status"], strict=True)) == {
        "fake": "done", "fake_baseline": "incomparable",
    }  # fmt: skip


def test_a_baseline_that_strayed_when_it_trained_enters_no_mean(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAKE_DECLARES")
    monkeypatch.setenv("FAKE_STRAYS", json.dumps({"lambda_u": 1.0}))
    text = case.run()
    assert "rung 4, same hyper-parameters: lambda_u: it used 1.0, asked" in " ".join(text.split())
    told = (case.folder / "table.md").read_text()
    assert "rung 4, same hyper-parameters: lambda_u: it used 1.0, asked for was 0.0" in told
    assert "| Fake baseline | incomparable |" in told
    assert "No seed is done by both Fake and Fake baseline" in told


def test_a_stopped_baseline_goes_on(case: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-crash")
    monkeypatch.setenv("FAKE_ONCE", str(case.results.with_name("once")))
    assert f"{NAME}: going on from iteration" in case.run(implementations=["fake_baseline"])
    [run] = results.load_all(case.folder)
    assert run.status is Status.DONE
    assert run.manifest.starts[-1].resumed_at is not None
    assert run.settings["lambda_u"].value == 0.0


def test_status_names_a_baseline_that_is_missing(case: Comparison) -> None:
    case.run()
    case.run(implementations=["fake"], seeds=[1])
    states = {state.name: state.state for state in status.read(case.folder)}
    assert states[NAME] == "done" and states["40-seed1-fake_baseline"] == "missing"


def test_what_is_asked_of_each(fake: None) -> None:
    assert dict(registry.departs("labelled_only")) == {"lambda_u": 0.0}
    assert dict(registry.departs("torchssl")) == {"precision": "fp32", "compile": False}
    assert registry.departs("torchssl", "cuda")["precision"] == "tf32"  # torch's own, there
    assert not registry.departs("own") and not registry.departs("nobody")
    assert {n: one.baseline_of for n, one in registry.entered().items() if one.baseline_of} == {
        "fake_baseline": "fake", "labelled_only": "own",
    }  # fmt: skip
