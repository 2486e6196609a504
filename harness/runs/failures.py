"""Why a child ended as it did, what to do about it, and whether to try again by itself."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from harness.runs.execution.child import Ended, Stopped


@dataclass(frozen=True)
class Failure:
    """A kind of failure, its remedy, and whether another try may do better with nothing changed."""

    kind: str
    remedy: str
    try_again: bool


INTERRUPTED = Failure("interrupted", "the same command goes on with it", False)
SILENT = Failure(
    "silent", "look at its console.log; with slow evaluations raise PATIENCE=seconds", True
)
NOT_FINITE = Failure(
    "not finite", "training diverged: lower the profile's lr, or look at the data", False
)
BAD_LOG = Failure("bad log", "move the run's folder away to train it anew", False)
SHORT = Failure(
    "short", "it ended by itself and has not trained as asked: correct its description", False
)
CRASH = Failure("crash", "see console.log in the attempt's folder", True)
BAD_INPUT = Failure("bad input", "put right what its last line names", False)

# In this order; the patterns are what torch, Python and the kernel say.
_SAID = [
    (r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED|torch\.OutOfMemory",
     Failure("CUDA memory", "end what else uses the GPU, or use fewer JOBS", True)),
    # Before the full disk: torch's own words for a full /dev/shm end with the kernel's for a disk.
    (r"unable to allocate shared memory|unable to (write to|resize) file </torch_"
     r"|insufficient shared memory|Bus error",
     Failure("shared memory", "give /dev/shm more room (Docker: --shm-size)", True)),
    (r"No space left on device|Errno 28\b|Disk quota exceeded|Errno 122\b"
     r"|unexpected pos \d+ vs \d+|PytorchStreamWriter failed writing|iostream error",  # torch.save
     Failure("disk full", "free some space; 'make compare' then goes on", False)),
    (r"Read-only file system|Errno 30\b|PermissionError",
     Failure("not writable", "make the results folder writable; 'make compare' then goes on",
             False)),
    (r"MemoryError|Cannot allocate memory|can't allocate memory|std::bad_alloc"
     r"|DataLoader worker .* killed by signal: Killed",
     Failure("memory", "end other programs, or use fewer JOBS", True)),
    (r"ModuleNotFoundError: No module named",
     Failure("missing module", "install it in the interpreter's environment; one that is imported "
             "and not needed may stand in run.stubs of the file that describes it", False)),
    (r"the loss is (nan|-?inf)|Input contains NaN|Input contains infinity", NOT_FINITE),
    (r"own_impl: --data-dir|own_impl: --labelled|Dataset not found or corrupted|UnpicklingError"
     r"|pickle data was truncated|the data changed",
     Failure("data", "the data set is damaged or was changed: restore it, or use DATA_DIR=",
             False)),
]  # fmt: skip


def of(ended: Ended) -> Failure:
    """The failure of a child that was stopped or whose exit code is not 0."""
    by_us = {
        Stopped.INTERRUPTED: INTERRUPTED,
        Stopped.SILENT: SILENT,
        Stopped.HALTED: NOT_FINITE,
    }
    if ended.stopped in by_us:
        return by_us[ended.stopped]
    if (failure := said(ended.last_lines)) is not None:
        return failure
    if ended.code == -signal.SIGKILL:
        return Failure(
            "killed",
            "the kernel does so where memory runs out (see dmesg): free some, or use fewer JOBS",
            True,
        )
    return BAD_INPUT if ended.code == 2 else CRASH


def said(lines: Sequence[str]) -> Failure | None:
    """The failure that these lines tell of, if they tell of one that is known."""
    text = "\n".join(lines)
    return next((failure for pattern, failure in _SAID if re.search(pattern, text)), None)


def describe(ended: Ended, patience: float | None) -> str:
    """What happened, in one line."""
    if ended.stopped is Stopped.INTERRUPTED:
        return "interrupted"
    if ended.stopped is Stopped.SILENT:
        return f"it wrote nothing for {patience:g} seconds and was stopped"
    if ended.stopped is Stopped.HALTED:
        return ended.reason
    if ended.code < 0:
        name = signal.Signals(-ended.code).name
        return f"killed by {name}: {ended.last_line}"
    return f"exit code {ended.code}: {ended.last_line}"
