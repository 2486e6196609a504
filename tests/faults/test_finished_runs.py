"""A run that is finished stays as it is, whatever befalls the one beside it or its own files."""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from harness.analysis import results, status
from harness.commands import cli, verify
from harness.commands.console.terminal import Terminal
from harness.commands.results import table
from harness.errors import LogError
from harness.experiment import profile
from harness.report.figures import curves as figure
from harness.runs.attempt import Limits
from harness.runs.manifest import read_manifest, write_manifest
from tests.conftest import use_fake, write_small_data
from tests.faults.comparison import NAME, Comparison, Numbers, wait_for
from tests.faults.disk import small_disk
from tests.helpers import made

pytestmark = pytest.mark.usefixtures("fake")
FINISHED = "40-seed1-fake"
VERBS = ("table", "verify", "report", "status")
Files = dict[str, tuple[bytes, int]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and results of one seed, made once."""
    folder = tmp_path_factory.mktemp("finished")
    write_small_data(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        use_fake(patch, folder)
        patch.setenv("FAKE_MODE", "steady")
        Comparison(folder / "results", folder / "data", seeds=[1]).run()
    return folder


@pytest.fixture
def comparison(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Seed 1 is done, seed 0 is still to do; only processes that are killed draw figures."""
    monkeypatch.setattr(figure, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setenv("FAKE_MODE", "steady")
    shutil.copytree(finished / "results", tmp_path / "results", symlinks=True)
    return Comparison(tmp_path / "results", finished / "data", seeds=[0, 1])


def left(comparison: Comparison) -> Files:
    """The finished run's files, with the time at which each was written."""
    folder = comparison.folder / "runs" / FINISHED
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def by_seed(comparison: Comparison) -> dict[int, Numbers]:
    """What points.csv has of the runs that are done."""
    points = pd.read_csv(comparison.folder / "points.csv")
    done = points[points["status"] == "done"]
    return {
        int(seed): list(zip(rows["iteration"], rows["top1"], rows["seconds"], strict=True))
        for seed, rows in done.groupby("seed")
    }


def rebuild(comparison: Comparison) -> None:
    table.rebuild(comparison.results, "quick", Terminal(Console(file=io.StringIO())))


def answer(
    verb: str, comparison: Comparison, monkeypatch: pytest.MonkeyPatch, say: Callable[[], str]
) -> tuple[int, str]:
    """(exit code, what it said) of a verb that reads results."""
    words = ["harness", verb, "--profile", "quick", "--results", str(comparison.results)]
    monkeypatch.setattr(sys, "argv", words)
    return cli.main(), say()


@pytest.mark.parametrize("seed", range(4))
def test_the_harness_is_killed_beside_a_finished_run(comparison: Comparison, seed: int) -> None:
    """While it trains another run, or while it writes tables and figures."""
    rng, writes = random.Random(seed), seed % 2 == 1
    before, expected = left(comparison), Comparison.expected()
    with comparison.running() as process:
        if writes:
            wait_for(lambda: (comparison.run_folder / "manifest.json").exists())
            wait_for(lambda: comparison.manifest()["status"] == "done")
        else:
            wait_for(comparison.child)
        time.sleep(rng.uniform(0, 0.8 if writes else 0.4))
        process.kill()
        process.join()
        wait_for(lambda: comparison.child() is None, 5)
    assert left(comparison) == before
    found = by_seed(comparison)
    assert found.pop(1) == expected and found in ({}, {0: expected})
    rebuild(comparison)
    done = comparison.manifest()["status"] == "done"
    assert by_seed(comparison) == ({0: expected, 1: expected} if done else {1: expected})
    assert verify.check(comparison.folder, profile.load("quick")) == []
    comparison.run()
    assert by_seed(comparison) == {0: expected, 1: expected}
    assert left(comparison) == before


def test_a_run_that_fails_beside_a_finished_one(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = left(comparison)
    monkeypatch.setenv("FAKE_MODE", "steady-killed")
    text = comparison.run(limits=Limits(retries=0))
    assert f"error 3: not all runs are done: {NAME} failed" in text
    assert left(comparison) == before
    assert by_seed(comparison) == {1: Comparison.expected()}
    rows = comparison.table().set_index("seed")
    assert rows["status"].to_dict() == {0: "failed", 1: "done"}
    assert rows.loc[0, ["best_top1", "last_top1", "mean20_top1", "median20_top1"]].isna().all()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda lines: lines[: len(lines) // 2], r"its last evaluation is at \d+ of 60"),
        (lambda lines: [lines[0], *lines[3:]], r"has \d+ evaluations, \d+ when the run ended"),
        (lambda lines: [], "its last evaluation is at 0 of 60"),
    ],
    ids=["its end", "its middle", "all of it"],
)
def test_the_log_of_a_finished_run_is_truncated(
    comparison: Comparison, damage: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    """The best or last of the evaluations that are left is not this run's accuracy."""
    before = comparison.files()
    log = comparison.folder / "runs" / FINISHED / "attempt-1/metrics.jsonl"
    log.write_bytes(b"".join(damage(log.read_bytes().splitlines(keepends=True))))
    text = comparison.run()
    assert re.search(rf"error 2: \S+metrics\.jsonl: {said}; restore it from a copy, or move", text)
    assert comparison.files() == before
    assert not list(comparison.folder.glob(f"runs/{NAME}/attempt-*")), "hours before it was said"
    [state] = status.read(comparison.folder)
    assert re.search(said, state.state)
    shutil.rmtree(log.parent.parent)
    comparison.run()
    assert by_seed(comparison) == dict.fromkeys((0, 1), Comparison.expected())


def torchssl_log(folder: Path) -> Path:
    """Of a made run of TorchSSL, whose manifest says how many evaluations there were."""
    place = made.run(folder, "torchssl", 40, 0)
    manifest = read_manifest(place)
    assert manifest is not None
    write_manifest(place, manifest.model_copy(update={"evaluations": 12}))
    return place / "attempt-1/torchssl/log.txt"


@pytest.mark.parametrize("line", range(1, 13))
def test_noise_in_the_log_of_a_finished_torchssl(tmp_path: Path, line: int) -> None:
    """An evaluation that can no longer be made out as one is named by its line all the same."""
    log = torchssl_log(tmp_path)
    assert len(results.load_all(tmp_path)[0].points) == 12
    lines = log.read_bytes().splitlines(keepends=True)
    noise = random.Random(line).randbytes(60).replace(b"\n", b"")
    at = lines[line].index(b"iteration, USE_EMA") - 10
    lines[line] = lines[line][:at] + noise + lines[line][at + 30 :]
    log.write_bytes(b"".join(lines))
    with pytest.raises(LogError, match=rf"log\.txt:{line + 1}: .*is no UTF-8 text.*; restore the"):
        results.load_all(tmp_path)


def test_a_clock_set_back_while_torchssl_trains(tmp_path: Path) -> None:
    """Its log has the clock on the wall only: what that no longer tells is left out."""
    log = torchssl_log(tmp_path)
    [before] = results.load_all(tmp_path)
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*lines[:6], *(x.replace("2026-01", "2025-12") for x in lines[6:])]))
    [after] = results.load_all(tmp_path)
    assert [point.top1 for point in after.points] == [point.top1 for point in before.points]
    assert [point.seconds for point in after.points[:5]] == [p.seconds for p in before.points[:5]]
    assert {point.seconds for point in after.points[5:]} == {None}


