"""The stand-in without its unlabelled loss; its log has settings, strayed as FAKE_STRAYS says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from harness.implementations.interface import Baseline, Request
from harness.implementations.own import Own
from harness.parity.terms import Resolved
from harness.runs.execution.job import Command
from tests.fakes.fake import Fake


class FakeBaseline(Fake):
    name = "fake_baseline"
    title = "Fake baseline"
    departs: ClassVar[Mapping[str, Any]] = {"lambda_u": 0.0}
    baseline = Baseline(of="fake", note="the stand-in without its unlabelled loss.")

    def declare_command(self, request: Request, folder: Path) -> Command:
        return _with_settings(super().declare_command(request, folder), request)

    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        return _with_settings(super().train_command(request, folder, resume), request)

    def settings(self, folder: Path) -> dict[str, Resolved]:
        return Own().settings(folder)


def _with_settings(command: Command, request: Request) -> Command:
    used = request.profile.hyper_parameters() | json.loads(os.environ.get("FAKE_STRAYS", "{}"))
    return replace(command, environment={**command.environment, "FAKE_SETTINGS": json.dumps(used)})
