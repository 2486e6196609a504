"""The GPUs of this machine, asked for without holding one: a context takes memory from the runs."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")
NEEDED = {11: 450, 12: 525, 13: 580}  # the oldest driver that runs programs of that CUDA
NAME = "import torch; print(torch.cuda.get_device_name())"


def is_there() -> bool:
    """Whether torch finds a CUDA device here."""
    import torch

    return torch.cuda.is_available()


def count() -> int:
    """How many GPUs this process may use."""
    import torch

    return torch.cuda.device_count()


@cache
def name() -> str:
    """Of the first, as runs record it; asked of a process of its own. '' if it does not say."""
    done = subprocess.run([sys.executable, "-c", NAME], capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1] if done.returncode == 0 and done.stdout else ""


def lacking() -> str:
    """What keeps torch from a GPU whose driver is there, in one line; '' where nothing does."""
    import torch

    try:
        told = DRIVER.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    if torch.cuda.is_available():
        return ""
    found = re.search(r"\b(\d{3,})\.\d+(\.\d+)?\b", told)
    driver = f"the NVIDIA driver {found[0] if found else 'of a GPU'} is there, but"
    built = torch.version.cuda
    if built is None:
        return f"{driver} torch {torch.__version__} is built without CUDA; install one with it"
    needed = NEEDED.get(int(built.partition(".")[0]), 0)
    if found and int(found[1]) < needed:
        return (
            f"{driver} torch {torch.__version__} needs {needed} or later; update it, or install a "
            "torch for an older CUDA (see README.md)"
        )
    return (
        f"{driver} torch {torch.__version__} finds no device; is CUDA_VISIBLE_DEVICES empty, or "
        "does nvidia-smi show none?"
    )
