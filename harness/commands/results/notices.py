"""What the user should know of this machine and code before runs are made beside finished ones."""

from __future__ import annotations

from collections.abc import Sequence

from harness.commands.results.entry import Entry, Means
from harness.experiment import gpu
from harness.implementations.interface import REPOSITORY
from harness.implementations.source import commit_here, why_no_commit
from harness.runs.execution import processor


def notices(entries: Sequence[Entry], means: Means, device: str) -> list[str]:
    """A line each: no commit, shared GPUs, and what finished runs have otherwise than new ones."""
    return [*_no_commit(), *_shared_gpus(means, device), *_otherwise(entries, means, device)]


def _no_commit() -> list[str]:
    if commit_here():
        return []
    why = why_no_commit(REPOSITORY) or "see 'git -C <it> status'"
    return [f"git tells no commit of this checkout ({why}); runs made now are recorded without one"]


def _otherwise(entries: Sequence[Entry], means: Means, device: str) -> list[str]:
    """Of the runs that are to be made; one that is asked for its threads has those."""
    todo = [entry.planned.request for entry in entries if not entry.is_done]
    if not todo:
        return []
    now = _of_new_runs(means, device)
    if all("threads" in request.options for request in todo):
        now.pop("threads", None)
    found: dict[str, set[str]] = {key: set() for key in now}
    for runs in dict.fromkeys(entry.runs for entry in entries):
        for _, manifest in runs.done():
            for key in now:
                name = "torch_version" if key == "torch" else key
                if value := getattr(manifest.facts, name, None):
                    found[key].add(str(value))
    return [
        f"finished runs here were made with {key} {', '.join(others)}, now it is {value}"
        for key, value in now.items()
        if value and (others := sorted(found[key] - {value}))
    ]


def _of_new_runs(means: Means, device: str) -> dict[str, str]:
    import torch

    now = {"torch": str(torch.__version__), "device": _device_name(means, device)}
    if device == "cpu":  # where they change the order of sums, and so the numbers
        now |= {"threads": str(processor.threads(means.jobs)), "processor": processor.name()}
    return now


def _device_name(means: Means, device: str) -> str:
    """As runs made now would record it; '' where that is not known here."""
    if device == "cpu":
        return "cpu"
    return gpu.name() if means.slurm is None else ""


def _shared_gpus(means: Means, device: str) -> list[str]:
    """That there are fewer GPUs than runs at once."""
    jobs = means.jobs
    if device != "cuda" or means.slurm is not None or jobs <= (there := gpu.count()):
        return []
    gpus = "1 GPU is" if there == 1 else f"{there} GPUs are"
    return [f"JOBS {jobs}: {gpus} here, which runs share; their times say little"]
