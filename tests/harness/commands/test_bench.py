"""bench: what is timed, what is written, and what is said where something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.commands.bench import asked
from harness.commands.bench import command as bench
from harness.commands.bench.asked import BenchQuestion
from harness.errors import BadInput, Incomplete
from harness.experiment import gpu, profile
from harness.experiment.data import read_dataset
from harness.implementations import registry
from harness.implementations.interface import Command, Request, Timing
from harness.implementations.own import Own
from harness.implementations.torchssl.implementation import TorchSSL
from harness.report import bench as bench_report
from tests.conftest import REPOSITORY
from tests.harness.commands.test_terminal import plain

SUBMODULE = Path(os.environ.get("TORCHSSL_DIR") or REPOSITORY / "third_party/torchssl")


def _measured(step: float, **more: Any) -> dict[str, Any]:
    return {
        "seconds_per_iteration": step,
        "seconds_per_evaluation": 0.5,
        "peak_host_bytes": 700 * 2**20,
        "peak_device_bytes": None,
        **more,
    }


def _result() -> dict[str, Any]:
    parts = {
        "augmentation": 0.001,
        "forward": 0.015,
        "backward": 0.03,
        "optimiser": 0.0005,
        "ema": 0.0005,
    }
    arithmetic = {"flops": 1.8e9, "matmul_flops_per_second": 72e9}
    ours = _measured(0.05, seconds_per_bare_iteration=0.045, parts=parts, arithmetic=arithmetic)
    return {
        "profile": "quick",
        "data": "mnist5k",
        "network": "WRN-10-1",
        "batch_size": 8,
        "mu": 2,
        "blocks": 3,
        "iterations": 100,
        "discarded": 20,
        "measured": "2026-01-02T03:04:05+00:00",
        "hardware": {"device": "cpu", "gpu": None, "cpu": "A CPU", "cores": 2, "threads": 2},
        "versions": {"python": "3.11.7", "torch": "2.14.1"},
        "own_commit": "abc",
        "torchssl_commit": "def",
        "contenders": [
            {"name": "own", "variant": "fp32", "median": ours},
            {"name": "torchssl", "variant": "fp32", "median": _measured(0.125)},
        ],
    }


def test_the_table_has_rates_ratios_and_projections() -> None:
    lines = bench_report.markdown(_result(), profile.load("quick")).splitlines()
    own, torchssl = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in lines
        if line.startswith(("| own", "| torchssl"))
    )
    # 24 images an iteration; 5,000 iterations and 22 evaluations are 261 and 636 seconds; 2^20
    # iterations and 4,406 evaluations (fewer past 80%, as TorchSSL) are 54,631 seconds.
    expected = ["own", "fp32", "50.0", "20.00", "480", "2.50", "4m 21s", "15h 10m", "2.44"]
    assert own == [*expected, "700 MiB", "-"]
    assert torchssl[2:6] == ["125.0", "8.00", "192", "1.00"]
    assert torchssl[8] == "1.00"


def test_the_full_schedule_is_projected_once() -> None:
    result = _result() | {"blocks": 1, "iterations": 3, "discarded": 1}
    text = bench_report.markdown(result, profile.load("cifar10"))
    assert text.count("1,048,576 iterations") == 1
    assert "| own | fp32 | 50.0 | 20.00 | 480 | 2.50 | 14h 36m | 2.49 | 700 MiB | - |" in text
    assert "Medians of 1 block of 3 iterations, block by block in turn, not counting 1 at" in text


def test_the_breakdown_is_against_the_bare_passes() -> None:
    text = bench_report.markdown(_result(), profile.load("quick"))
    assert "| augmentation | 1.00 | 0.022 |" in text
    assert "| an iteration | 50.00 | 1.111 |" in text
    assert "| bare forward + backward | 45.00 | 1.000 |" in text
    assert "on A CPU, 2 cores (A CPU), 2 threads; python 3.11.7, torch 2.14.1; own abc" in text


def test_the_floor_is_what_a_matrix_product_would_take() -> None:
    text = bench_report.markdown(_result(), profile.load("quick"))
    assert (
        "are 1.8 GFLOP: 40 GFLOP/s, 56% of the 72 GFLOP/s of a large matrix product here, "
        "at whose rate they would take 25.00 ms."
    ) in text


def test_another_algorithms_page_says_so_and_what_an_iteration_takes() -> None:
    result = _result() | {"algorithm": "mixmatch"}
    for contender in result["contenders"]:
        contender["name"] += "-mixmatch"
    text = bench_report.markdown(result, profile.load("quick").under("mixmatch"))
    assert text.startswith("# Speed of MixMatch, profile quick\n")
    # Both views of 16 images to guess, then 8 labelled ones and both views again in the losses.
    assert (
        "8 labelled and 16 unlabelled images an iteration, 72 through the network and 40 of them "
        "in the batch of the losses. Medians of 3 blocks"
    ) in text
    assert "| own-mixmatch | fp32 | 50.0 | 20.00 | 480 | 2.50 |" in text
    assert "\n## own-mixmatch, fp32\n" in text


def test_without_torchssl_there_is_no_ratio() -> None:
    result = _result()
    del result["contenders"][1]
    result["torchssl_commit"] = ""
    text = bench_report.markdown(result, profile.load("quick"))
    assert "| own | fp32 | 50.0 | 20.00 | 480 | - | 4m 21s | 15h 10m | - |" in text
    assert "TorchSSL not timed." in text


def _question(results: Path, data_dir: Path | None = None, **changes: Any) -> BenchQuestion:
    question = {
        "profile": "quick",
        "device": "cpu",
        "variants": (),
        "blocks": 3,
        "iterations": 1,
        "discard": 1,
        "results": results,
        "data_dir": data_dir,
    }
    return BenchQuestion(**(question | changes))


@pytest.fixture
def no_torchssl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHSSL_DIR", str(tmp_path / "nowhere"))


def says(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Our benchmark's child runs this Python code instead."""
    command = Command((sys.executable, "-c", code), {})
    monkeypatch.setattr(Own, "benchmark_command", lambda *_: command)


