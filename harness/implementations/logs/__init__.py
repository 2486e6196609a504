"""One reader a log format: text or JSONL -> points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.implementations.logs import own, progress, torchssl
from harness.implementations.reported import Point

READERS: dict[str, Callable[[Path], list[Point]]] = {
    "torchssl": torchssl.read,
    "own": own.read,
    "progress": progress.read,
}
