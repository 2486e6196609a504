"""The fault table: one test a fault, each caused for real, with the stand-in as the child.

In each: finished work is kept, no wrong number is in a table, the message says what to do.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import subprocess
import time
from pathlib import Path

import pytest

from harness.experiment import data
from harness.report.figures import curves as figure
from harness.runs.attempt import Limits
from tests.faults.comparison import NAME, Comparison, Numbers, kill, wait_for
from tests.faults.disk import small_disk

pytestmark = pytest.mark.usefixtures("fake")


@pytest.fixture
def comparison(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Nothing is drawn after a fault: that takes most of the time and shows the tables' numbers."""
    monkeypatch.setattr(figure, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setenv("FAKE_MODE", "steady")
    return Comparison(tmp_path / "results", data_dir)


@pytest.fixture(scope="module")
def expected() -> Numbers:
    return Comparison.expected()


def stop_half_way(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a run that was killed in its second half, with a checkpoint."""
    monkeypatch.setenv("FAKE_MODE", "steady-killed")
    text = comparison.run(limits=Limits(retries=0))
    assert "killed by SIGKILL" in text
    monkeypatch.setenv("FAKE_MODE", "steady")
    assert (comparison.run_folder / "attempt-1/checkpoint.pt").exists()


@pytest.mark.parametrize("seed", range(21))
def test_sigkill_at_a_random_moment(comparison: Comparison, expected: Numbers, seed: int) -> None:
    """Of the child, of the harness, or of both; the same command then ends as if it were not so."""
    rng = random.Random(seed)
    victims = ("child", "harness", "both")[seed % 3]
    with comparison.running() as process:
        if rng.random() < 0.8:
            wait_for(lambda: comparison.child() or not process.is_alive())
        time.sleep(rng.uniform(0, 0.6))
        child = comparison.child()
        if victims != "child":
            process.kill()
        if victims != "harness":
            kill(child)
        process.join(None if victims == "child" else 10)
        wait_for(lambda: comparison.child() is None, 5)  # the child dies with the harness
    comparison.run()
    assert comparison.numbers() == expected
    assert comparison.table()["status"].tolist() == ["done"]
    assert comparison.manifest()["worker"] is None


@pytest.mark.parametrize("content", [b"", b"4", b"\x00\xff" * 999])
def test_a_damaged_checkpoint(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers, content: bytes
) -> None:
    stop_half_way(comparison, monkeypatch)
    checkpoint = comparison.run_folder / "attempt-1/checkpoint.pt"
    log = (comparison.run_folder / "attempt-1/metrics.jsonl").read_bytes()
    checkpoint.write_bytes(content)
    text = comparison.run()
    if content == b"4":  # a whole one, of long ago
        assert "going on from iteration 4" in text
    else:
        assert "checkpoint.pt is damaged" in text and "training it anew" in text
        assert (comparison.run_folder / "attempt-1/metrics.jsonl").read_bytes() == log
    assert comparison.numbers() == expected


def test_a_log_that_was_truncated(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers
) -> None:
    stop_half_way(comparison, monkeypatch)
    log = comparison.run_folder / "attempt-1/metrics.jsonl"
    log.write_bytes(log.read_bytes()[:700])
    text = comparison.run()
    assert "its log has lost the evaluation at" in text and "training it anew" in text
    assert comparison.numbers() == expected


def test_a_log_cut_in_its_last_line(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers
) -> None:
    stop_half_way(comparison, monkeypatch)
    log = comparison.run_folder / "attempt-1/metrics.jsonl"
    with log.open("a") as file:
        file.write('{"kind": "evalua')
    assert "going on from iteration" in comparison.run()
    assert comparison.numbers() == expected


def test_a_log_with_binary_noise(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers
) -> None:
    stop_half_way(comparison, monkeypatch)
    log = comparison.run_folder / "attempt-1/metrics.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[2] = bytes(range(256)) + lines[2][10:]
    log.write_bytes(b"".join(lines))
    assert "training it anew" in comparison.run()
    assert comparison.numbers() == expected


def test_noise_in_the_log_of_a_finished_run_is_no_number(comparison: Comparison) -> None:
    comparison.run()
    before = comparison.files()
    log = comparison.run_folder / "attempt-1/metrics.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0], b"\x00\xff" * 30 + b"\n", *lines[2:]]))
    text = comparison.run()
    assert re.search(r"error 2: .*metrics\.jsonl:2: .*restore the line", text)
    assert comparison.files() == before


def test_a_disk_that_fills_half_way(comparison: Comparison, expected: Numbers) -> None:
    with small_disk(comparison.results, 48):
        balloon = comparison.results / "balloon"
        with comparison.running(limits=Limits(retries=0)) as process:
            wait_for((comparison.run_folder / "attempt-1/checkpoint.pt").exists)
            with contextlib.suppress(OSError), balloon.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 16))
            process.join(60)
            assert process.exitcode in (2, 3)
        assert comparison.numbers() == []
        refused = comparison.run()
        assert "error 2: " in refused and "free some space" in refused
        balloon.unlink()
        assert "going on from iteration" in comparison.run()
        assert comparison.numbers() == expected


def test_a_disk_that_is_too_small_from_the_start(comparison: Comparison) -> None:
    with small_disk(comparison.results, 4):
        text = comparison.run()
        assert re.search(r"error 2: RESULTS .* MiB are free on its disk.*free some space", text)
        assert not comparison.run_folder.exists()


def test_a_results_folder_made_read_only_half_way(
    comparison: Comparison, expected: Numbers
) -> None:
    with comparison.running(unprivileged=True, limits=Limits(retries=0)) as process:
        wait_for((comparison.run_folder / "attempt-1/checkpoint.pt").exists)
        subprocess.run(["chmod", "-R", "a-w", str(comparison.folder)], check=True)
        process.join(60)
        assert process.exitcode == 2
    subprocess.run(["chmod", "-R", "u+w", str(comparison.folder)], check=True)
    assert "cannot be written (Permission denied); name a writable folder" in comparison.output
    assert comparison.numbers() == []
    assert "going on from iteration" in comparison.run()
    assert comparison.numbers() == expected


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_jumps(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers, jump: float
) -> None:
    real, began = time.time, time.monotonic()
    monkeypatch.setattr(time, "time", lambda: real() + jump * (time.monotonic() > began + 0.7))
    comparison.run(limits=Limits(patience=60))
    assert comparison.numbers() == expected
    assert 0 < comparison.table()["wall_seconds"].iloc[0] < 60


def test_two_comparisons_at_once(comparison: Comparison, expected: Numbers) -> None:
    with comparison.running() as process:
        wait_for(lambda: comparison.child() is not None)
        text = comparison.run()
        assert re.search(r"error 2: .*another comparison is running in it \(process \d+", text)
        process.join(60)
        assert process.exitcode == 0
    assert comparison.numbers() == expected


def test_a_dead_comparison_is_taken_over_and_said_so(comparison: Comparison) -> None:
    with comparison.running() as process:
        wait_for((comparison.run_folder / "attempt-1/checkpoint.pt").exists)
        process.kill()
        process.join()
    assert re.search(r"the comparison of process \d+ on \S+ died here", comparison.run())


def test_a_child_that_hangs(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-hang")
    monkeypatch.setenv("FAKE_ONCE", str(comparison.results) + ".once")
    text = comparison.run(limits=Limits(retries=1, patience=1.0, backoff=0.01))
    assert "it wrote nothing for 1 seconds and was stopped" in text and "PATIENCE" in text
    assert "trying again in 0s (1 of 1)" in text and "going on from iteration" in text
    assert comparison.numbers() == expected


def test_a_child_that_floods_its_output(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-flood")
    with comparison.running() as process:
        attempt = comparison.run_folder / "attempt-1"
        wait_for((attempt / "older-console-end.log").exists)
        time.sleep(1)
        process.kill()
        process.join()
    assert sum(path.stat().st_size for path in attempt.glob("*console*.log")) < 5 << 20
    monkeypatch.setenv("FAKE_MODE", "steady")
    comparison.run()
    assert comparison.numbers() == expected


def test_a_data_file_changed_between_two_runs(comparison: Comparison, data_dir: Path) -> None:
    comparison.run()
    before = comparison.files()
    change_a_pixel(data_dir)
    text = comparison.run(seeds=[0, 1])
    assert re.search(r"error 2: .*done with data.* RESULTS=", text)
    assert comparison.files() == before
    assert not (comparison.folder / "runs/40-seed1-fake").exists()


def test_a_data_file_changed_while_a_run_was_stopped(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    stop_half_way(comparison, monkeypatch)
    change_a_pixel(data_dir)
    assert "it was begun with other data or settings; training it anew" in comparison.run()
    assert comparison.manifest()["attempt"] == 2


def change_a_pixel(data_dir: Path) -> None:
    batch = data_dir / data.LAYOUT / "data_batch_1"
    content = bytearray(batch.read_bytes())
    content[len(content) // 2] ^= 1
    batch.write_bytes(content)


@pytest.mark.parametrize(("version", "remedy"), [(0, "new folder"), (99, "update this checkout")])
def test_the_schema_of_another_version(
    comparison: Comparison, version: int, remedy: str, tmp_path: Path
) -> None:
    comparison.run()
    before = comparison.files()
    path = comparison.run_folder / "manifest.json"
    path.write_text(json.dumps(comparison.manifest() | {"schema_version": version}))
    text = comparison.run()
    assert f"schema {version}" in text and remedy in text
    assert comparison.files() == before


@pytest.mark.parametrize(
    ("said", "kind", "remedy", "tries"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to", "CUDA memory", "JOBS", 3),
        ("RuntimeError: DefaultCPUAllocator: can't allocate memory", "memory", "JOBS", 3),
        ("OSError: [Errno 28] No space left on device", "disk full", "free some space", 1),
        ("RuntimeError: [enforce fail] . unexpected pos 576 vs 534", "disk full", "free some", 1),
        ("OSError: [Errno 30] Read-only file system", "not writable", "make the results", 1),
        ("own_impl: --data-dir data: no readable", "data", "DATA_DIR=", 1),
        ("ValueError: Input contains NaN.", "not finite", "lower the profile's lr", 1),
        ("insufficient shared memory (shm)", "shared memory", "/dev/shm", 3),
        (
            "RuntimeError: unable to write to file </torch_7_2_0>: No space left on device (28)",
            *("shared memory", "/dev/shm", 3),
        ),
    ],
)
def test_failures_are_told_apart(
    comparison: Comparison,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    kind: str,
    remedy: str,
    tries: int,
) -> None:
    monkeypatch.setenv("FAKE_MODE", "says")
    monkeypatch.setenv("FAKE_SAYS", said)
    text = comparison.run()
    manifest = comparison.manifest()
    assert (manifest["status"], manifest["failure"]) == ("failed", kind)
    assert remedy in manifest["reason"] and remedy in text and f"{NAME} failed" in text
    assert manifest["last_lines"] == [said] and manifest["exit_code"] == 1
    assert len(manifest["starts"]) == tries == len(list(comparison.run_folder.glob("attempt-*")))
    assert comparison.numbers() == []


def test_a_loss_that_is_not_finite(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-nan")
    text = comparison.run()
    assert "the loss is nan or infinite at iteration" in text and "lower the profile's lr" in text
    assert comparison.numbers() == []
    monkeypatch.setenv("FAKE_MODE", "steady")
    assert "training it anew" in comparison.run()  # its checkpoint is of no use
    assert comparison.numbers() == expected


def test_the_kernel_kills_and_the_run_goes_on(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, expected: Numbers
) -> None:
    monkeypatch.setenv("FAKE_MODE", "steady-killed")
    monkeypatch.setenv("FAKE_ONCE", str(comparison.results) + ".once")
    text = comparison.run()
    assert "killed by SIGKILL" in text and "memory runs out" in text and "trying again" in text
    assert [start["resumed_at"] is None for start in comparison.manifest()["starts"]] == [
        True,
        False,
    ]
    assert comparison.numbers() == expected
