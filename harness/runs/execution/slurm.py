"""An array job on a Slurm cluster, and what its queue says of it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import BadInput
from harness.experiment import settings_file
from harness.runs.files import write_text

FOLDER, JOBS = ".slurm", "jobs.json"
MANY = 10_000  # requeues at the time limit: each goes on from a checkpoint


class Settings(BaseModel):
    """`configs/slurm.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    partition: str | None = None
    account: str | None = None
    gpus: int = Field(1, ge=0)
    cpus: int = Field(8, gt=0)
    memory_gb: float | None = Field(None, gt=0)
    minutes: int = Field(gt=0)
    at_once: int = Field(8, gt=0)
    signal_seconds: int = Field(90, gt=0)
    setup: tuple[str, ...] = ()
    options: dict[str, str | int | bool] = {}


@dataclass(frozen=True)
class Queued:
    """A run in the queue: job id, Slurm's state, and why it waits, if it does."""

    job: str
    state: str
    reason: str

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason not in ("", "None") else ""
        return f"job {self.job} {self.state}{why}"


def read_settings(path: Path) -> Settings:
    """Raises BadInput that names file and key."""
    try:
        return settings_file.read(path, Settings)
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); see configs/slurm.yaml"
        ) from error


def submit(
    folder: Path, tasks: Mapping[str, Callable[[], object]], settings: Settings, paths: list[str]
) -> list[str]:
    """Submit one array job, a task for each run name; the job ids. `paths` go into PYTHONPATH.

    Raises BadInput where there is no Slurm, or Slurm refuses.
    """
    import submitit

    place = (folder / FOLDER).resolve()
    optional: dict[str, Any] = {
        "slurm_partition": settings.partition,
        "slurm_account": settings.account,
        "slurm_mem": f"{round(settings.memory_gb * 1024)}M" if settings.memory_gb else None,
        "gpus_per_node": settings.gpus or None,
    }
    python_path = os.pathsep.join(paths)
    try:
        executor = submitit.AutoExecutor(folder=place, cluster="slurm", slurm_max_num_timeout=MANY)
        executor.update_parameters(
            name="fixmatch",
            timeout_min=settings.minutes,
            cpus_per_task=settings.cpus,
            slurm_array_parallelism=settings.at_once,
            slurm_signal_delay_s=settings.signal_seconds,
            slurm_setup=[*settings.setup, f"export PYTHONPATH={shlex.quote(python_path)}"],
            slurm_additional_parameters={"requeue": True, **settings.options},
            stderr_to_stdout=True,
            **{key: value for key, value in optional.items() if value is not None},
        )
        with executor.batch():
            jobs = [executor.submit(task) for task in tasks.values()]
        ids = [str(job.job_id) for job in jobs]
    except (
        OSError,
        RuntimeError,
        subprocess.SubprocessError,
        submitit.core.utils.FailedJobError,
    ) as error:
        why = " ".join(str(error).split())
        raise BadInput(
            f"EXECUTOR slurm: no job could be submitted ({why}); see configs/slurm.yaml"
        ) from error
    known = _jobs(folder) | dict(zip(ids, tasks, strict=True))
    write_text(folder / FOLDER / JOBS, json.dumps(known, indent=1) + "\n")
    return ids


def queue(folder: Path) -> dict[str, Queued]:
    """The runs of `folder` in the queue, by name. Raises BadInput if it cannot be asked."""
    jobs = _jobs(folder)
    if not jobs:
        return {}
    command = ["squeue", "--noheader", "--array", "--me", "--format=%i|%T|%r"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BadInput(
            f"EXECUTOR slurm: squeue cannot be asked ({error}); call this where the cluster's "
            "commands are"
        ) from error
    lines = (line.strip().split("|", 2) for line in done.stdout.splitlines() if line.strip())
    return {jobs[job]: Queued(job, state, why) for job, state, why in lines if job in jobs}


def uses(folder: Path) -> bool:
    """Whether runs of this folder were ever submitted."""
    return bool(_jobs(folder))


def output(folder: Path, run: str) -> str:
    """Where the last job of that run wrote what it printed."""
    ids = [job for job, name in _jobs(folder).items() if name == run]
    return str(folder / FOLDER / f"{ids[-1]}_0_log.out") if ids else str(folder / FOLDER)


def _jobs(folder: Path) -> dict[str, str]:
    """Job id -> run name, of all that were ever submitted."""
    try:
        content: dict[str, str] = json.loads((folder / FOLDER / JOBS).read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError):
        return {}
