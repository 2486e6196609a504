"""What this machine computes with on the CPU: its processor by name, and a run's threads."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def name() -> str:
    """As the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def threads(jobs: int) -> int:
    """How many an operation of a run is split over, where `jobs` of them run at once."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    if jobs > 1:
        return max(1, cores // jobs)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else cores
