"""A number belongs to the code that made it: what is trained again, kept and taken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.analysis import results
from harness.commands import verify
from harness.commands.results import table
from harness.errors import BadInput
from harness.experiment import contender, profile
from harness.implementations import registry
from harness.implementations.source import imported_files
from harness.parity import checklist
from harness.runs.manifest import Status
from tests.conftest import REPOSITORY
from tests.fakes.fake import Fake
from tests.faults.comparison import NAME, Comparison
from tests.helpers import made

QUICK = profile.load("quick")


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    monkeypatch.setenv("FAKE_SOURCE", "one")
    return Comparison(tmp_path / "results", data_dir)


def test_a_changed_source_is_trained_anew_and_the_run_before_is_kept(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.run()
    before = case.manifest()
    monkeypatch.setenv("FAKE_SOURCE", "two")
    text = case.run()
    assert f"{NAME}: made by source {before['source_sha256'][:7]}, now it is" in text
    assert case.manifest()["source_sha256"] != before["source_sha256"]
    [kept] = (case.folder / "runs/earlier").glob(f"*/{NAME}/manifest.json")
    assert json.loads(kept.read_text()) == before
    assert "fake, 40 labels: 50.00 now, before 50.00: +0.00, 1 seed" in text
    assert "## Against the version before" in (case.folder / "table.md").read_text()
    assert "+0.00" in (case.folder / "report.html").read_text()
    assert verify.check(case.folder, QUICK) == []


def test_an_unchanged_source_is_not_trained_again(case: Comparison) -> None:
    case.run()
    assert "Nothing to do: all 1 runs are done." in case.run()


def test_code_that_is_as_it_was_has_its_runs_back(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.run()
    started = case.manifest()["starts"]
    monkeypatch.setenv("FAKE_SOURCE", "two")
    case.run()
    monkeypatch.setenv("FAKE_SOURCE", "one")
    text = case.run()
    assert "back it comes" in text and "Nothing to do: all 1 runs are done." in text
    assert case.manifest()["starts"] == started


def test_without_training_a_run_of_other_code_is_stale_and_in_no_mean(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.run(seeds=[0, 1])
    monkeypatch.setenv("FAKE_SOURCE", "two")
    table.write(case.folder, QUICK)
    assert set(case.table()["status"]) == {"stale"}
    text = (case.folder / "table.md").read_text()
    assert "| Fake | stale |" in text and "'make compare' trains it anew" in text
    assert verify.check(case.folder, QUICK) == []


def test_a_cell_never_mixes_sources(case: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    case.run(seeds=[0])
    monkeypatch.setenv("FAKE_SOURCE", "two")
    case.run(seeds=[1])
    found = {run.manifest.seed: run.status for run in results.load_all(case.folder)}
    assert found == {0: Status.STALE, 1: Status.DONE}


def test_a_run_that_was_stopped_is_not_finished_by_other_code(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-says")
    monkeypatch.setenv("FAKE_SAYS", "the loss is out")
    case.run(limits=case.question["limits"].__class__(retries=0))
    monkeypatch.delenv("FAKE_MODE")
    monkeypatch.setenv("FAKE_SOURCE", "two")
    text = case.run()
    assert f"{NAME}: its source changed since it was begun; training it anew" in text
    assert case.manifest()["attempt"] == 2


def test_what_began_a_run_is_known_after_a_time_when_it_could_not_be_had(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else other code would finish it, or other settings, from the checkpoint that is there."""
    monkeypatch.setenv("FAKE_MODE", "steady-says")
    monkeypatch.setenv("FAKE_SAYS", "the loss is out")
    case.run(limits=case.question["limits"].__class__(retries=0))
    began = case.manifest()
    monkeypatch.setenv("FAKE_SOURCE", "two")
    with monkeypatch.context() as while_it_is_away:
        while_it_is_away.setattr(Fake, "unavailable", lambda _self: "its disk is away")
        assert f"{NAME}: unavailable: its disk is away" in case.run()
    now = case.manifest()
    assert (now["status"], now["reason"]) == ("unavailable", "its disk is away")
    for key in ("attempt", "starts", "settings", "source_sha256", "wall_seconds", "failure"):
        assert now[key] == began[key]
    monkeypatch.delenv("FAKE_MODE")
    assert f"{NAME}: its source changed since it was begun; training it anew" in case.run()
    assert case.manifest()["attempt"] == 2


def test_another_torch_makes_a_run_stale(tmp_path: Path) -> None:
    made.results(tmp_path, seeds=(0, 1))
    path = tmp_path / "runs/40-seed0-own/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["facts"]["torch_version"] = "2.11.0"
    manifest["started"] = "2025-01-01T00:00:00+00:00"
    path.write_text(json.dumps(manifest))
    found = {(r.manifest.implementation, r.manifest.seed): r for r in results.load_all(tmp_path)}
    assert found["own", 0].status is Status.STALE
    assert "made with torch 2.11, now it is 2.14" in found["own", 0].reason
    assert found["own", 1].status is Status.DONE


