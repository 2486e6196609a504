"""`make status`: each state is told apart, and a run is held against finished ones of its kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import records, runs, status
from harness.errors import BadInput
from harness.process import Process, this_process
from harness.records import Status
from tests import made


def change(folder: Path, name: str, **update: object) -> None:
    path = folder / "runs" / name
    manifest = records.read_manifest(path)
    assert manifest is not None
    records.write_manifest(path, manifest.model_copy(update=update))


def row(folder: Path, name: str) -> status.Row:
    return next(row for row in status.rows(folder) if row.name == name)


def test_a_done_run(tmp_path: Path) -> None:
    made.run(tmp_path, "own", 40, 0)
    [found] = status.rows(tmp_path)
    assert (found.state, found.track) == ("done", "")
    reached, total = found.iteration.split("/")
    assert reached == total
    assert found.top1.endswith(f"at {total}")


def test_a_live_run_has_a_rate_and_time_left(tmp_path: Path) -> None:
    for seed in range(4):
        made.run(tmp_path, "own", 40, seed)
    name = "40-seed3-own"
    change(tmp_path, name, status=Status.RUNNING, worker=this_process())
    state = {"iteration": 250, "iterations": 1000, "seconds": 50.0, "mask": 0.5}
    attempt = runs.attempt_folder(tmp_path / "runs" / name, 1)
    (attempt / "progress.json").write_text(json.dumps(state))
    found = row(tmp_path, name)
    assert found.state == f"running ({this_process()})"
    assert (found.iteration, found.rate, found.left) == ("250/1000 (25%)", "5.0", "2m 30s")
    assert found.track.endswith("in 3 finished")


def test_a_run_whose_process_is_gone_is_not_running(tmp_path: Path) -> None:
    made.run(tmp_path, "own", 40, 0)
    gone = Process(pid=2**22 + 1, host=this_process().host)
    change(tmp_path, "40-seed0-own", status=Status.RUNNING, worker=gone)
    assert row(tmp_path, "40-seed0-own").state.startswith("stopped: its process is gone")


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    made.run(tmp_path, "torchssl", 40, 0)
    change(tmp_path, "40-seed0-torchssl", status=Status.FAILED, reason="exit code 1: out of luck")
    found = row(tmp_path, "40-seed0-torchssl")
    assert found.state == "failed: exit code 1: out of luck"
    assert found.track == "nothing to compare with"


@pytest.mark.parametrize(("shift", "place"), [(0.0, "on track"), (-60.0, "below"), (15.0, "above")])
def test_on_track_or_not(tmp_path: Path, shift: float, place: str) -> None:
    for seed in range(4):
        made.run(tmp_path, "own", 40, seed)
    made.run(tmp_path, "own", 40, 4, shift=shift)
    change(tmp_path, "40-seed4-own", status=Status.FAILED)
    assert row(tmp_path, "40-seed4-own").track.startswith(place)


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no runs in it; 'make compare' makes some"):
        status.rows(tmp_path)
