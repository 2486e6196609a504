"""The flow, with a stand-in implementation: what is run, kept, told and written."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pandas as pd
import pytest
from rich.console import Console

from harness.commands import compare as pipeline
from harness.commands.compare import CompareQuestion as Question
from harness.commands.console.terminal import Terminal
from harness.commands.results import table
from harness.errors import BadInput, Incomplete
from harness.runs.attempt import Limits
from tests.conftest import REPOSITORY
from tests.fakes.fake_with_settings import FakeWithSettings

pytestmark = pytest.mark.usefixtures("fake")


class Case:
    """A comparison in a temporary folder, and what it printed."""

    def __init__(self, tmp_path: Path, data_dir: Path) -> None:
        self.results = tmp_path / "results"
        self.folder = self.results / "quick"
        self.data_dir = data_dir
        self.text = ""

    def compare(self, **options: object) -> None:
        out = io.StringIO()
        question = {
            "labels": [40],
            "seeds": [0],
            "implementations": ["fake"],
            "profile": "quick",
            "results": self.results,
            "iterations": 20,
            "data_dir": self.data_dir,
            "limits": Limits(retries=0),
        }
        try:
            asked = Question(**(question | options))  # type: ignore[arg-type]
            pipeline.compare(asked, Terminal(Console(file=out, soft_wrap=True)))
        finally:
            self.text = out.getvalue()

    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "table.csv")

    def manifest(self, name: str = "40-seed0-fake") -> dict[str, object]:
        content: dict[str, object] = json.loads(
            (self.folder / "runs" / name / "manifest.json").read_text()
        )
        return content


@pytest.fixture
def case(tmp_path: Path, data_dir: Path) -> Case:
    return Case(tmp_path, data_dir)


def test_a_comparison_leaves_all_its_files(case: Case) -> None:
    case.compare(labels=[40, 80], seeds=[0, 1])
    for name in ("table.csv", "table.md", "points.csv"):
        assert (case.folder / name).read_text()
    for kind in ("svg", "png"):
        assert (case.folder / f"accuracy-vs-epoch.{kind}").stat().st_size > 1000
    table = case.table()
    assert list(zip(table["labels"], table["seed"], strict=True)) == [
        (40, 0), (40, 1), (80, 0), (80, 1),
    ]  # fmt: skip
    assert set(table["status"]) == {"done"}
    assert table["split_sha256"].nunique() == 4
    assert table["data_sha256"].nunique() == 1
    assert "To do" in case.text and "done in" in case.text and "report.html" in case.text


def test_a_relative_results_folder(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.results.mkdir()
    monkeypatch.chdir(case.results)
    case.compare(results=Path())
    assert case.table()["status"].tolist() == ["done"]


def test_a_second_comparison_does_nothing_and_says_so(case: Case) -> None:
    case.compare()
    before = {p: (p.read_bytes(), p.stat().st_mtime) for p in case.folder.glob("runs/*/*/*.jsonl")}
    files = {p.name: p.read_bytes() for p in case.folder.glob("*.*") if p.is_file()}
    case.compare()
    assert "Nothing to do: all 1 runs are done." in case.text
    assert before == {
        p: (p.read_bytes(), p.stat().st_mtime) for p in case.folder.glob("runs/*/*/*.jsonl")
    }
    assert files == {p.name: p.read_bytes() for p in case.folder.glob("*.*") if p.is_file()}


def test_only_what_is_missing_is_run(case: Case) -> None:
    case.compare()
    case.compare(seeds=[0, 1])
    assert "40-seed0-fake  done" in case.text
    assert "40-seed1-fake: done in" in case.text
    assert "40-seed0-fake: done in" not in case.text


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("crash", "exit code 7: something went wrong, says the child"),
        ("killed", "killed by SIGKILL"),
        ("short", "its last evaluation is at"),
        ("silent", "log cannot be read"),
        ("garbage", "log cannot be read"),
    ],
)
def test_a_run_that_fails_is_told_and_never_a_number(
    case: Case, monkeypatch: pytest.MonkeyPatch, mode: str, reason: str
) -> None:
    monkeypatch.setenv("FAKE_MODE", mode)
    with pytest.raises(Incomplete, match="40-seed0-fake failed"):
        case.compare()
    assert reason in case.text
    row = case.table().iloc[0]
    assert row["status"] == "failed"
    assert pd.isna(row["last_top1"]) and pd.isna(row["best_top1"])
    assert "| Fake | failed |" in (case.folder / "table.md").read_text()


def test_a_run_that_cannot_be_started_is_told_and_the_others_go_on(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "no-weights")
    with pytest.raises(Incomplete, match="40-seed0-fake failed, 80-seed0-fake failed"):
        case.compare(labels=[40, 80])
    assert "fake drew no initial weights: out of luck" in case.text
    assert case.table()["status"].tolist() == ["failed", "failed"]


def test_a_failed_run_is_run_again_and_its_first_attempt_kept(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "crash")
    with pytest.raises(Incomplete):
        case.compare()
    first = case.folder / "runs/40-seed0-fake/attempt-1/metrics.jsonl"
    before = first.read_bytes()
    monkeypatch.setenv("FAKE_MODE", "ok")
    case.compare()
    assert first.read_bytes() == before
    assert case.manifest()["attempt"] == 2
    assert case.table()["last_top1"].tolist() == [50.0]


def test_a_failure_does_not_stop_the_others(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE", "crash")
    with pytest.raises(Incomplete, match="40-seed0-fake failed, 80-seed0-fake failed"):
        case.compare(labels=[40, 80])
    assert case.table()["status"].tolist() == ["failed", "failed"]


@pytest.mark.parametrize(
    ("mode", "rung"),
    [
        ("wrong-data", "rung 1, same images"),
        ("wrong-split", "rung 2, same labelled images"),
    ],
)
def test_a_run_on_something_else_is_incomparable(
    case: Case, monkeypatch: pytest.MonkeyPatch, mode: str, rung: str
) -> None:
    monkeypatch.setenv("FAKE_MODE", mode)
    with pytest.raises(Incomplete, match="40-seed0-fake incomparable"):
        case.compare()
    text = (case.folder / "table.md").read_text()
    assert f"incomparable: {rung}: it used 000000000000, asked for was" in text
    assert "| Fake | incomparable |" in text


def test_a_run_that_would_be_incomparable_is_not_trained(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "wrong-split")
    monkeypatch.setenv("FAKE_DECLARES", "1")
    with pytest.raises(Incomplete, match="40-seed0-fake incomparable"):
        case.compare()
    [row] = case.table().to_dict("records")
    assert row["status"] == "incomparable"
    assert not list(case.folder.glob("runs/*/attempt-*"))
    said = "incomparable, so not trained: rung 2, same labelled images: it used 000000000000"
    assert said in case.text
    monkeypatch.setenv("FAKE_MODE", "ok")
    case.compare()
    assert case.table()["status"].tolist() == ["done"]


def test_what_cannot_be_checked_beforehand_is_told_and_the_run_says_why(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "no-weights")
    monkeypatch.setenv("FAKE_DECLARES", "1")
    with pytest.raises(Incomplete, match="40-seed0-fake failed"):
        case.compare()
    assert "could not be checked beforehand: fake drew no initial weights" in case.text


def test_torchssl_that_cannot_be_had_is_unavailable(case: Case) -> None:
    with pytest.raises(Incomplete, match="40-seed0-torchssl unavailable"):
        case.compare(implementations=["fake", "torchssl"])
    rows = case.table().set_index("implementation")
    assert rows.loc["fake", "status"] == "done"
    assert rows.loc["torchssl", "status"] == "unavailable"
    assert "set TORCHSSL_DIR to a checkout" in (case.folder / "table.md").read_text()
    assert "set TORCHSSL_DIR to a checkout" in case.text


def test_a_modified_torchssl_is_unavailable(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no torchssl").mkdir()
    (tmp_path / "no torchssl" / "fixmatch.py").write_text("print('not TorchSSL')\n")
    with pytest.raises(Incomplete, match="unavailable"):
        case.compare(implementations=["torchssl"])
    assert "is not TorchSSL at commit f26e1d4, unmodified" in case.text


def test_other_settings_do_not_mix_with_what_is_there(case: Case) -> None:
    case.compare()
    before = (case.folder / "table.csv").read_bytes()
    with pytest.raises(BadInput, match=r"40-seed0-fake: done with .*asked for is .*RESULTS="):
        case.compare(labels=[80], iterations=30)
    assert (case.folder / "table.csv").read_bytes() == before
    assert not (case.folder / "runs/80-seed0-fake").exists()


def test_one_comparison_at_a_time(case: Case) -> None:
    case.folder.mkdir(parents=True)
    with (
        filelock.FileLock(case.folder / ".lock"),
        pytest.raises(BadInput, match="another comparison is running"),
    ):
        case.compare()


def test_rebuilding_gives_the_same_bytes(case: Case) -> None:
    case.compare(seeds=[0, 1])
    files = {p: p.read_bytes() for p in case.folder.glob("*.*") if p.is_file()}
    for path in files:
        if path.name != ".lock":
            path.unlink()
    table.rebuild(case.results, "quick", Terminal(Console(file=io.StringIO())))
    assert files == {p: p.read_bytes() for p in files}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_stops_the_child_and_loses_nothing(
    case: Case, how: signal.Signals, tmp_path: Path
) -> None:
    code = (
        # As in a terminal: where tests run in the background, Ctrl-C is ignored and inherited so.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; from tests.fakes import register; register();"
        "from harness.commands.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "compare"]
    command += ["--implementations", "fake", "--profile", "quick", "--iterations", "20"]
    command += ["--data-dir", str(case.data_dir), "--results", str(case.results)]
    environment = os.environ | {"FAKE_MODE": "slow", "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command, env=environment, cwd=tmp_path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    progress = case.folder / "runs/40-seed0-fake/attempt-1/progress.json"
    deadline = time.monotonic() + 120
    while not progress.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(how)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "interrupted; the same command goes on from here" in error
    assert case.manifest()["status"] == "failed"
    assert case.table()["status"].tolist() == ["failed"]
    size = (progress.parent / "metrics.jsonl").stat().st_size
    time.sleep(1.2)
    assert (progress.parent / "metrics.jsonl").stat().st_size == size, "the child lives on"


def test_a_defect_of_one_implementation_fails_its_run_and_no_other(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_command(self: FakeWithSettings, *_: object) -> None:
        raise KeyError("lr")

    monkeypatch.setattr(FakeWithSettings, "train_command", train_command)
    with pytest.raises(Incomplete, match="40-seed0-fake_baseline failed"):
        case.compare(implementations=["fake_baseline", "fake"])
    status = dict(zip(case.table()["implementation"], case.table()["status"], strict=True))
    assert status == {"fake_baseline": "failed", "fake": "done"}
    assert "unexpected KeyError in fake_baseline: 'lr'" in (case.folder / "table.md").read_text()
