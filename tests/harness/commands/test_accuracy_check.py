"""The guard of published numbers, with a stand-in implementation: all three steps, every time."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from pathlib import Path

import git
import pytest
from rich.console import Console

from harness.analysis import provenance
from harness.analysis.provenance import Provenance
from harness.commands import accuracy_check
from harness.commands import compare as pipeline
from harness.commands.accuracy_check import AccuracyQuestion as Check
from harness.commands.compare import CompareQuestion as Question
from harness.commands.console.terminal import Terminal
from harness.commands.results import table
from harness.errors import BadInput, CheckFailed, Incomplete
from harness.experiment import profile
from harness.implementations import registry
from harness.runs.attempt import Limits
from tests.conftest import REPOSITORY, use_fake, write_small_data

pytestmark = pytest.mark.usefixtures("fake")
QUICK = profile.load("quick")


def terminal() -> Terminal:
    return Terminal(Console(file=io.StringIO(), soft_wrap=True))


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the stand-in at 40 labels, committed; the commit before has none."""
    root = tmp_path_factory.mktemp("committed") / "clone"
    write_small_data(root.parent / "data")
    repository = git.Repo.init(root)
    with repository.config_writer() as config:
        config.set_value("user", "name", "Somebody").set_value("user", "email", "some@body.org")
    repository.git.commit("--allow-empty", "-m", "nothing yet")
    repository.git.tag("empty")
    asked = Question([40], [0], ["fake"], "quick", root / "results", 20, root.parent / "data")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_fake(monkeypatch, root.parent)
        pipeline.compare(asked, terminal())
        source = registry.create("fake").source_sha256()
    said = Provenance(date="2026-01-01", reason="first", commit="0" * 40, sources={"fake": source})
    provenance.write(root / "results" / "quick", said)
    repository.git.add("results")
    repository.git.commit("-m", "results")
    repository.close()
    return root


@pytest.fixture
def clone(committed: Path, tmp_path: Path) -> Path:
    shutil.copytree(committed, tmp_path / "clone", symlinks=True)
    return tmp_path / "clone"


def check(clone: Path, data_dir: Path, **options: object) -> tuple[Check, Path]:
    given: dict[str, object] = {
        "base": "HEAD", "profile": "quick", "results": clone / "results",
        "out": clone / ".cache" / "check", "iterations": 20, "data_dir": data_dir,
    }  # fmt: skip
    return Check(**(given | options)), clone / ".cache" / "check" / "summary.md"  # type: ignore[arg-type]


