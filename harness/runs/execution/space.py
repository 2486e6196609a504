"""Free disk and memory, looked at before anything is started."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.errors import BadInput
from harness.experiment.profile import Profile

MIB = 1 << 20
LOGS = 32 * MIB  # logs, tables and figures of a comparison, amply
SHARED = Path("/dev/shm")  # where a loader's workers hand their batches over
MEMORY = 1000 * MIB  # TorchSSL's peak resident size on the CPU, quick profile: 967 MiB


def check(folder: Path, profile: Profile, to_do: int, at_once: int, shared: int = 0) -> None:
    """Raise BadInput if `to_do` runs, `at_once` of them together, have no room.

    `shared`: bytes of shared memory that one of them asks for.

    A run keeps up to six copies of weights, momentum and moving average: a checkpoint and the one
    that replaces it, and TorchSSL's two of its own.
    """
    if not to_do:
        return
    needed = LOGS + to_do * 6 * 3 * 4 * _parameters(profile)
    free = shutil.disk_usage(_existing(folder)).free
    if free < needed:
        raise BadInput(
            f"RESULTS {folder}: {free // MIB} MiB are free on its disk, {to_do} runs need about "
            f"{needed // MIB} MiB; free some space, or name a folder on another disk"
        )
    available = _available_memory()
    if available is not None and available < at_once * MEMORY:
        raise BadInput(
            f"JOBS {at_once}: {available // MIB} MiB of memory are free, a run needs about "
            f"{MEMORY // MIB} MiB; end other programs, or use fewer JOBS"
        )
    if shared and SHARED.is_dir():
        free, needed = shutil.disk_usage(SHARED).free, min(at_once, to_do) * shared
        if free < needed:
            raise BadInput(
                f"{SHARED}: {free // MIB} MiB are free, {min(at_once, to_do)} runs at once pass "
                f"about {needed // MIB} MiB of batches through it; give it more room (Docker: "
                "--shm-size), or use fewer JOBS"
            )


def _parameters(profile: Profile) -> int:
    """Of the Wide ResNet, rounded up: 2n convolutions of 3 x 3 in each of three groups."""
    blocks, width = (profile.depth - 4) // 6, 16 * profile.widen_factor
    return 2 * blocks * 9 * width**2 * (1 + 4 + 16) + 10_000


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _available_memory() -> int | None:
    """Bytes, by the kernel's estimate and the control group's limit; None where neither is told."""
    amounts = []
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                amounts.append(int(line.split()[1]) * 1024)
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            used = int((group / "memory.current").read_text(encoding="ascii"))
            for line in (group / "memory.stat").read_text(encoding="ascii").splitlines():
                if line.startswith(("inactive_file ", "active_file ")):
                    used -= int(line.split()[1])  # the kernel gives these up when asked
            amounts.append(int(limit) - used)
    except (OSError, ValueError):
        pass
    return min(amounts, default=None)
