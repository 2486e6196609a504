"""A comparison of the stand-in, in this process or in one that may be killed."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from harness.commands import compare as pipeline
from harness.commands.compare import CompareQuestion as Question
from harness.commands.console.terminal import Terminal
from harness.errors import HarnessError
from harness.experiment.profile import load
from harness.runs.attempt import Limits
from tests.fakes import register as register_fakes

ITERATIONS = 60
NAME = "40-seed0-fake"
Numbers = list[tuple[int, float, float]]
# Libraries are loaded once; each process that is killed is a fork of one that has them.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["harness.commands.cli", "torch", "torchvision", "matplotlib.pyplot"])


def start_fork(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """`target(*arguments)` in such a process. They leave no coverage, and so take none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        forkserver.ensure_running()
    process = FORKS.Process(target=target, args=arguments)
    process.start()
    return process


class Comparison:
    """`run()` gives what a user sees: the terminal's text, and the error line if there is one."""

    def __init__(self, folder: Path, data_dir: Path, **options: Any) -> None:
        self.results, self.data_dir = folder, data_dir
        self.folder = folder / "quick"
        self.run_folder = self.folder / "runs" / NAME
        self.question = {
            "labels": [40],
            "seeds": [0],
            "implementations": ["fake"],
            "profile": "quick",
            "results": folder,
            "iterations": ITERATIONS,
            "data_dir": data_dir,
            "limits": Limits(retries=2, backoff=0.01),
        } | options

    def run(self, **options: Any) -> str:
        out = io.StringIO()
        terminal = Terminal(Console(file=out, soft_wrap=True))
        try:
            pipeline.compare(Question(**(self.question | options)), terminal)
        except HarnessError as error:
            assert "\n" not in str(error)
            return f"{out.getvalue()}error {error.exit_code}: {error}"
        return out.getvalue()

    @contextlib.contextmanager
    def running(self, unprivileged: bool = False, **options: Any) -> Iterator[BaseProcess]:
        """It runs in another process, whose whole output lies beside the results."""
        self.results.parent.mkdir(exist_ok=True)
        question, environment = self.question | options, dict(os.environ)
        process = start_fork(compare_in_child, question, environment, self._output, unprivileged)
        try:
            yield process
        finally:
            process.kill()
            process.join()

    @property
    def _output(self) -> Path:
        return self.results.with_name("output")

    @property
    def output(self) -> str:
        return self._output.read_text()

    def manifest(self, name: str = NAME) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(
            (self.folder / "runs" / name / "manifest.json").read_text()
        )
        return content

    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "table.csv")

    def numbers(self) -> Numbers:
        """(iteration, top-1, seconds) of each evaluation that may enter a mean."""
        path = self.folder / "points.csv"
        if not path.exists() or not path.stat().st_size:
            return []
        points = pd.read_csv(path)
        done = points[points["status"] == "done"]
        columns = (done[name].tolist() for name in ("iteration", "top1", "seconds"))
        return list(zip(*columns, strict=True))

    @staticmethod
    def expected() -> Numbers:
        """What a run that nothing befell leaves: its numbers follow from the iteration."""
        after = load("quick", ITERATIONS).evaluated_after()
        return [(n, round(100 * n / (n + ITERATIONS), 2), float(n)) for n in after]

    def files(self) -> dict[str, bytes]:
        """What is beside `runs/`."""
        paths = (p for p in self.folder.iterdir() if p.is_file() and p.name[0] != ".")
        return {path.name: path.read_bytes() for path in paths}

    def child(self) -> int | None:
        """The process id of a child that works in this folder."""
        return child_in(self.folder, b"fake_entry")


def child_in(folder: Path, program: bytes) -> int | None:
    """The process id of a `program` whose working directory is under `folder`."""
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            inside = path.joinpath("cwd").readlink().is_relative_to(folder)
            if inside and program in path.joinpath("cmdline").read_bytes():
                return int(path.name)
    return None


def compare_in_child(
    question: dict[str, Any], environment: dict[str, str], output: Path, unprivileged: bool
) -> None:
    """What the process that may be killed does."""
    if unprivileged:
        obey_modes()
    os.environ.clear()
    os.environ.update(environment)
    register_fakes()
    with output.open("w", buffering=1) as file:
        terminal = Terminal(Console(file=file, soft_wrap=True))
        try:
            pipeline.compare(Question(**question), terminal)
        except HarnessError as error:
            terminal.say(f"error {error.exit_code}: {error}")
            sys.exit(error.exit_code)


def obey_modes() -> None:
    """Give up root's right to write what its mode forbids (CAP_DAC_OVERRIDE), for children too."""
    libc, drop, override = ctypes.CDLL(None), 24, 1
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    libc.capget(header, sets)
    for index in range(3):
        sets[index] &= ~(1 << override)
    libc.prctl(drop, override)
    libc.capset(header, sets)


def kill(process_id: int | None) -> None:
    """SIGKILL, to a process that may just have ended."""
    if process_id is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Until `what` is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