def test_all_holds(clone: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SOURCE", "changed")
    asked, summary = check(clone, data_dir)
    left_over = asked.out / "fresh" / "quick" / "runs" / "40-seed7-fake"
    left_over.mkdir(parents=True)
    accuracy_check.run(asked, terminal())
    text = summary.read_text()
    for words in (
        "✓ every file in `quick/` is what its runs give", "Base: `HEAD`.",
        "| 40 | fake | 50.00 | 50.00 | +0.00 | ±6.00 | same |", "Base: `quick, seed 0`.",
        "Trained: 40-seed0-fake.",
    ):  # fmt: skip
        assert words in text
    assert (asked.out / "fresh/quick/report.html").exists()
    assert not left_over.exists()  # a fresh comparison is fresh


def test_the_published_source_is_not_trained_again(
    clone: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "crash")  # it would fail
    asked, summary = check(clone, data_dir)
    accuracy_check.run(asked, terminal())
    assert "Nothing was trained: all 1 runs are of the published source" in summary.read_text()


def test_of_a_contender_whose_code_is_not_here_the_published_runs_are_taken(
    tmp_path: Path,
) -> None:
    """As on a server that has no checkout of the implementations of others."""
    shutil.copytree(REPOSITORY / "results/published/quick", tmp_path / "published/quick")
    for path in (tmp_path / "published/quick/runs").iterdir():
        if path.name != "40-seed0-kekmodel":
            shutil.rmtree(path)
    said = provenance.read(tmp_path / "published/quick")
    assert said is not None
    sources = {"kekmodel": said.sources["kekmodel"]}
    provenance.write(tmp_path / "published/quick", said.model_copy(update={"sources": sources}))
    for name in ("parity.json", "parity-mixmatch.json"):
        (tmp_path / "published/quick" / name).unlink(missing_ok=True)
    table.write(tmp_path / "published/quick", QUICK)
    base = str(tmp_path / "published/quick/table.csv")
    asked = Check(base, "quick", tmp_path / "published", tmp_path / "check")
    accuracy_check.run(asked, terminal())
    assert (
        "Nothing was trained: all 1 runs are of the published source"
        in (tmp_path / "check/summary.md").read_text()
    )


def test_what_is_not_published_is_not_trained(tmp_path: Path, data_dir: Path) -> None:
    """A contender may be published at some label counts and seeds only."""
    root = tmp_path / "results"
    both, one = ["fake", "fake_baseline"], ["fake"]
    pipeline.compare(Question([40], [0], both, "quick", root, 20, data_dir), terminal())
    pipeline.compare(Question([80], [1], one, "quick", root, 20, data_dir), terminal())
    sources = {name: registry.create(name).source_sha256() for name in both}
    said = Provenance(date="2026-01-01", reason="first", commit="0" * 40, sources=sources)
    provenance.write(root / "quick", said)
    base = str(root / "quick/table.csv")
    asked = Check(base, "quick", root, tmp_path / "check", [40, 80], [0, 1], 20, data_dir)
    accuracy_check.run(asked, terminal())
    runs = sorted(path.name for path in (tmp_path / "check/fresh/quick/runs").glob("*-seed*"))
    assert runs == ["40-seed0-fake", "40-seed0-fake_baseline", "80-seed1-fake"]
    with pytest.raises(BadInput, match=r"LABELS, SEEDS: no run in .* has both"):
        accuracy_check.run(dataclasses.replace(asked, labels=[80], seeds=[0]), terminal())


def test_other_settings_are_trained(clone: Path, data_dir: Path) -> None:
    asked, summary = check(clone, data_dir, iterations=30)
    with pytest.raises(CheckFailed, match="fresh 40 labels fake: incomparable"):
        accuracy_check.run(asked, terminal())
    assert "Trained: 40-seed0-fake." in summary.read_text()


def moved(clone: Path) -> None:
    """The committed accuracies are 30 higher than what training gives."""
    folder = clone / "results" / "quick"
    for log in folder.glob("runs/*/attempt-1/metrics.jsonl"):
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        for entry in entries:
            if "top1" in entry:
                entry["top1"] += 30
        log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    table.write(folder, QUICK)


def test_an_accuracy_that_training_does_not_give(
    clone: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SOURCE", "changed")
    moved(clone)
    asked, summary = check(clone, data_dir)
    with pytest.raises(CheckFailed, match="40 labels fake: moved; fresh 40 labels fake: moved"):
        accuracy_check.run(asked, terminal())
    assert "| 40 | fake | 80.00 | 50.00 | -30.00 | ±6.00 | ✗ moved |" in summary.read_text()


def test_outputs_that_the_runs_do_not_give(clone: Path, data_dir: Path) -> None:
    path = clone / "results/quick/table.md"
    path.write_text(path.read_text().replace("50.00", "59.00", 1))
    asked, summary = check(clone, data_dir)
    with pytest.raises(CheckFailed, match=r"table\.md:\d+: has .*59\.00"):
        accuracy_check.run(asked, terminal())
    assert "- ✗ " in summary.read_text() and "| 40 | fake | 50.00 | 50.00 |" in summary.read_text()


def test_a_fresh_run_that_fails_is_incomplete(
    clone: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "crash")
    monkeypatch.setenv("FAKE_SOURCE", "changed")
    asked, summary = check(clone, data_dir, limits=Limits(retries=0))
    with pytest.raises(Incomplete, match=r"fresh 40 labels fake: failed \(seed 0 failed\)"):
        accuracy_check.run(asked, terminal())
    assert "✗ failed: seed 0 failed" in summary.read_text()


def test_a_base_without_results_is_told(clone: Path, data_dir: Path) -> None:
    asked, summary = check(clone, data_dir, base="empty")
    accuracy_check.run(asked, terminal())
    assert "Nothing to compare with: BASE empty: has no results/quick/table.csv" in (
        summary.read_text()
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": [250]}, "LABELS 250: not in .*; use 40"),
        ({"seeds": [3]}, "SEEDS 3: not in .*; use 0"),
        ({"results": Path("nowhere")}, "no runs in it"),
        ({"base": "no-such-branch"}, "neither a file nor a git revision"),
    ],
)
def test_bad_input_starts_no_training(
    clone: Path, data_dir: Path, options: dict[str, object], message: str
) -> None:
    asked, _ = check(clone, data_dir, **options)
    with pytest.raises(BadInput, match=message):
        accuracy_check.run(asked, terminal())
    assert not (clone / ".cache").exists()


def test_no_runs_at_all(clone: Path, data_dir: Path) -> None:
    shutil.rmtree(clone / "results/quick/runs/40-seed0-fake")
    asked, _ = check(clone, data_dir)
    with pytest.raises(BadInput, match="no runs in it"):
        accuracy_check.run(asked, terminal())
