"""Running children: slots, several at once, room, who holds a folder, which checkpoint is whole."""

from __future__ import annotations

import _thread
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from harness.errors import BadInput, Incomplete
from harness.experiment.profile import load
from harness.implementations import checkpoints
from harness.implementations.interface import Command
from harness.runs import failures as diagnosis
from harness.runs.execution import child as local
from harness.runs.execution import pool
from harness.runs.execution import space as room
from harness.runs.execution.child import Ended, Halt, Slot, Stopped
from harness.runs.execution.console import Console
from harness.runs.execution.lock import HOLDER, only_one
from harness.runs.execution.process import Process, this_process


def python(code: str, **environment: str) -> Command:
    return Command((sys.executable, "-c", code), environment)


def test_two_jobs_at_once_each_on_its_own_cores(tmp_path: Path) -> None:
    """Each ends only when the other has begun, so one after the other would never end."""
    code = (
        "import os, pathlib, sys, time\n"
        "me, other = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
        "me.write_text(f'{sorted(os.sched_getaffinity(0))} {os.environ[\"OMP_NUM_THREADS\"]}')\n"
        "while not other.exists(): time.sleep(0.01)\n"
    )

    def task(me: str, other: str) -> pool.Task:
        def run(slot: Slot, stop: threading.Event) -> None:
            folder = tmp_path / f"of {me}"
            folder.mkdir()
            words = (sys.executable, "-c", code, str(tmp_path / me), str(tmp_path / other))
            assert local.run(Command(words), folder, slot=slot, stop=stop, patience=60).code == 0

        return run

    pool.run_all([task("a", "b"), task("b", "a")], pool.slots(2, "cpu"))
    cores = len(os.sched_getaffinity(0))
    shares = [(tmp_path / name).read_text().rsplit(" ", 1) for name in ("a", "b")]
    assert {threads for _, threads in shares} == {str(max(1, cores // 2))}
    if cores > 1:
        assert shares[0][0] != shares[1][0]


def test_one_job_has_the_machine_as_it_is() -> None:
    assert pool.slots(1, "cpu") == [Slot()] == pool.slots(1, "cuda")


def test_one_job_to_a_gpu_of_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    named = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in pool.slots(3, "cuda")]
    assert named == ["3", "5", "3"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    named = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in pool.slots(2, "cuda")]
    assert named == ["0", "1"]


def test_more_jobs_than_cores_share_them() -> None:
    cores = os.sched_getaffinity(0)
    slots = pool.slots(len(cores) + 1, "cpu")
    assert all(len(slot.cores) == 1 and slot.cores <= cores for slot in slots)


def test_a_task_that_raises_does_not_stop_the_others() -> None:
    done = []

    def bad(_slot: Slot, _stop: threading.Event) -> None:
        raise Incomplete("no")

    tasks: list[pool.Task] = [bad, lambda _slot, _stop: done.append(1), bad]
    with pytest.raises(Incomplete, match="no"):
        pool.run_all(tasks, [Slot()])
    assert done == [1]


@pytest.mark.parametrize("what", [KeyboardInterrupt, SystemExit, TimeoutError])
def test_whatever_ends_it_early_tells_the_tasks(what: type[BaseException]) -> None:
    told = []

    def handler(_number: int, _frame: object) -> None:
        raise what

    def task(_slot: Slot, stop: threading.Event) -> None:
        stop.wait(0.3)  # until it waits for the tasks
        _thread.interrupt_main(signal.SIGUSR1)
        told.append(stop.wait(60))

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(what):
            pool.run_all([task, task], [Slot()])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert told == [True]  # the second had not begun


def test_a_stopped_child_takes_with_it_what_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('grandchild', 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    stop = threading.Event()
    grandchild = tmp_path / "grandchild"
    ended = local.run(
        python(code), tmp_path, lambda: stop.set() if grandchild.exists() else None, every=0.1,
        stop=stop,
    )  # fmt: skip
    assert ended.stopped is Stopped.INTERRUPTED
    assert diagnosis.of(ended) is diagnosis.INTERRUPTED
    time.sleep(0.2)
    stat = Path(f"/proc/{int(grandchild.read_text())}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_child_that_ends_leaves_nothing_behind(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    began = time.monotonic()
    ended = local.run(python(code), tmp_path)
    assert (ended.code, ended.stopped) == (0, Stopped.NOT)
    assert time.monotonic() - began < 60, "it waited for what the child had left behind"


def test_halted_by_who_watches(tmp_path: Path) -> None:
    def watch() -> object:
        raise Halt("enough")

    ended = local.run(python("import time; time.sleep(600)"), tmp_path, watch, every=0.1)
    assert (ended.stopped, ended.reason) == (Stopped.HALTED, "enough")
    assert diagnosis.describe(ended, None) == "enough"


def test_the_console_keeps_both_ends_of_what_was_printed(tmp_path: Path) -> None:
    console = Console(tmp_path, limit=1000)
    reader, writer = os.pipe()
    thread = threading.Thread(target=console.copy, args=(reader,))
    thread.start()
    with os.fdopen(writer, "wb") as pipe:
        for n in range(10_000):
            pipe.write(f"line {n}\n".encode())
    thread.join()
    os.close(reader)
    assert (tmp_path / "console.log").read_text().startswith("line 0\nline 1\n")
    end = (tmp_path / "older-console-end.log").read_text() + (
        tmp_path / "console-end.log"
    ).read_text()
    assert end.endswith("line 9998\nline 9999\n") and len(end) >= 1000
    assert console.last_lines(2) == ["line 9998", "line 9999"]
    assert console.bytes == sum(len(f"line {n}\n") for n in range(10_000))


def test_a_console_that_cannot_be_written_is_still_read(tmp_path: Path) -> None:
    console = Console(tmp_path / "gone")
    reader, writer = os.pipe()
    os.write(writer, b"No space left on device\n")
    os.close(writer)
    console.copy(reader)
    os.close(reader)
    assert console.last_lines() == ["No space left on device"]


@pytest.mark.parametrize(
    ("code", "kind", "again"),
    [(-9, "killed", True), (-11, "crash", True), (1, "crash", True), (2, "bad input", False)],
)
def test_an_end_that_says_nothing_is_told_by_its_code(code: int, kind: str, again: bool) -> None:
    failure = diagnosis.of(Ended(code, ("something",)))
    assert (failure.kind, failure.try_again) == (kind, again)


def test_a_process_is_told_from_one_that_has_its_number(tmp_path: Path) -> None:
    me = this_process()
    assert me.lives and me.is_here and str(me) == f"process {os.getpid()} on {me.host}"
    assert not me.model_copy(update={"born": me.born + "1"}).lives
    assert not me.model_copy(update={"host": "elsewhere"}).lives
    with subprocess.Popen(["sleep", "600"]) as child:
        other = Process(pid=child.pid, host=me.host)
        assert other.lives
        child.kill()
    assert not other.lives


def test_a_folder_is_held_by_one_and_its_holder_is_named(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from harness.runs.execution.lock import only_one\n"
        "with only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)\n"
    )
    folder = tmp_path / "results"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    with (
        pytest.raises(BadInput, match=rf"is running in it \(process {child.pid} on"),
        only_one(folder),
    ):
        pass
    child.kill()
    child.communicate()
    said: list[str] = []
    with only_one(folder, said.append):
        assert (folder / HOLDER).exists()
    assert len(said) == 1 and f"process {child.pid}" in said[0] and "died here" in said[0]
    assert not (folder / HOLDER).exists()
    with only_one(folder, said.append):
        assert len(said) == 1


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"JOBS 1000000: .* MiB of memory are free"):
        room.check(tmp_path / "not there yet", load("quick"), 1, 1_000_000)
    room.check(tmp_path, load("quick"), 0, 1_000_000)  # nothing is to be done


def test_too_little_disk_is_said(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    per_run = 6 * 12 * 1_500_000
    with pytest.raises(BadInput, match=r"MiB are free on its disk.*free some space"):
        room.check(tmp_path, load("cifar10"), 2 * free // per_run, 1)


def test_a_shared_memory_that_is_too_small_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's is 64 MiB; the loaders of TorchSSL's cifar10 hold more ready."""
    monkeypatch.setattr(room, "SHARED", tmp_path)
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(BadInput, match=r"MiB are free, 2 runs at once pass about .*--shm-size"):
        room.check(tmp_path, load("quick"), 3, 2, shared=free // 2 + 1)
    room.check(tmp_path, load("quick"), 1, 2, shared=free // 2 + 1)


def test_a_full_shared_memory_is_no_full_disk(tmp_path: Path) -> None:
    """What torch really says, where a loader's worker hands over more than there is room for."""
    code = (
        "import torch\n"
        "from torch.utils.data import DataLoader\n"
        "class Large(torch.utils.data.Dataset):\n"
        "    def __len__(self): return 4\n"
        "    def __getitem__(self, n): return torch.zeros(1 << 20)\n"
        "for _ in DataLoader(Large(), batch_size=2, num_workers=1): pass\n"
    )
    mount = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
    words = ("unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", code)
    if subprocess.run([*words[:4], mount, "sh", "true"], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    ended = local.run(Command(words), tmp_path)
    assert ended.code != 0
    assert diagnosis.of(ended).kind == "shared memory", ended.last_lines


def test_only_a_whole_checkpoint_is_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    assert checkpoints.iteration(path, "iteration") is None
    torch.save({"iteration": 7, "weights": torch.arange(1000.0)}, path)
    assert checkpoints.iteration(path, "iteration") == 7
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(torch.arange(1000.0).numpy().tobytes()[400:440])] ^= 1
    for damaged in (whole[: len(whole) // 2], bytes(flipped), b"", b"\xff" * 5000):
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"checkpoint\.pt is damaged"):
            checkpoints.iteration(path, "iteration")
    torch.save({"it": 7}, path)
    with pytest.raises(BadInput, match="KeyError"):
        checkpoints.iteration(path, "iteration")