@pytest.mark.parametrize(("version", "remedy"), [(0, "new folder"), (99, "update this checkout")])
@pytest.mark.parametrize("name", ["manifest.json", "attempt-1/metrics.jsonl"])
def test_another_version_wrote_it(
    comparison: Comparison,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    version: int,
    remedy: str,
) -> None:
    """Whoever reads it refuses it, and writes nothing."""
    before = comparison.files()
    path = comparison.folder / "runs" / FINISHED / name
    content = path.read_text()
    for key in ("schema_version", "schema"):
        content = content.replace(f'"{key}": 1', f'"{key}": {version}')
    path.write_text(content)
    for verb in VERBS:
        code, said = answer(verb, comparison, monkeypatch, lambda: "".join(capsys.readouterr()))
        said = " ".join(re.sub(r"[│┃]", " ", said).split())
        assert f"schema {version}, this code reads 1" in said and remedy in said, verb
        assert code == (0 if verb == "status" and "metrics" in name else 2)
    assert comparison.files() == before


def test_a_manifest_cut_in_two(comparison: Comparison) -> None:
    before = comparison.files()
    folder = comparison.folder / "runs" / FINISHED
    content = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(content[: len(content) // 2])
    assert re.search(r"error 2: \S+manifest\.json: not a manifest.*move the", comparison.run())
    assert comparison.files() == before
    folder.rename(comparison.results / "moved away")
    comparison.run()
    assert by_seed(comparison) == dict.fromkeys((0, 1), Comparison.expected())


def test_a_disk_that_became_read_only(comparison: Comparison, tmp_path: Path) -> None:
    """As the kernel does with a file system that has errors."""
    disk = tmp_path / "disk"
    with small_disk(disk, 48):
        shutil.copytree(comparison.results, disk / "results", symlinks=True)
        there = Comparison(disk / "results", comparison.question["data_dir"], seeds=[0, 1])
        before = there.files(), left(there)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        text = there.run()
        assert re.search(r"error 2: RESULTS .*\(Read-only file system\); name a writable", text)
        assert [state.state for state in status.read(there.folder)] == ["done"]
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert (there.files(), left(there)) == before
        there.run()
        assert by_seed(there) == dict.fromkeys((0, 1), Comparison.expected())


class Another(Comparison):
    """Whose output does not get mixed up with the first one's."""

    @property
    def _output(self) -> Path:
        return self.results.with_name("output of another")


def test_two_comparisons_begin_at_the_same_moment(comparison: Comparison) -> None:
    other = Another(comparison.results, comparison.question["data_dir"], seeds=[0, 1])
    before = left(comparison)
    with ExitStack() as both:
        sides = [both.enter_context(side.running()) for side in (comparison, other)]
        for process in sides:
            process.join(60)
        codes = {
            side.output: process.exitcode
            for side, process in zip((comparison, other), sides, strict=True)
        }
    assert sorted(codes.values()) in ([0, 2], [0, 0])  # at once, or one just after the other
    for text, code in codes.items():
        assert code == 0 or "another comparison is running in it" in text
    assert len(comparison.manifest()["starts"]) == 1, "it was trained twice"
    assert by_seed(comparison) == dict.fromkeys((0, 1), Comparison.expected())
    assert left(comparison) == before


def test_a_child_that_does_not_obey(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs and ignores SIGTERM: it is killed, and the run goes on."""
    monkeypatch.setenv("FAKE_MODE", "steady-deaf")
    monkeypatch.setenv("FAKE_ONCE", str(comparison.results) + ".once")
    text = comparison.run(limits=Limits(retries=1, patience=1.0, backoff=0.01))
    assert "it wrote nothing for 1 seconds and was stopped" in text
    assert "going on from iteration" in text and comparison.child() is None
    assert by_seed(comparison) == dict.fromkeys((0, 1), Comparison.expected())


@pytest.mark.parametrize(
    ("said", "next_time"),
    [
        ("OSError: [Errno 28] No space left on device", "going on from iteration"),
        ("it is not known why", "could not go on from iteration"),
    ],
)
def test_what_was_trained_is_not_given_up_for_a_fault_of_the_machine(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, said: str, next_time: str
) -> None:
    """It fails twice at the same checkpoint: only a checkpoint that may be at fault is left."""
    monkeypatch.setenv("FAKE_MODE", "steady-says")
    monkeypatch.setenv("FAKE_SAYS", said)
    assert "going on" not in comparison.run(limits=Limits(retries=0))
    assert "going on from iteration" in comparison.run(limits=Limits(retries=0))
    monkeypatch.setenv("FAKE_MODE", "steady")
    assert next_time in comparison.run()
    assert by_seed(comparison) == dict.fromkeys((0, 1), Comparison.expected())
