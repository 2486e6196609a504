"""manifest.json of a run: what was asked for, what happened, what was used."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import BadInput
from harness.experiment.study import FURTHER, OWN
from harness.implementations.reported import Facts
from harness.runs.execution.process import Process
from harness.runs.files import write_text

SCHEMA = 1


class Status(StrEnum):
    """Seven different things; none of them may be taken for another."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    MISSING = "missing"
    UNAVAILABLE = "unavailable"
    INCOMPARABLE = "incomparable"
    STALE = "stale"


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


class Taken(BaseModel):
    """Where a finished run was taken from, instead of being trained: its times do not compare."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str  # as it was named
    started: str
    processor: str = ""


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
    judged_close: int | None = None  # test images too close to be told apart in its arithmetic
    own_commit: str = ""
    torchssl_commit: str = ""
    source_sha256: str = ""  # of the code that trained it; '' in manifests before it was kept
    taken: Taken | None = None  # not trained in this folder, but taken from another
    source_commit: str = ""  # of the source of one that a file describes
    spec_sha256: str = ""  # of that file, which is kept beside this one
    imported: str = ""  # the log that was handed over, of a run that nobody here trained

    @property
    def device(self) -> str:
        """cpu or cuda, as it recorded; cpu before it has."""
        return "cpu" if self.facts is None or self.facts.device == "cpu" else "cuda"

    @property
    def recorded(self) -> dict[str, Any]:
        """All that a study may vary, of a run of ours whose settings may say only a part of it.

        What they leave out it did as `study.OWN` and FURTHER have it; threads are a fact of it.
        """
        threads = self.facts.threads if self.facts is not None else None
        return {**OWN, **FURTHER, "threads": threads, **self.settings}

    @property
    def is_abandoned(self) -> bool:
        """Whether it says `running` and the process that ran it is gone from this host."""
        if self.status is not Status.RUNNING:
            return False
        return self.worker is None or (self.worker.is_here and not self.worker.lives)


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
