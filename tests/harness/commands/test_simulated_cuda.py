"""A whole comparison on GPUs that are simulated: both sides' own CUDA code, from data to table."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from harness.commands import compare as _  # noqa: F401  # loaded before the device is there
from harness.experiment import gpu
from tests.conftest import REPOSITORY, write_small_data
from tests.faults.comparison import NAME, Comparison
from tests.simulated_cuda import here, processes

SUBMODULE = REPOSITORY / "third_party" / "torchssl"

if torch.cuda.is_available():
    pytest.skip("there is a real GPU here", allow_module_level=True)


@pytest.fixture(scope="module")
def compared(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Both sides at once, each on a GPU of two."""
    if not (SUBMODULE / "fixmatch.py").exists():
        pytest.skip("the submodule TorchSSL could not be had")
    place = tmp_path_factory.mktemp("two gpus")
    write_small_data(place / "data")
    words = ["compare", "--profile", "quick", "--iterations", "8", "--jobs", "2"]
    words += ["--data-dir", str(place / "data"), "--results", str(place / "results")]
    environment = processes.environment(place, gpus=2) | {"OMP_NUM_THREADS": "1"}
    for name in ("TORCHSSL_DIR", "COVERAGE_PROCESS_CONFIG"):  # the flow on a CPU is measured
        environment.pop(name, None)
    command = [processes.python(place), "-m", "harness", *words]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    return done, place


@pytest.mark.torchssl
@pytest.mark.timeout(1800)
class TestBothSides:
    """TorchSSL runs its own CUDA calls here: no shim puts them on the CPU."""

    def test_they_are_done_and_judged(
        self, compared: tuple[subprocess.CompletedProcess[str], Path]
    ) -> None:
        done, place = compared
        assert done.returncode == 0, done.stdout + done.stderr
        table = pd.read_csv(place / "results/quick/table.csv")
        assert table["status"].tolist() == ["done", "done"]
        assert table["precision"].tolist() == ["tf32", "tf32"]
        for name in ("own", "torchssl"):
            manifest = self.manifest(place, name)
            assert manifest["judged_top1"] is not None and manifest["judged_close"] is not None
            assert manifest["facts"]["device"] == "Simulated GPU"
        assert self.manifest(place, "torchssl")["facts"]["shims"] == ["data-sums"]
        assert self.manifest(place, "torchssl")["facts"]["loader_workers"] >= 4

    def test_each_says_in_what_torch_convolved(
        self, compared: tuple[subprocess.CompletedProcess[str], Path]
    ) -> None:
        runs = compared[1] / "results/quick/runs"
        facts = json.loads((runs / "40-seed0-torchssl/attempt-1/facts.json").read_text())
        log = (runs / "40-seed0-own/attempt-1/metrics.jsonl").read_text()
        start = json.loads(log.splitlines()[0])
        assert facts["resolved"]["precision"] == start["resolved"]["precision"] == "tf32"

    def test_each_has_a_gpu_and_who_watches_has_none(
        self, compared: tuple[subprocess.CompletedProcess[str], Path]
    ) -> None:
        place = compared[1]
        own = processes.seen(place, "own_impl")
        trained = [
            one for one in own if "--eval-at" in one["argv"] and "declare" not in one["argv"]
        ]
        theirs = [one for one in processes.seen(place, "train") if "--stop" not in one["argv"]]
        used = {gpu for one in (*trained, *theirs) for gpu in one["gpus"]}
        assert len(trained) == len(theirs) == 1 and used == {0, 1}
        [watcher] = [one for one in processes.seen(place, "compare") if "harness" in one["argv"]]
        assert not watcher["used"]

    @staticmethod
    def manifest(place: Path, name: str) -> dict[str, object]:
        path = place / f"results/quick/runs/40-seed0-{name}/manifest.json"
        content: dict[str, object] = json.loads(path.read_text())
        return content


ONE_ARITHMETIC = {
    "OMP_NUM_THREADS": "1",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}


@pytest.mark.torchssl
@pytest.mark.timeout(1800)
def test_mixmatchs_ladder_holds_on_the_device(tmp_path: Path) -> None:
    """FixMatch's is a part of gpu-check."""
    if not (SUBMODULE / "mixmatch.py").exists():
        pytest.skip("the submodule TorchSSL could not be had")
    # On digits: noise of a few images brings float32 to the kink of an activation within 20 steps.
    # In one order of summation on every processor, for the same reason.
    words = ["parity", "--profile", "quick", "--algorithm", "mixmatch", "--device", "cuda"]
    words += ["--results", str(tmp_path / "results")]
    environment = processes.environment(tmp_path) | ONE_ARITHMETIC
    for name in ("TORCHSSL_DIR", "COVERAGE_PROCESS_CONFIG"):
        environment.pop(name, None)
    command = [processes.python(tmp_path), "-m", "harness", *words]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ladder = json.loads((tmp_path / "results/quick/parity-mixmatch-cuda.json").read_text())
    assert [rung["blocked"] for rung in ladder["rungs"]] == [""] * 8


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One GPU, for this process; its children are stand-ins and need none."""
    monkeypatch.setattr(gpu, "name", lambda: "Simulated GPU")
    with here.devices():
        yield


@pytest.mark.usefixtures("fake", "gpus")
def test_two_jobs_on_one_gpu_share_it_and_that_is_said(tmp_path: Path, data_dir: Path) -> None:
    comparison = Comparison(tmp_path / "results", data_dir, jobs=2, seeds=[0, 1])
    text = comparison.run()
    assert "Notice: JOBS 2: 1 GPU is here, which runs share; their times say little" in text
    assert comparison.table()["status"].tolist() == ["done", "done"]
    assert comparison.manifest()["facts"]["device"] == "Simulated GPU"
    assert "Nothing to do: all 2 runs are done." in comparison.run()


@pytest.mark.usefixtures("fake", "gpus")
def test_what_was_stopped_goes_on(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-crash")
    monkeypatch.setenv("FAKE_ONCE", str(tmp_path / "once"))
    comparison = Comparison(tmp_path / "results", data_dir)
    assert f"{NAME}: going on from iteration" in comparison.run()
    assert comparison.table()["status"].tolist() == ["done"]
    assert os.environ["SIMULATED_GPUS"] == "1"
