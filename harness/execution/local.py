"""Runs a child process on this machine and watches it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from harness.execution.job import Command

CONSOLE = "console.log"
PR_SET_PDEATHSIG = 1
# Threads that wait must not spin: where processes outnumber cores that costs each of them time.
CALM = {"OMP_WAIT_POLICY": "PASSIVE"}


def run(
    command: Command, folder: Path, watch: Callable[[], None] | None = None, every: float = 0.5
) -> int:
    """Run `command` in `folder`; its output goes to console.log there. Returns the exit code.

    `watch` is called every `every` seconds. If this is interrupted, or dies, the child and what it
    started are stopped too.
    """
    with (folder / CONSOLE).open("ab") as console:
        child = subprocess.Popen(
            command.argv,
            cwd=folder,
            env={**CALM, **os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        try:
            while True:
                try:
                    return child.wait(timeout=every)
                except subprocess.TimeoutExpired:
                    if watch is not None:
                        watch()
        finally:
            _stop(child)


def last_lines(folder: Path, count: int = 20) -> list[str]:
    """The last lines that the child wrote, for a message about its failure."""
    try:
        text = (folder / CONSOLE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.replace("\r", "\n").splitlines() if line.strip()][-count:]


def _die_with_parent() -> None:
    """In the child: be killed when the parent is gone, however it went (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(child: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """Ask the child's whole process group to end, and kill what does not."""
    if child.poll() is not None:
        return
    os.killpg(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
