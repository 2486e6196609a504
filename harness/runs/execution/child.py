"""Runs a child process on this machine and watches it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.implementations.interface import Command
from harness.runs.execution.console import Console
from harness.runs.files import write_text

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # loaded here: after a fork there is little that may be done


class Halt(Exception):
    """Raised by who watches a child: it is to be stopped, for the reason in the message."""


class Stopped(StrEnum):
    """Why a child was stopped, if it did not end by itself."""

    NOT = ""
    INTERRUPTED = "interrupted"
    SILENT = "silent"
    HALTED = "halted"


@dataclass(frozen=True)
class Ended:
    """How a child ended: exit code (negative: the signal), its last lines, why it was stopped."""

    code: int
    last_lines: tuple[str, ...]
    stopped: Stopped = Stopped.NOT
    reason: str = ""  # of Stopped.HALTED

    @property
    def last_line(self) -> str:
        """The last thing that it said."""
        return self.last_lines[-1].strip() if self.last_lines else "it said nothing"


@dataclass(frozen=True)
class Slot:
    """The share of this machine that a child may use: cores (empty: all), environment."""

    cores: frozenset[int] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)


def run(
    command: Command,
    folder: Path,
    watch: Callable[[], object] | None = None,
    *,
    every: float = 0.5,
    stop: threading.Event | None = None,
    patience: float | None = None,
    slot: Slot | None = None,
) -> Ended:
    """Run `command` in `folder`, with the files that it needs; what it prints goes to console.log.

    `watch` is called every `every` seconds and returns a sign of life: when neither that nor what
    the child has printed changes for `patience` seconds, the child is stopped. It is stopped too
    when `stop` is set, when `watch` raises Halt, and when this process is interrupted or dies; and
    with it, in each case and at its own end, goes what it started.
    """
    slot = slot or Slot()
    console = Console(folder)
    for name, text in command.files.items():
        write_text(folder / name, text)

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # the child dies with this thread
        if slot.cores:
            os.sched_setaffinity(0, slot.cores)

    child = subprocess.Popen(
        command.argv,
        cwd=folder,
        env={**os.environ, **command.environment, **slot.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=prepare,
    )
    assert child.stdout is not None
    reader = threading.Thread(target=console.copy, args=(child.stdout.fileno(),), daemon=True)
    reader.start()
    stopped, reason = Stopped.NOT, ""
    try:
        stopped = _wait(child, console, watch, every, stop or threading.Event(), patience)
    except Halt as halt:
        stopped, reason = Stopped.HALTED, str(halt)
    finally:
        _end(child)
        reader.join()
        child.stdout.close()
    if stop is not None and stop.is_set() and child.returncode != 0:
        stopped = Stopped.INTERRUPTED  # by the same signal as this process, perhaps
    return Ended(child.returncode, tuple(console.last_lines()), stopped, reason)


def _wait(
    child: subprocess.Popen[bytes],
    console: Console,
    watch: Callable[[], object] | None,
    every: float,
    stop: threading.Event,
    patience: float | None,
) -> Stopped:
    """Until the child is at its end, not yet reaped, or is to be stopped."""
    sign: object = None
    changed = time.monotonic()  # not the clock on the wall, which may be set
    look = min(every, 0.05)
    while True:
        deadline = time.monotonic() + every
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return Stopped.NOT
            if stop.wait(look):
                return Stopped.INTERRUPTED
        now = (watch() if watch is not None else None, console.bytes)
        if now != sign:
            sign, changed = now, time.monotonic()
        elif patience is not None and time.monotonic() - changed > patience:
            return Stopped.SILENT


def _end(child: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """Ask the child's process group to end, kill what does not, and what the child left behind.

    The child is reaped last: until then its number stays its own.
    """

    def ended() -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, child.pid, options) is not None

    if not ended():
        os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while not ended() and time.monotonic() < deadline:
            time.sleep(0.05)
    with suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
