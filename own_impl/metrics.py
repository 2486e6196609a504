"""What a run tells: metrics.jsonl for programs, progress.json and terminal lines for people."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from own_impl.config import Config
from own_impl.evaluate import Evaluation

SCHEMA = 1


class Metrics:
    """Appends to `<out>/metrics.jsonl`; shows the current iteration about once a second."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.path = config.out / "metrics.jsonl"
        self._shown = 0.0
        self._live = sys.stderr.isatty()

    def write(self, kind: str, **content: Any) -> None:
        """One line: {"kind": ..., "schema": 1, ...}; on disk when this returns."""
        line = json.dumps({"kind": kind, "schema": SCHEMA, **content}, default=str)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def say(self, notice: str) -> None:
        """A line for people that stays where the live one is overwritten."""
        print(f"own_impl: {notice}", file=sys.stderr, flush=True)

    def due(self) -> bool:
        """Whether a progress line is due; asking costs nothing on the device."""
        return time.monotonic() - self._shown >= 1.0

    def progress(self, iteration: int, values: dict[str, float], seconds: float) -> None:
        """Show an iteration: values has lr, data_time, batch_time, loss, loss_x, loss_u, mask."""
        self._shown = time.monotonic()
        total = self.config.total_iterations
        state = {"iteration": iteration, "iterations": total, "seconds": seconds, **values}
        temporary = self.config.out / "progress.json.tmp"
        temporary.write_text(json.dumps(state) + "\n", encoding="utf-8")
        temporary.replace(self.config.out / "progress.json")
        if self._live:
            print("\r\x1b[K" + self._line(iteration, values), end="", file=sys.stderr, flush=True)

    def evaluation(self, iteration: int, values: dict[str, float], result: Evaluation) -> None:
        """Print the progress line and the accuracy below it, as lines that stay."""
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr)
        print(self._line(iteration, values), file=sys.stderr)
        print(
            f"Test Iter: {iteration}/{self.config.total_iterations}. Loss: {result.loss:.4f}. "
            f"top1: {result.top1:.2f}. top5: {result.top5:.2f}.",
            file=sys.stderr,
            flush=True,
        )

    def _line(self, iteration: int, values: dict[str, float]) -> str:
        per_epoch = self.config.iterations_per_epoch
        epoch, within = divmod(max(iteration, 1) - 1, per_epoch)
        epochs = -(-self.config.total_iterations // per_epoch)
        return (
            f"Train Epoch: {epoch + 1}/{epochs}. Iter: {within + 1}/{per_epoch}. "
            f"LR: {values['lr']:.4f}. Data: {values['data_time']:.3f}s. "
            f"Batch: {values['batch_time']:.3f}s. Loss: {values['loss']:.4f}. "
            f"Loss_x: {values['loss_x']:.4f}. Loss_u: {values['loss_u']:.4f}. "
            f"Mask: {values['mask']:.2f}."
        )
