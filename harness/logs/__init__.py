"""One reader a log format: text or JSONL -> points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.logs import own, progress, torchssl
from harness.records import Point

READERS: dict[str, Callable[[Path], list[Point]]] = {
    "torchssl": torchssl.read,
    "own": own.read,
    "progress": progress.read,
}