COUNTS = """
import json, pathlib, sys
assert pathlib.Path("data/cifar-10-batches-py").is_dir() and pathlib.Path("labelled.npy").exists()
count = pathlib.Path({counter!r})
n = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(n))
parts = dict.fromkeys(("augmentation", "forward", "backward", "optimiser", "ema"), n / 10)
arithmetic = {{"flops": 1e9, "matmul_flops_per_second": n * 1e9}}
print("a warning that a library prints")
pathlib.Path("times.json").write_text(json.dumps({{"seconds_per_iteration": n,
    "seconds_per_evaluation": 1.0, "parts": parts,
    "arithmetic": arithmetic, "seconds_per_bare_iteration": 0.5, "peak_host_bytes": 1,
    "peak_device_bytes": None, "device": "cpu", "threads": 1, "torch_version": "0"}}))
"""


@pytest.mark.usefixtures("no_torchssl")
def test_the_median_of_the_blocks_counts_and_torchssl_may_be_missing(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, COUNTS.format(counter=str(tmp_path / "count")))
    terminal, out = plain()
    with pytest.raises(Incomplete, match=r"torchssl: no fixmatch\.py in TORCHSSL_DIR="):
        bench.run(_question(tmp_path / "results", data_dir), terminal)
    result = json.loads((tmp_path / "results/quick/bench.json").read_text())
    assert result["schema"] == 2
    (own,) = result["contenders"]
    assert own["variant"] == "fp32"
    assert [block["seconds_per_iteration"] for block in own["blocks"]] == [1, 2, 3]
    assert own["median"]["seconds_per_iteration"] == 2
    assert own["median"]["parts"]["forward"] == 0.2
    assert own["median"]["peak_device_bytes"] is None
    assert result["hardware"]["cores"] == os.cpu_count() and result["hardware"]["cpu"]
    written = (tmp_path / "results/quick/bench.md").read_text()
    assert written in out.getvalue()
    assert "block 3/3, own fp32: 0.33 iterations/s" in out.getvalue()


