"""`make status`: each run as its files tell it, live or not, and against finished runs."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis import published, status
from harness.analysis.status import State, on_track
from harness.commands import cli
from harness.commands import status as status_command
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput
from harness.experiment import study as definition
from harness.implementations.reported import Point
from harness.report.status import rows
from harness.runs.execution import lock as hold
from harness.runs.manifest import Manifest, Start, Status, read_manifest, write_manifest
from tests.faults.comparison import NAME, Comparison, wait_for
from tests.helpers import made, studied


def shown(results: Path) -> str:
    out = io.StringIO()
    status_command.show(results, ["quick"], [], Terminal(Console(file=out, soft_wrap=True)))
    return out.getvalue()


def state(top1: list[float], seed: int = 0, done: bool = True, labels: int = 40) -> State:
    manifest = Manifest(
        implementation="own",
        labels=labels,
        seed=seed,
        settings={"iterations": 100},
        status=Status.DONE if done else Status.RUNNING,
    )
    points = [Point(iteration=10 * n + 1, top1=value) for n, value in enumerate(top1)]
    return State(f"{labels}-seed{seed}-own", manifest, "", None, points)


@pytest.mark.usefixtures("fake")
def test_while_it_runs_when_it_was_killed_and_when_it_is_done(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-hang")
    comparison = Comparison(tmp_path / "results", data_dir)
    with comparison.running(seeds=[0, 1]) as process:
        wait_for((comparison.run_folder / "attempt-1/checkpoint.pt").exists)
        live = shown(comparison.results)
        process.kill()
        process.join()
    assert re.search(r"run by process \d+ on \S+", live)
    assert re.search(rf"{NAME} +running \(process \d+ on \S+\) +\d+/60 +10.0 +\d+s", live)
    assert "nothing to compare with" in live and live.endswith("1 running\n")

    dead = shown(comparison.results)
    assert "run by" not in dead
    assert "stopped: its process is gone; 'make compare' goes on with it" in dead
    assert dead.endswith("1 stopped; 'make compare' goes on with it\n")

    monkeypatch.setenv("FAKE_MODE", "steady")
    comparison.run()
    done = shown(comparison.results)
    assert re.search(rf"{NAME} +done +60/60 +50.00 at 60", done)
    assert done.endswith("\n1 done\n")


@pytest.mark.usefixtures("fake")
def test_a_failed_run_says_why(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "says")
    monkeypatch.setenv("FAKE_SAYS", "No space left on device")
    comparison = Comparison(tmp_path / "results", data_dir)
    comparison.run()
    assert "failed: exit code 1: No space left on device; free some space" in shown(
        comparison.results
    )


def test_a_study_shows_its_variants_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    studied.define(monkeypatch, tmp_path / "studies")
    results = tmp_path / "results"
    folder = studied.make(definition.place(results, "trial"), definition.load("trial"))
    [stopped] = folder.glob("runs/b08/250-seed2-*/manifest.json")
    content = json.loads(stopped.read_text())
    content |= {"status": "running", "worker": None}
    stopped.write_text(json.dumps(content))

    for options in (["--study", "trial"], []):
        cli.app(["status", "--results", str(results), *options], standalone_mode=False)
        text = capsys.readouterr().out
        assert re.search(r"b16/250-seed1-own +done +500/500", text)
        assert "hot/250-seed0-own" in text and "training diverged" in text
        assert "'make study NAME=trial' goes on with it" in text
        assert "make compare" not in text


def test_a_study_without_runs_says_what_makes_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studied.define(monkeypatch, tmp_path / "studies")
    with pytest.raises(BadInput, match=r"no runs in it; 'make study NAME=trial' makes some"):
        cli.app(["status", "--results", str(tmp_path), "--study", "trial"], standalone_mode=False)


def test_a_folder_without_runs_says_what_makes_some(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no runs in it; 'make compare' makes some"):
        shown(tmp_path)


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        (52.0, "yes: 3 finished runs had 50.00 ± 2.00 there"),
        (46.1, "yes: "), (45.9, "below: "), (53.9, "yes: "), (54.1, "above: "),
    ],
)  # fmt: skip
def test_on_track_against_finished_runs_at_the_same_iteration(last: float, verdict: str) -> None:
    finished = [state([10, top1, 99], seed) for seed, top1 in enumerate((48.0, 50.0, 52.0), 1)]
    others = [state([10, 90], 4, labels=250), state([10, 90], 5, done=False)]
    now = state([10, last], done=False)
    assert on_track(now, [now, *finished, *others]).startswith(verdict)


@pytest.mark.parametrize(("last", "verdict"), [(20.0, "yes: "), (19.0, "below: ")])
def test_on_track_is_what_a_finished_run_did_however_rare(last: float, verdict: str) -> None:
    # mean 47.3, SD 9.05: the run that had 20 is three deviations below and yet was finished
    finished = [state([10, top1], seed) for seed, top1 in enumerate([50.0] * 10 + [20.0], 1)]
    assert on_track(state([10, last], done=False), finished).startswith(verdict)


def test_on_track_with_little_to_go_by() -> None:
    now = state([10, 47.5], done=False)
    assert on_track(now, [now]) == "nothing to compare with"
    assert on_track(now, [now, state([10, 50.0], 1)]) == "-2.50 against the one finished run"
    assert on_track(state([], done=False), []) == ""


def test_a_run_in_progress_stands_beside_a_published_curve() -> None:
    curve = published.Curve(
        source="a log", short="log", labels=40, iterations_per_epoch=10, points={1: 60.0}
    )
    cited = published.load().model_copy(update={"curves": (curve,)})
    now = state([10, 47.5], done=False)
    now = replace(now, manifest=now.manifest.model_copy(update={"settings": {"data": "cifar10"}}))
    [row] = rows([now], {}, cited)
    assert row[-1] == "nothing to compare with; published: 60.00 at epoch 1 (log)"


def test_a_run_of_another_machine_is_judged_by_its_heartbeat(tmp_path: Path) -> None:
    worker = {"pid": 1, "host": "elsewhere", "born": "x"}
    manifest = Manifest(
        implementation="own",
        labels=40,
        seed=0,
        settings={"iterations": 100},
        status=Status.RUNNING,
        starts=(Start(attempt=1, started=""),),
        worker=worker,  # type: ignore[arg-type]
        heartbeat="2020-01-01T00:00:00+00:00",
    )
    folder = tmp_path / "quick/runs/40-seed0-own"
    write_manifest(folder, manifest)
    assert re.search(r"running on elsewhere, but not heard of for \d+d", shown(tmp_path))
    write_manifest(folder, manifest.model_copy(update={"heartbeat": ""}))
    assert "running (process 1 on elsewhere)" in shown(tmp_path)


def test_what_the_table_would_not_count_is_not_shown_as_done(tmp_path: Path) -> None:
    folder = made.results(tmp_path / "quick", seeds=(0, 1, 2), judged=False)
    strayed = folder / "runs/40-seed2-own"
    manifest = read_manifest(strayed)
    assert manifest is not None and manifest.facts is not None
    facts = manifest.facts.model_copy(update={"split_sha256": "0" * 64})
    write_manifest(strayed, manifest.model_copy(update={"facts": facts}))
    (folder / "runs/40-seed1-torchssl/attempt-1/torchssl/log.txt").unlink()
    made.run(folder, "own", 40, 3, judged=False, status=Status.RUNNING)
    made.run(folder, "own", 250, 0, judged=False, status=Status.UNAVAILABLE, reason="not here")

    states = {state.name: state for state in status.read(folder)}
    told = {name: found.state for name, found in states.items()}
    assert list(told) == sorted(told, key=lambda name: (int(name.split("-")[0]), name))
    assert told["40-seed0-own"] == "done"
    rung = "incomparable: rung 2, same labelled images: it used 000000000000, asked for was 0040"
    assert told["40-seed2-own"].startswith(rung)
    assert told["40-seed1-torchssl"].startswith("done, but its log cannot be read: ")
    assert told["40-seed3-torchssl"] == told["250-seed0-torchssl"] == "missing"
    assert told["250-seed0-own"] == "unavailable: not here"
    assert "2 finished runs had" in on_track(states["40-seed3-own"], list(states.values()))
    assert on_track(states["40-seed2-own"], list(states.values())) == ""
    last = "5 done, 1 incomparable, 1 stopped, 2 missing, 1 unavailable; 'make compare' goes on"
    assert last in shown(tmp_path).splitlines()[-1]


def test_it_reads_a_folder_that_is_held_and_changes_nothing_in_it(tmp_path: Path) -> None:
    folder = made.results(tmp_path / "quick", judged=False)
    with hold.only_one(folder):
        before = {path: path.lstat() for path in tmp_path.rglob("*")}
        assert "run by process" in shown(tmp_path)
        after = {path: path.lstat() for path in tmp_path.rglob("*")}
    assert {p: (s.st_mtime_ns, s.st_size) for p, s in before.items()} == {
        p: (s.st_mtime_ns, s.st_size) for p, s in after.items()
    }
