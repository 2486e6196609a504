"""EXECUTOR=slurm against a real Slurm of one node: requeued, killed, and nothing is lost."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from harness.commands import status as status_command
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput
from harness.experiment import profile
from harness.experiment.settings_file import CONFIGS
from harness.runs.execution import slurm
from tests.faults import one_node_slurm
from tests.faults.comparison import NAME, Comparison, kill, wait_for
from tests.simulated_cuda import processes

REASON = one_node_slurm.impossible()
on_slurm = pytest.mark.skipif(bool(REASON), reason=REASON)
ASKED: dict[str, Any] = {"schema": 1, "gpus": 0, "cpus": 1, "memory_gb": None, "minutes": 5}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with one_node_slurm.running(tmp_path / "slurm") as conf:
        monkeypatch.setenv("SLURM_CONF", str(conf))
        yield


def shown(comparison: Comparison) -> str:
    out = io.StringIO()
    status_command.show(
        comparison.results, ["quick"], [], Terminal(Console(file=out, soft_wrap=True))
    )
    return out.getvalue()


def start_at_once(folder: Path, name: str) -> None:
    """Spare the minutes that Slurm keeps a requeued job waiting."""

    def waits() -> bool:
        return slurm.queue(folder)[name].state == "PENDING"

    wait_for(waits)
    job = slurm.queue(folder)[name].job
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)


@on_slurm
@pytest.mark.usefixtures("fake", "cluster")
def test_requeued_and_left_alone_the_runs_are_done(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady")
    monkeypatch.setenv("FAKE_PAUSE", "0.5")
    settings = slurm.Settings(**ASKED)
    comparison = Comparison(tmp_path / "results of a cluster", data_dir, slurm=settings)
    jobs = comparison.folder / ".slurm/jobs.json"
    checkpoint = comparison.run_folder / "attempt-1/checkpoint.pt"
    with comparison.running(seeds=[0, 1, 2]) as process:
        wait_for(jobs.exists)
        wait_for(lambda: "PENDING" in shown(comparison))  # three runs, two cores
        wait_for(checkpoint.exists)
        live = shown(comparison)
        process.kill()  # the submitter is not needed
        process.join()
    assert re.search(rf"{NAME} +running \(process \d+ on \S+\), job \d+_0 RUNNING", live)
    [job] = [job for job, name in json.loads(jobs.read_text()).items() if name == NAME]
    subprocess.run(["scontrol", "requeue", job], check=True)

    with comparison.running(seeds=[0, 1, 2]) as process:
        wait_for(lambda: "since an earlier comparison" in comparison.output)
        start_at_once(comparison.folder, NAME)
        process.join(120)
        assert process.exitcode == 0, comparison.output

    assert f"{NAME}: job {job}" in comparison.output and "Submitted" not in comparison.output
    assert comparison.table()["status"].tolist() == ["done"] * 3
    assert sorted(comparison.numbers()) == sorted(3 * comparison.expected())
    first, *others = [start["resumed_at"] for start in comparison.manifest()["starts"]]
    assert first is None and others and None not in others
    assert "going on from iteration" in Path(slurm.output(comparison.folder, NAME)).read_text()


@on_slurm
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("fake", "cluster")
def test_a_gpu_that_only_the_node_has(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs it is done in the job: the rungs before training, the training, the judge."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    python = processes.python(tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    log = tmp_path / "processes"
    log.mkdir()
    on_the_node = {"SIMULATED_GPUS": 1, "SIMULATED_PYTHON": python, "SIMULATED_CUDA_LOG": log}
    exports = tuple(f"export {name}='{value}'" for name, value in on_the_node.items())
    settings = slurm.Settings(**(ASKED | {"gpus": 1, "setup": exports}))
    assert not torch.cuda.is_available()
    comparison = Comparison(
        tmp_path / "results", data_dir, slurm=settings, implementations=["own"], iterations=8
    )
    text = comparison.run()
    assert "error" not in text, text + _outputs(comparison)
    manifest = comparison.manifest("40-seed0-own")
    assert manifest["status"] == "done" and manifest["judged_top1"] is not None
    assert manifest["facts"]["device"] == "Simulated GPU"
    assert manifest["settings"]["precision"] == "tf32"
    verbs = (" declare ", "own_impl.answers.judge", "-m own_impl ")
    told = [" ".join(one["argv"]) for one in processes.seen(tmp_path) if one["used"]]
    assert all(any(verb in words for words in told) for verb in verbs), told
    assert "checking that both sides start alike" in _outputs(comparison)


def _outputs(comparison: Comparison) -> str:
    return "".join(path.read_text() for path in (comparison.folder / ".slurm").glob("*.out"))


def test_auto_is_of_the_node_too() -> None:
    if not torch.cuda.is_available():
        name, why = profile.resolve_auto("auto", "cuda")
        assert (name, why) == ("cifar10", "for GPUs that are not of this machine")


@on_slurm
@pytest.mark.usefixtures("fake", "cluster")
def test_at_the_time_limit_and_when_cancelled(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady")
    monkeypatch.setenv("FAKE_PAUSE", "0.5")
    comparison = Comparison(tmp_path / "results", data_dir, slurm=slurm.Settings(**ASKED))
    checkpoint = comparison.run_folder / "attempt-1/checkpoint.pt"
    with comparison.running() as process:
        wait_for(checkpoint.exists)
        [job] = json.loads((comparison.folder / ".slurm/jobs.json").read_text())
        # What Slurm sends before the limit, or before it pre-empts: submitit then requeues.
        subprocess.run(["scancel", "--signal=USR2", job], check=True)
        start_at_once(comparison.folder, NAME)
        wait_for(lambda: len(comparison.manifest()["starts"]) > 1)
        time.sleep(1)
        subprocess.run(["scancel", job], check=True)
        process.join(60)
        assert process.exitcode == 3
    assert comparison.manifest()["reason"].startswith("interrupted")
    assert comparison.manifest()["status"] == "failed" and comparison.numbers() == []

    monkeypatch.setenv("FAKE_PAUSE", "0.02")
    assert "Submitted 1 runs" in comparison.run()
    assert comparison.table()["status"].tolist() == ["done"]
    first, *others = [start["resumed_at"] for start in comparison.manifest()["starts"]]
    assert first is None and None not in others and len(others) >= 2


@on_slurm
@pytest.mark.usefixtures("fake", "cluster")
def test_a_job_that_is_killed_leaves_a_run_that_failed(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-hang")
    comparison = Comparison(tmp_path / "results", data_dir, slurm=slurm.Settings(**ASKED))
    with comparison.running() as process:
        wait_for((comparison.run_folder / "attempt-1/checkpoint.pt").exists)
        kill(comparison.manifest()["worker"]["pid"])
        process.join(60)
        assert process.exitcode == 3
    assert "its job ended before it did" in comparison.manifest()["reason"]
    assert "job" in comparison.manifest()["reason"] and comparison.numbers() == []


@pytest.mark.usefixtures("fake")
def test_without_slurm_the_message_says_so(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison(tmp_path / "results", data_dir, slurm=slurm.Settings(**ASKED))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert re.search("error 2: EXECUTOR slurm: no job could be submitted", comparison.run())


def test_the_settings_that_ship_are_read_and_wrong_ones_are_named(tmp_path: Path) -> None:
    assert slurm.read_settings(CONFIGS / "slurm.yaml").gpus == 1
    wrong = tmp_path / "slurm.yaml"
    wrong.write_text((CONFIGS / "slurm.yaml").read_text().replace("gpus:", "gpu:"))
    with pytest.raises(BadInput, match=r"slurm\.yaml: gpu: "):
        slurm.read_settings(wrong)
    with pytest.raises(BadInput, match=r"cannot be read .*see configs/slurm\.yaml"):
        slurm.read_settings(tmp_path / "gone.yaml")
