"""Commands that find the simulated device, in themselves and in whatever they start."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

START = Path(__file__).with_name("start")


def environment(folder: Path, gpus: int = 1) -> dict[str, str]:
    """For a command that is started with `python(folder)`; `folder` gets what its processes did."""
    log = folder / "processes"
    log.mkdir(parents=True, exist_ok=True)
    ours = {"SIMULATED_GPUS": str(gpus), "SIMULATED_CUDA_LOG": str(log)}
    rest = {key: v for key, v in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    return rest | ours | {"SIMULATED_PYTHON": str(python(folder))}


def python(folder: Path) -> Path:
    """A Python that puts the device on the path of whatever it runs."""
    path = folder / "python"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        start, real = shlex.quote(str(START)), shlex.quote(sys.executable)
        search = f'PYTHONPATH={start}"${{PYTHONPATH:+:$PYTHONPATH}}"'
        path.write_text(f'#!/bin/sh\n{search} exec {real} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    return path


def seen(folder: Path, word: str = "") -> list[dict[str, Any]]:
    """What the processes whose command line has `word` did; those that were killed say nothing."""
    told = [json.loads(p.read_text()) for p in (folder / "processes").glob("*.json")]
    return [one for one in told if any(word in part for part in one["argv"])]
