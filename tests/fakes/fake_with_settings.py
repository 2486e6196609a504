"""The stand-in whose log has settings, strayed as FAKE_STRAYS says."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from harness.implementations import registry
from harness.implementations.interface import Command, Request
from harness.implementations.reported import Resolved
from tests.fakes.fake import Fake


class FakeWithSettings(Fake):
    """Its settings are read as ours are."""

    def declare_command(self, request: Request, folder: Path) -> Command:
        return _with_settings(super().declare_command(request, folder), request)

    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        return _with_settings(super().train_command(request, folder, resume), request)

    def settings(self, folder: Path) -> dict[str, Resolved]:
        return registry.create("own").settings(folder)


def _with_settings(command: Command, request: Request) -> Command:
    used = request.hyper_parameters | json.loads(os.environ.get("FAKE_STRAYS", "{}"))
    return replace(command, environment={**command.environment, "FAKE_SETTINGS": json.dumps(used)})
