"""In what time each part must end, and what becomes of one that does not."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness.commands.console.terminal import Terminal
from harness.errors import HarnessError
from harness.implementations.interface import REPOSITORY, Command
from harness.report.gpu_check import Outcome, Part
from harness.runs.execution import child
from harness.runs.execution.child import Ended

# Seconds that each part may take; all of them together end within `SECONDS`.
LIMITS = {"device": 60, "tests": 120, "parity": 150, "training": 90, "resumption": 90, "speed": 240}
SECONDS = 480


class Bounds:
    """The time that all parts share, which begins now."""

    def __init__(self, seconds: float, terminal: Terminal) -> None:
        self.seconds, self.terminal = seconds, terminal
        self.ends = time.monotonic() + seconds

    def do(self, name: str, title: str, part: Callable[[float], Part]) -> Part:
        """A part within its limit, and within what is left of all the time; says how it ended."""
        done = self._do(title, LIMITS[name], part)
        self.terminal.say(f"{title}: {done.outcome.value}: {done.said}")
        return done

    def _do(self, title: str, limit: float, part: Callable[[float], Part]) -> Part:
        seconds = min(limit, self.ends - time.monotonic())
        if seconds <= 0:
            return Part(title, Outcome.SKIPPED, 0.0, f"after {self.seconds:g} s in all")
        self.terminal.say(f"{title}: at most {seconds:.0f} s ...")
        began = time.monotonic()
        try:
            done = part(seconds)
        except HarnessError as error:
            done = Part("", Outcome.FAILED, 0.0, str(error))
        return Part(title, done.outcome, time.monotonic() - began, done.said, done.details)


def run_child(seconds: float, place: Path, *words: str) -> Ended:
    """A child of this Python in a new folder of `place`, stopped after `seconds`."""
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    command = Command((sys.executable, *words), {"PYTHONPATH": str(REPOSITORY)})
    folder = Path(tempfile.mkdtemp(dir=place))
    try:
        return child.run(command, folder, stop=stop)
    finally:
        timer.cancel()
