"""What is published: evidence, verified, whole, and of one set of terms."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis import provenance, results
from harness.commands import publish, verify
from harness.commands.console.terminal import Terminal
from harness.commands.publish import Publication
from harness.commands.results import table
from harness.errors import BadInput, CheckFailed, HarnessError
from harness.experiment import profile
from harness.runs.origins.taking import copy_run
from tests.fakes.fake import Fake
from tests.faults.comparison import NAME, Comparison

QUICK = profile.load("quick")


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    monkeypatch.setenv("FAKE_SOURCE", "one")
    monkeypatch.setattr(publish, "commit_here", lambda: "c" * 40)
    return Comparison(tmp_path / "results", data_dir)


def asked(case: Comparison, published: Path, reason: str = "why not") -> Publication:
    return Publication("quick", case.results, published, reason)


@pytest.fixture
def published(case: Comparison, tmp_path: Path) -> Path:
    """Where both seeds of the case are published."""
    case.run(seeds=[0, 1])
    folder = tmp_path / "published"
    publish.publish(asked(case, folder), Terminal())
    return folder


def test_what_is_published_is_verified_evidence(
    case: Comparison, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = provenance.read(published / "quick")
    assert found is not None and (found.reason, found.commit) == ("why not", "c" * 40)
    assert found.sources == {"fake": case.manifest()["source_sha256"]}
    monkeypatch.setenv("FAKE_SOURCE", "two")  # evidence is of the code that it names
    assert verify.check(published / "quick", QUICK) == []
    case.run(seeds=[0])
    case_runs = case.folder / "runs"
    shutil.rmtree(case_runs / "40-seed1-fake")
    table.write(case.folder, QUICK)
    publish.publish(asked(case, published, "other code"), Terminal())
    runs = sorted(path.name for path in (published / "quick/runs").glob("*-seed*"))
    assert runs == ["40-seed0-fake"], "a published cell mixes sources"


def test_what_joins_what_is_published_is_on_the_same_terms(
    case: Comparison, published: Path, tmp_path: Path
) -> None:
    shorter = Comparison(tmp_path / "shorter", case.data_dir, iterations=40)
    shorter.run(seeds=[0])
    with pytest.raises(CheckFailed, match=r"40-seed1-fake: made with iterations = 60, now it is"):
        publish.publish(asked(shorter, published), Terminal())
    assert verify.check(published / "quick", QUICK) == []
    shorter.run(seeds=[0, 1])
    publish.publish(asked(shorter, published), Terminal())  # all of it
    iterations = {
        run.manifest.settings["iterations"] for run in results.load_all(published / "quick")
    }
    assert iterations == {40}


def test_what_joins_what_is_published_makes_none_of_it_stale(
    case: Comparison, published: Path
) -> None:
    shutil.rmtree(case.folder / "runs/40-seed1-fake")
    table.write(case.folder, QUICK)
    said = io.StringIO()
    publish.publish(asked(case, published), Terminal(Console(file=said, soft_wrap=True)))
    assert "1 published runs that are not measured here stay" in said.getvalue()
    assert "missing" not in said.getvalue().split("not measured yet")[0]
    path = case.folder / "runs" / NAME / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["facts"]["torch_version"] = "99.1.0"
    path.write_text(json.dumps(manifest))
    table.write(case.folder, QUICK)
    with pytest.raises(CheckFailed, match=r"40-seed1-fake: stale \(made with torch .* 99\.1"):
        publish.publish(asked(case, published), Terminal())
    assert verify.check(published / "quick", QUICK) == []


def test_a_copy_is_whole_or_is_not_there(case: Comparison, tmp_path: Path) -> None:
    case.run()
    source, target = case.folder / "runs" / NAME, tmp_path / "there" / NAME
    with pytest.raises(BadInput, match=rf"{NAME}: cannot be copied to .*there"):
        target.mkdir(parents=True)
        (target / "in the way").touch()
        copy_run(source, target)
    assert [path.name for path in target.parent.iterdir()] == [NAME]
    shutil.copytree(source, case.folder / "runs" / f".{NAME}.tmp")  # killed amid it
    assert len(results.load_all(case.folder)) == 1


@pytest.mark.parametrize("place", ["console.log", "tensorboard/events.out.tfevents.1"])
def test_a_log_is_copied_whatever_it_is_called(
    case: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    case.run()
    source = case.folder / "runs" / NAME
    log = source / "attempt-1" / place
    log.parent.mkdir(exist_ok=True)
    log.write_text("what it is read from")
    monkeypatch.setattr(Fake, "logs", lambda _self, folder: [folder / place])
    copy_run(source, tmp_path / NAME)
    assert (tmp_path / NAME / "attempt-1" / place).read_text() == "what it is read from"


@pytest.mark.parametrize("fault", ["no reason", "failed", "stale", "altered", "dirty"])
def test_what_is_no_evidence_is_not_published(
    case: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(publish, "commit_here", lambda: "c" * 40 + "-dirty" * (fault == "dirty"))
    if fault == "failed":
        monkeypatch.setenv("FAKE_MODE", "short")
    case.run()
    if fault == "stale":
        monkeypatch.setenv("FAKE_SOURCE", "two")
        table.write(case.folder, QUICK)
    if fault == "altered":
        (case.folder / "table.md").write_text("better")
    errors: dict[str, tuple[type[HarnessError], str]] = {
        "no reason": (BadInput, "REASON: empty"),
        "failed": (CheckFailed, "failed .*make compare"),
        "stale": (CheckFailed, "stale .*make compare"),
        "altered": (CheckFailed, r"table\.md:1: has"),
        "dirty": (BadInput, "not a commit of git"),
    }
    error, message = errors[fault]
    with pytest.raises(error, match=message):
        reason = " " if fault == "no reason" else "why not"
        publish.publish(asked(case, tmp_path / "published", reason), Terminal())
    assert not (tmp_path / "published/quick/runs").exists()


def test_evidence_that_was_altered_by_hand_is_not_added_to(
    case: Comparison, tmp_path: Path
) -> None:
    case.run()
    published = tmp_path / "published"
    publish.publish(asked(case, published), Terminal())
    (published / "quick/table.md").write_text("better")
    with pytest.raises(
        CheckFailed, match=r"published/quick/table\.md:1: has.*; restore it from git, .*make report"
    ):
        publish.publish(asked(case, published), Terminal())
    assert (published / "quick/table.md").read_text() == "better"
