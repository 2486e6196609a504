"""What is kept of a run: its points and its manifest, in versioned files written whole."""

from __future__ import annotations

import errno
import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import BadInput
from harness.runs.execution.process import Process

SCHEMA = 1


@dataclass(frozen=True)
class Point:
    """One evaluation. Accuracies are percent; `iteration` counts the updates made before it.

    `loss` is the total training loss of the last batch, `loss_x` its labelled and `loss_u` its
    unlabelled part; `mask` is the share of unlabelled images above the threshold; `eval_loss` the
    mean test loss; `seconds` is counted from the start of the run. None: the log does not say.
    """

    iteration: int
    top1: float
    top5: float | None = None
    eval_loss: float | None = None
    loss: float | None = None
    loss_x: float | None = None
    loss_u: float | None = None
    mask: float | None = None
    seconds: float | None = None


class Status(StrEnum):
    """Six different things; none of them may be taken for another."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    MISSING = "missing"
    UNAVAILABLE = "unavailable"
    INCOMPARABLE = "incomparable"


class Facts(BaseModel):
    """What an implementation itself recorded of what it used; the proof of comparability."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_sha256: str
    split_sha256: str
    initial_weights_sha256: str
    torch_version: str
    device: str
    shims: tuple[str, ...] = ()


class Start(BaseModel):
    """One start of a run's child: in a new attempt folder, or going on in an earlier one.

    `resumed_at` is the iteration of the checkpoint that it went on from, None: it began anew.
    `not_restored` is what the implementation does not keep over such a stop.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempt: int
    started: str
    own_commit: str = ""
    resumed_at: int | None = None
    not_restored: tuple[str, ...] = ()
    wall_seconds: float | None = None
    exit_code: int | None = None
    ended: str = ""  # why; empty while it runs, or if whatever watched it died with it


class Manifest(BaseModel):
    """`manifest.json` of a run: what was asked for, what happened, what was used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA
    implementation: str
    labels: int
    seed: int
    settings: dict[str, Any]
    status: Status
    reason: str = ""
    failure: str = ""  # the kind, where it is known: see diagnosis.py
    last_lines: tuple[str, ...] = ()  # what a failed child said last
    attempt: int = 1
    started: str = ""
    starts: tuple[Start, ...] = ()  # the last one is of `attempt`
    worker: Process | None = None  # who runs it, while it is running
    heartbeat: str = ""  # when that was last known to live
    wall_seconds: float | None = None  # of all starts of `attempt`
    exit_code: int | None = None
    facts: Facts | None = None
    evaluations: int | None = None  # in the log of a done run when it ended
    judged_top1: float | None = None  # of the final weights, by the one judge of both sides
    own_commit: str = ""
    torchssl_commit: str = ""

    @property
    def is_abandoned(self) -> bool:
        """Whether it says `running` and the process that ran it is gone from this host."""
        if self.status is not Status.RUNNING:
            return False
        return self.worker is None or (self.worker.is_here and not self.worker.lives)

    @property
    def resumptions(self) -> tuple[Start, ...]:
        """The starts of the attempt that counts which went on from a checkpoint."""
        return tuple(
            s for s in self.starts if s.attempt == self.attempt and s.resumed_at is not None
        )


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing, as UTF-8. Raises BadInput."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: temporary file, fsync, rename. Raises BadInput."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space on its disk" if full else "name a writable folder with RESULTS="
        raise BadInput(f"{path}: cannot be written ({error.strerror}); {remedy}") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `<folder>/manifest.json`."""
    write_text(folder / "manifest.json", manifest.model_dump_json(indent=1) + "\n")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in `folder`, None where there is none. Raises BadInput for another schema."""
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: not a manifest ({error}); move the run folder away") from error
    if version != SCHEMA:
        newer = isinstance(version, int) and version > SCHEMA
        remedy = "update this checkout" if newer else "run the comparison again in a new folder"
        raise BadInput(f"{path}: schema {version}, this code reads {SCHEMA}; {remedy}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BadInput(
            f"{path}: {key}: {error.errors()[0]['msg']}; move the run folder away"
        ) from error