@pytest.mark.usefixtures("no_torchssl")
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('own_impl: it broke')", "exit code 1: own_impl: it broke"),
        ("print('nothing of use')", r"own_impl\.answers\.bench left no result"),
    ],
)
def test_a_child_that_fails_is_told_and_nothing_is_written(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    says(monkeypatch, code)
    with pytest.raises(Incomplete, match=f"nothing could be timed: .*block 1/1, .*{reason}"):
        bench.run(_question(tmp_path / "results", data_dir, blocks=1), plain()[0])
    assert not (tmp_path / "results").exists()


def test_on_a_gpu_what_could_be_timed_is_written_though_ours_failed(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference's blocks name the GPU too."""
    monkeypatch.setattr(bench, "chosen_device", lambda _: "cuda")
    says(monkeypatch, "import sys; sys.exit('own_impl: out of memory')")
    times = {"times": [0.0, 1.0, 3.0, 5.0], "evaluations": [9.0, 0.25], "device": "Some GPU"}
    more = {"peak_host_bytes": 1, "peak_device_bytes": 1, "threads": 1, "torch_version": "0"}
    code = f"import pathlib; pathlib.Path('times.json').write_text({json.dumps(times | more)!r})"
    monkeypatch.setattr(
        TorchSSL, "benchmark_command", lambda *_: Command((sys.executable, "-c", code))
    )
    monkeypatch.setattr(TorchSSL, "unavailable", lambda _: None)
    with pytest.raises(Incomplete, match=r"not all could be timed: .*own_impl: out of memory"):
        bench.run(_question(tmp_path, data_dir, variants=("fp32",), blocks=1), plain()[0])
    result = json.loads((tmp_path / "quick/bench.json").read_text())
    assert result["hardware"]["gpu"] == "Some GPU"
    [theirs] = result["contenders"]
    # The first difference of the updates' times is discarded.
    assert theirs["median"]["seconds_per_iteration"] == 2.0
    assert theirs["median"]["seconds_per_evaluation"] == 0.25


def test_what_is_timed_on_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ours at each precision, compiled too; TorchSSL with loaders for the cores, and as shipped."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(gpu, "count", lambda: 1)
    question = _question(tmp_path, variants=("bf16+compile+contiguous",))
    [ours] = asked._ours(question, "cuda")
    assert ours.timing == Timing(1, 1, "bf16", True, "contiguous")
    theirs = asked._reference(question, registry.create("torchssl"), "cuda")
    assert [(str(one), one.timing.workers) for one in theirs] == [
        ("torchssl fp32, tf32 convolutions, loaders x3", 3),
        ("torchssl fp32, tf32 convolutions, loaders x1", 1),
    ]
    assert [str(one) for one in asked._reference(question, registry.create("torchssl"), "cpu")] == [
        "torchssl fp32"
    ]
    assert {"tf32+compile", "bf16+compile"} < {*asked.DEFAULT_VARIANTS["cuda"]}


def test_torchssl_evaluates_after_all_that_is_timed(data_dir: Path, tmp_path: Path) -> None:
    """In mid-block its loaders would catch up while it does."""
    request = Request(profile.load("quick"), read_dataset(data_dir), 40, 0, "cpu")
    command = registry.create("torchssl").benchmark_command(request, tmp_path, Timing(20, 100))
    assert command is not None
    given = yaml.safe_load(command.files["config.yaml"])
    assert given["num_eval_iter"] > given["num_train_iter"] == 121


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ("fp8",)}, "VARIANTS fp8: unknown; use fp32, tf32, bf16"),
        (
            {"variants": ("fp32+fast",)},
            r"VARIANTS fp32\+fast: unknown; use fp32, .* \+contiguous or",
        ),
        ({"variants": ("bf16+contiguous+channels_last",)}, r"VARIANTS bf16\+contig.*: unknown"),
        ({"device": "tpu"}, "DEVICE tpu: unknown; use auto, cpu or cuda"),
        ({"device": "cuda"}, "DEVICE cuda: torch finds no CUDA device here; use DEVICE=cpu"),
        ({"profile": "fast"}, "PROFILE fast: unknown"),
        ({"algorithm": "uda"}, "ALGORITHM uda: unknown; use fixmatch, mixmatch, flexmatch"),
    ],
)
def test_bad_input_is_told_before_anything_is_timed(
    tmp_path: Path, data_dir: Path, changes: dict[str, Any], message: str
) -> None:
    import torch

    if changes.get("device") == "cuda" and torch.cuda.is_available():
        message = "VARIANTS x: unknown"
        changes = {**changes, "variants": ("x",)}
    with pytest.raises(BadInput, match=message):
        bench.run(_question(tmp_path, data_dir, **changes), plain()[0])


