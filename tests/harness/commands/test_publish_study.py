"""make publish STUDY=: a study becomes evidence, whole and of one source."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis import provenance
from harness.commands import cli, publish, verify
from harness.commands.console.terminal import Terminal
from harness.commands.publish_study import StudyPublication, publish_study
from harness.commands.study import write
from harness.errors import BadInput, CheckFailed
from harness.experiment import study as definition
from harness.experiment.study import Study
from harness.report.figures import curves
from harness.report.study import outputs
from harness.runs.manifest import Status
from tests.helpers import studied


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Nothing is drawn: that takes most of the time."""
    monkeypatch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setattr(publish, "commit_here", lambda: "c" * 40)
    studied.define(monkeypatch, tmp_path / "configs")
    return definition.load("trial")


@pytest.fixture
def measured(tmp_path: Path, study: Study) -> Path:
    folder = studied.make(definition.place(tmp_path / "results", "trial"), study)
    write(folder, study)
    return folder


def published(tmp_path: Path, reason: str = "three seeds of one source") -> str:
    out = io.StringIO()
    asked = StudyPublication("trial", tmp_path / "results", tmp_path / "published", reason)
    publish_study(asked, Terminal(Console(file=out, soft_wrap=True)))
    return out.getvalue()


def test_runs_and_outputs_are_copied_with_where_they_come_from(
    tmp_path: Path, measured: Path, study: Study
) -> None:
    text = published(tmp_path)
    target = definition.place(tmp_path / "published", "trial")
    about = provenance.read(target)
    assert about is not None and about.reason == "three seeds of one source"
    assert (about.commit, dict(about.sources)) == ("c" * 40, {"own": "50" * 32})
    assert verify.check_study(target, study) == []
    for name in outputs.NAMES:
        if name != outputs.SUMS:  # they are of the folder's own files
            assert (target / name).read_bytes() == (measured / name).read_bytes()
    assert text.startswith("Now: At 250 labels, against `b08`") and "published; commit it" in text
    # A variant whose loss is not finite is a result.
    assert (target / "runs" / "hot" / "250-seed0-own" / "manifest.json").is_file()


def test_what_was_published_gives_way_and_is_told(
    tmp_path: Path, measured: Path, study: Study
) -> None:
    published(tmp_path)
    shutil.rmtree(measured / "runs" / "hot")
    write(measured, study)
    text = published(tmp_path, reason="without hot")
    assert text.startswith("Before: At 250 labels") and "\nNow: At 250 labels" in text
    target = definition.place(tmp_path / "published", "trial")
    assert not list((target / "runs" / "hot").glob("*"))
    assert verify.check_study(target, study) == []


def test_what_was_published_may_be_of_another_plan(
    tmp_path: Path, measured: Path, study: Study
) -> None:
    published(tmp_path)
    target = definition.place(tmp_path / "published", "trial")
    (target / "runs" / "hot").rename(target / "runs" / "hotter")
    text = published(tmp_path, reason="a new plan")
    assert text.startswith("Before: of another plan (") and "hotter" in text
    assert verify.check_study(target, study) == []


def test_what_is_no_evidence_is_refused(tmp_path: Path, measured: Path, study: Study) -> None:
    with pytest.raises(BadInput, match=r"^REASON: empty"):
        published(tmp_path, reason=" ")
    first = definition.variants(study)[0]
    studied.run(measured, first, 250, 0, status=Status.FAILED, reason="killed")
    with pytest.raises(CheckFailed, match="altered since the outputs were written"):
        published(tmp_path)  # its outputs are not what its runs give
    write(measured, study)
    with pytest.raises(CheckFailed, match=r"b08/250-seed0-own: failed \(killed\); run 'make study"):
        published(tmp_path)
    assert not (tmp_path / "published").exists()


def test_from_a_commit_to_another_folder_alone(
    tmp_path: Path, measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = StudyPublication("trial", tmp_path / "results", tmp_path / "results", "why")
    with pytest.raises(BadInput, match="is what is published; name what was measured"):
        publish_study(same, Terminal(Console(file=io.StringIO())))
    monkeypatch.setattr(publish, "commit_here", lambda: f"{'c' * 40}-dirty")
    with pytest.raises(BadInput, match="the source is not a commit of git"):
        published(tmp_path)
    assert not (tmp_path / "published").exists()


def test_on_the_command_line(
    tmp_path: Path, measured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def run(study: str) -> int:
        words = ["--study", study, "--reason", "why", "--results", str(tmp_path / "results")]
        words += ["--published", str(tmp_path / "published")]
        monkeypatch.setattr(sys, "argv", ["harness", "publish", *words])
        return cli.main()

    assert run("trial") == 0 and definition.place(tmp_path / "published", "trial").is_dir()
    assert run("fixmatch-mixmatch") == 2
    assert (
        "its page is published with the comparison that it is made from" in capsys.readouterr().err
    )
    assert run("nothing") == 2
