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
from pathlib import Path

from harness.runs.execution.console import Console
from harness.runs.execution.job import Command, Ended, Halt, Stopped

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # loaded here: after a fork there is little that may be done


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
    """Run `command` in `folder`; what it prints goes to console.log there.

    `watch` is called every `every` seconds and returns a sign of life: when neither that nor what
    the child has printed changes for `patience` seconds, the child is stopped. It is stopped too
    when `stop` is set, when `watch` raises Halt, and when this process is interrupted or dies; and
    with it, in each case and at its own end, goes what it started.
    """
    slot = slot or Slot()
    console = Console(folder)

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
