"""Which process works on something: a number used again, or a reboot, is another process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Process(BaseModel):
    """A process on a host. `born` is its boot's id and its start in ticks since that boot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    host: str
    born: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this host; of another host nothing can be told."""
        return self.host == socket.gethostname()

    @property
    def lives(self) -> bool:
        """Whether it still runs on this host."""
        if not self.is_here:
            return False
        if self.born:
            return _born(self.pid) == self.born
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def this_process() -> Process:
    """The process that asks."""
    return Process(pid=os.getpid(), host=socket.gethostname(), born=_born(os.getpid()))


def _born(pid: int) -> str:
    """Counted by the kernel, so that a clock that is set changes nothing; '' where not told."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = after_name.rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"
