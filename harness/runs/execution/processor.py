"""What this machine computes with on the CPU: its processor by name, and a run's threads."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
WIDEST = {"avx512f": "AVX-512", "avx2": "AVX2", "sve": "SVE", "asimd": "NEON"}


def name() -> str:
    """As the processor calls itself, and what that name may leave open.

    `AMD EPYC (family 25, model 1, AVX2)`: a virtual machine's name is the same on processors that
    add the numbers of a sum in another order.
    """
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    told = (line.partition(":") for line in reversed(lines))
    about = {key.strip(): value.strip() for key, _, value in told}  # of the first core
    numbers = {"family": about.get("cpu family"), "model": about.get("model")}
    kind = [f"{word} {number}" for word, number in numbers.items() if number is not None]
    flags = about.get("flags", about.get("Features", "")).split()
    kind += [text for flag, text in WIDEST.items() if flag in flags][:1]
    known = about.get("model name", platform.machine())
    return f"{known} ({', '.join(kind)})" if kind else known


def in_full(told: str) -> str:
    """The name of this machine's processor where a child here `told` the plain one."""
    known = name()
    return known if told and known.startswith(f"{told} (") else told


def threads(jobs: int) -> int:
    """How many an operation of a run is split over, where `jobs` of them run at once."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    if jobs > 1:
        return max(1, cores // jobs)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else cores
