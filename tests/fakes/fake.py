"""A stand-in implementation that trains nothing: tests of the flow that take no time.

Known like any other, once it is registered. What its child does is set by FAKE_MODE: see
fake_entry.py.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import BadInput
from harness.experiment import gpu
from harness.experiment.profile import Profile
from harness.implementations import registry
from harness.implementations.interface import Command, Implementation, Request
from harness.implementations.logs.own import read
from harness.implementations.reported import Facts, Point, Progress

CHILD = Path(__file__).with_name("fake_entry.py")
UNTRACED = {"COVERAGE_PROCESS_CONFIG": ""}  # there is nothing of ours in it to be measured


class Fake(Implementation):
    """Its files are read as ours are."""

    def commit(self) -> str:
        return "fake"

    def source_sha256(self) -> str:
        return hashlib.sha256(os.environ.get("FAKE_SOURCE", "").encode()).hexdigest()

    @property
    def declares(self) -> bool:  # type: ignore[override]
        return "FAKE_DECLARES" in os.environ

    def declare_command(self, request: Request, folder: Path) -> Command:
        options = ("0", request.dataset.sha256, "0", "0")
        environment = UNTRACED | _device_of(request)
        return Command((sys.executable, str(CHILD), "declare", *options), environment)

    def weights_command(self, profile: Profile, seed: int, out: Path) -> Command:
        return Command((sys.executable, str(CHILD), "weights", str(out)), UNTRACED)

    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        profile = request.profile
        after = ",".join(str(n) for n in profile.evaluated_after())
        options = (after, request.dataset.sha256, str(profile.iterations), str(int(resume)))
        environment = UNTRACED | _mode_of(request) | _device_of(request)
        return Command((sys.executable, str(CHILD), "train", *options), environment)

    def resumes_at(self, folder: Path) -> int | None:
        try:
            return int((folder / "checkpoint.pt").read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise BadInput(f"checkpoint.pt is damaged ({error})") from error

    def log(self, folder: Path) -> Path:
        return folder / "metrics.jsonl"

    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        return read(self.log(folder))

    def facts(self, folder: Path) -> Facts | None:
        return registry.create("own").facts(folder)

    def progress(self, folder: Path) -> Progress | None:
        return registry.create("own").progress(folder)


def _device_of(request: Request) -> dict[str, str]:
    """What it says it ran on: the device that was asked for, as other sides would name it."""
    return {"FAKE_DEVICE": gpu.name() if request.device == "cuda" else "cpu"}


def _mode_of(request: Request) -> dict[str, str]:
    """FAKE_MODE_WHERE, as `lr=9.0 crash`: the mode of the runs that have this setting."""
    where, _, mode = os.environ.get("FAKE_MODE_WHERE", "").partition(" ")
    name, _, value = where.partition("=")
    settings = request.hyper_parameters | dict(request.options)
    return {"FAKE_MODE": mode} if mode and str(settings[name]) == value else {}
