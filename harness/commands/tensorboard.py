"""Both implementations' curves for TensorBoard, under the same tag names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence, Set
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness.analysis import status
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput, NoRuns
from harness.implementations.reported import Point

FOLDER = ".tensorboard"  # hidden: made from runs/ at any time, and no result
TAGS = {
    "top1": "eval/top1",
    "top5": "eval/top5",
    "eval_loss": "eval/loss",
    "loss": "train/loss",
    "loss_x": "train/loss_x",
    "loss_u": "train/loss_u",
    "mask": "train/mask",
}
EVERY_SECONDS = 10.0


class Export:
    """Writes the evaluations of all runs in a results folder; again, only what is new."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / FOLDER
        self._written: dict[str, tuple[Point, ...]] = {}

    def update(self) -> int:
        """Write what the logs hold and is not written; the number of evaluations written."""
        written = 0
        states = status.read(self.folder)
        self._drop_all_but({state.name for state in states if state.points})
        for state in states:
            before = self._written.get(state.name, ())
            points = tuple(state.points)
            if points[: len(before)] != before:  # trained anew, or on from a checkpoint
                before = ()
            if points != before:
                anew = not before
                seconds = _wall_times(points)
                self._write(state.name, points[len(before) :], seconds[len(before) :], anew)
                written += len(points) - len(before)
                self._written[state.name] = points
        return written

    def _drop_all_but(self, names: Set[str]) -> None:
        """A run that was moved away, or has nothing any more, leaves no curve."""
        for folder in self.out.glob("*-seed*-*"):
            if folder.name not in names:
                shutil.rmtree(folder)
                self._written.pop(folder.name, None)

    def _write(
        self, name: str, points: Sequence[Point], seconds: Sequence[float], anew: bool
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = self.out / name
        if anew:
            for old in folder.glob("events.*"):
                old.unlink()
        writer: Any = SummaryWriter(str(folder), filename_suffix=f".{points[0].iteration}")
        for point, wall_time in zip(points, seconds, strict=True):
            for field, tag in TAGS.items():
                value = getattr(point, field)
                if value is not None:
                    writer.add_scalar(tag, value, point.iteration, walltime=wall_time)
        writer.close()


def _wall_times(points: Sequence[Point]) -> list[float]:
    """Seconds from the start; where the log does not tell, those of the evaluation before."""
    known = (0.0 if point.seconds is None else point.seconds for point in points)
    return list(accumulate(known, max))


def show(folder: Path, terminal: Terminal, serve: bool = True, port: int = 6006) -> None:
    """Export and, if asked to, serve until interrupted, with what comes in meanwhile.

    Raises BadInput where there are no runs or TensorBoard cannot serve at `port`.
    """
    if not (folder / "runs").is_dir():
        raise NoRuns(folder)
    export = Export(folder)
    terminal.say(f"{export.update()} evaluations in {export.out}")
    argv = [sys.executable, "-m", "tensorboard.main", "--logdir", str(export.out)]
    argv += ["--port", str(port), "--load_fast=false"]
    if not serve:
        terminal.say("  tensorboard --logdir " + str(export.out))
        return
    terminal.say(f"http://localhost:{port}/ shows them; Ctrl-C ends it")
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            time.sleep(EVERY_SECONDS)
            export.update()
    except KeyboardInterrupt:
        return
    finally:
        server.terminate()
        server.wait()
    raise BadInput(f"PORT {port}: TensorBoard could not serve there; name another one")