def test_training_is_summed_by_what_it_imports(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "own_impl", tmp_path / "own_impl")

    def files() -> set[str]:
        found = imported_files(tmp_path, "own_impl.__main__")
        return {path.relative_to(tmp_path).as_posix() for path in found}

    before = files()
    assert {"own_impl/train.py", "own_impl/views/operations.py", "own_impl/step.py"} <= before
    assert not [name for name in before if name.startswith("own_impl/answers/")]
    (tmp_path / "own_impl/extra.py").write_text("X = 1\n")
    assert files() == before
    train = tmp_path / "own_impl/train.py"
    train.write_text(
        train.read_text() + "\n\ndef late() -> None:\n    from own_impl import extra\n"
    )
    assert files() == before | {"own_impl/extra.py"}


def test_an_algorithms_page_counts_for_the_runs_of_that_algorithm_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.implementations import own

    shutil.copytree(REPOSITORY / "own_impl", tmp_path / "own_impl")
    monkeypatch.setattr(own, "REPOSITORY", tmp_path)

    def sums() -> list[str]:
        names = ("own", "labelled_only", "own-mixmatch")
        return [registry.create(name).source_sha256() for name in names]

    fixmatch, labelled_only, mixmatch = sums()
    assert fixmatch == labelled_only != mixmatch
    pages = tmp_path / "own_impl/algorithms"
    with (pages / "mixmatch.py").open("a") as page:
        page.write("# other\n")
    changed = sums()
    assert changed[:2] == [fixmatch, labelled_only] and changed[2] != mixmatch
    with (pages / "guesses.py").open("a") as shared:
        shared.write("# other\n")
    assert not set(sums()) & {*changed}


def test_the_sum_is_of_content_and_not_of_line_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.implementations import own

    shutil.copytree(REPOSITORY / "own_impl", tmp_path / "own_impl")
    monkeypatch.setattr(own, "REPOSITORY", tmp_path)
    side = registry.create("own")
    before = side.source_sha256()
    step, judge = tmp_path / "own_impl/step.py", tmp_path / "own_impl/answers/judge.py"
    step.write_bytes(step.read_bytes().replace(b"\n", b"\r\n"))
    judge.write_text(judge.read_text() + "# a word\n")
    assert side.source_sha256() == before
    step.write_text(step.read_text() + "# a word\n")
    assert side.source_sha256() != before


def test_finished_runs_are_taken_from_another_folder(
    case: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contender, "reference", lambda: "fake")
    case.run(seeds=[0, 1])
    other = Comparison(tmp_path / "other", case.data_dir)
    text = other.run(seeds=[0, 1], reference=case.results)
    assert f"{NAME}: taken from {case.results}" in text
    assert "Nothing to do: all 2 runs are done." in text
    assert f"REFERENCE={case.results}" in text.splitlines()[-1]  # what comes next takes it too
    assert other.manifest()["taken"]["folder"] == str(case.results)
    assert set(other.table()["taken_from"]) == {str(case.results)}
    assert other.table()["wall_seconds"].isna().all()
    said = f"{NAME} was not trained here: it was taken from {case.results}"
    assert said in " ".join(text.split()) and said in (other.folder / "table.md").read_text()


def test_a_folder_of_other_terms_or_code_is_refused(
    case: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contender, "reference", lambda: "fake")
    case.run()
    other = Comparison(tmp_path / "other", case.data_dir)
    text = other.run(iterations=40, reference=case.results)
    assert "error 2: REFERENCE" in text and "done with iterations = 60, asked for is 40" in text
    text = other.run(reference=tmp_path / "nowhere")
    assert "error 2: REFERENCE" in text and "no runs of profile quick" in text
    monkeypatch.setenv("FAKE_SOURCE", "two")
    text = other.run(reference=case.results)
    assert "error 2: REFERENCE" in text and f"{NAME}: made by source" in text


def test_a_run_of_a_contender_that_is_not_here(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.run()
    monkeypatch.setattr(registry, "_FURTHER", {})
    with pytest.raises(BadInput, match=rf"{NAME}: of contender fake, which is not here; restore"):
        results.load_all(case.folder)


def test_a_run_that_is_put_away_comes_back_to_its_own_contender(
    case: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.run()
    monkeypatch.setenv("FAKE_SOURCE", "two")
    case.run()
    [kept] = (case.folder / "runs/earlier").glob(f"*/{NAME}")
    other = json.loads((kept / "manifest.json").read_text()) | {"implementation": "fake_other"}
    kept.rename(kept.with_name(f"{NAME}_other"))
    (kept.with_name(f"{NAME}_other") / "manifest.json").write_text(json.dumps(other))
    monkeypatch.setenv("FAKE_SOURCE", "one")
    assert "back it comes" not in case.run()


def test_a_ladder_counts_for_the_code_that_climbed_it(case: Comparison) -> None:
    case.run()
    rung = checklist.rung(1, "same images", [checklist.check("sum", "1", "exact", True)])
    digest = case.manifest()["source_sha256"]
    checklist.write(case.folder, "quick", {"sources": {"fake": digest}}, [rung])
    assert results.read(case.folder).ladder is not None
    checklist.write(case.folder, "quick", {"sources": {"fake": "5" * 64}}, [rung])
    assert results.read(case.folder).ladder is None
    checklist.write(case.folder, "quick", {}, [rung])  # from before they were recorded
    assert results.read(case.folder).ladder is not None
