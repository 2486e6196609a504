"""Several runs at once on this machine: one to a GPU, or to a share of the CPU cores."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from harness.errors import HarnessError
from harness.runs.execution import processor
from harness.runs.execution.child import Slot

Task = Callable[[Slot, threading.Event], None]


def slots(jobs: int, device: str) -> list[Slot]:
    """`jobs` shares of this machine; one job has all of it, its environment as it is."""
    if jobs == 1:
        return [Slot()]
    if device == "cuda":
        gpus = _gpus()
        return [
            Slot(environment={"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]}) for n in range(jobs)
        ]
    cores = sorted(os.sched_getaffinity(0))
    share = processor.threads(jobs)
    chosen = [[cores[(n * share + k) % len(cores)] for k in range(share)] for n in range(jobs)]
    threads = {"OMP_NUM_THREADS": str(share), "MKL_NUM_THREADS": str(share)}
    return [Slot(frozenset(mine), threads) for mine in chosen]


def run_all(tasks: Sequence[Task], shares: Sequence[Slot]) -> None:
    """Run every task in a share of its own, as many at once as there are shares.

    An interruption, or whatever else ends this function early, sets the event that each task was
    given, and is raised when they have ended. A task that raises does not stop the others; the
    first HarnessError is raised at the end.
    """
    stop = threading.Event()
    free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
    for share in shares:
        free.put(share)

    def work(task: Task) -> None:
        if stop.is_set():
            return
        share = free.get()
        try:
            task(share, stop)
        finally:
            free.put(share)

    with ThreadPoolExecutor(len(shares)) as pool:
        try:
            futures = [pool.submit(work, task) for task in tasks]
            while wait(futures, timeout=0.2).not_done:
                pass
        except BaseException:  # the pool waits for its tasks, which must hear that they are to end
            stop.set()
            raise
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, HarnessError)):
        raise error


def _gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name, one at a time."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [name.strip() for name in named.split(",") if name.strip()] or [
        str(n) for n in range(torch.cuda.device_count())
    ]