@pytest.mark.usefixtures("no_torchssl")
def test_mixmatch_is_timed_beside_fixmatch_and_on_its_own_terms(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request] = []
    say = Command((sys.executable, "-c", COUNTS.format(counter=str(tmp_path / "count"))), {})

    def command(_side: Own, request: Request, *_: Any) -> Command:
        asked.append(request)
        return say

    monkeypatch.setattr(Own, "benchmark_command", command)
    for algorithm in ("fixmatch", "mixmatch"):
        question = _question(tmp_path / "results", data_dir, blocks=1, algorithm=algorithm)
        with pytest.raises(Incomplete, match="torchssl"):
            bench.run(question, plain()[0])
    folder = tmp_path / "results/quick"
    assert sorted(path.name for path in folder.iterdir()) == [
        "bench-mixmatch.json", "bench-mixmatch.md", "bench.json", "bench.md",
    ]  # fmt: skip
    first, second = (json.loads((folder / f"bench{w}.json").read_text()) for w in ("", "-mixmatch"))
    assert "algorithm" not in first and second["algorithm"] == "mixmatch"
    assert [c["name"] for c in first["contenders"]] == ["own"]
    assert [c["name"] for c in second["contenders"]] == ["own-mixmatch"]
    assert asked[1].hyper_parameters["alpha"] == 0.5 and "alpha" not in asked[0].hyper_parameters


def _command(data_dir: Path, results: Path, *more: str) -> list[str]:
    options = ["--profile", "quick", "--device", "cpu", "--blocks", "1", "--iterations", "4"]
    paths = ["--discard", "2", "--data-dir", str(data_dir), "--results", str(results)]
    return [sys.executable, "-m", "harness", "bench", *options, *paths, *more]


def test_ours_is_timed_for_real(tmp_path: Path, data_dir: Path) -> None:
    environment = os.environ | {"TORCHSSL_DIR": "nowhere"}
    done = subprocess.run(
        _command(data_dir, tmp_path),
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr.startswith("error: not all could be timed: torchssl: no fixmatch.py")
    text = (tmp_path / "quick/bench.md").read_text()
    assert text.count("| own | fp32 |") == 1
    for part in bench_report.PARTS:
        assert f"| {part} |" in text
    assert str(tmp_path) not in (tmp_path / "quick/bench.json").read_text()


@pytest.mark.torchssl
@pytest.mark.skipif(
    not (SUBMODULE / "fixmatch.py").exists(), reason="the submodule TorchSSL could not be had"
)
@pytest.mark.parametrize(
    ("more", "file", "names"),
    [
        ((), "bench", ["own", "torchssl"]),
        (
            ("--algorithm", "mixmatch"),
            "bench-mixmatch",
            ["own-mixmatch", "torchssl-mixmatch"],
        ),
    ],
)
def test_both_are_timed_for_real(
    tmp_path: Path, data_dir: Path, more: tuple[str, ...], file: str, names: list[str]
) -> None:
    done = subprocess.run(
        _command(data_dir, tmp_path, *more), cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / f"quick/{file}.json").read_text())
    assert [c["name"] for c in result["contenders"]] == names
    for contender in result["contenders"]:
        assert contender["median"]["seconds_per_iteration"] > 0
        assert contender["median"]["seconds_per_evaluation"] >= 0
        assert contender["median"]["peak_host_bytes"] > 100 * 2**20
        assert contender["blocks"][0]["torch_version"] == result["versions"]["torch"]
    assert result["torchssl_commit"].startswith("f26e1d4")
