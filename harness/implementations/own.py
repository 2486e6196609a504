"""Our FixMatch, `python -m own_impl`, in a child process."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.execution.job import Command
from harness.implementations.base import (
    DATA,
    INITIAL_WEIGHTS,
    LABELLED,
    REPOSITORY,
    Implementation,
    Progress,
    Request,
)
from harness.logs.own import read
from harness.profile import Profile
from harness.provenance import commit_of
from harness.records import Facts, Point


class Own(Implementation):
    """See `own_impl`; its settings carry the names of the profile's."""

    name = "own"
    title = "FixMatch (own)"

    def unavailable(self) -> str | None:
        return None

    def commit(self) -> str:
        return commit_of(REPOSITORY, only=("harness", "own_impl", "configs"))

    def weights_command(self, profile: Profile, seed: int, out: Path) -> Command:
        options = {
            "seed": seed,
            "depth": profile.depth,
            "widen-factor": profile.widen_factor,
            "out": out,
        }
        return _command("own_impl.initial_weights", options)

    def train_command(self, request: Request, folder: Path) -> Command:
        profile = request.profile
        options = {
            "data-dir": DATA,
            "num-labeled": request.labels,
            "labelled-indices": LABELLED,
            "initial-weights": INITIAL_WEIGHTS,
            "seed": request.seed,
            "device": request.device,
            "out": ".",
            "eval-at": ",".join(str(n) for n in profile.evaluated_after()),
            "iterations-per-epoch": request.iterations_per_epoch,
            "checkpoint-every": max(100, profile.eval_every),
        }
        return _command("own_impl", options | profile.hyper_parameters() | {"eval_every": None})

    def benchmark_command(
        self, request: Request, discard: int, timed: int, precision: str, compiled: bool
    ) -> Command:
        """Times training in a folder that holds `data/`; prints what it measured as JSON."""
        profile = request.profile
        options = profile.hyper_parameters() | {
            "eval_every": None,
            "data-dir": DATA,
            "num-labeled": request.labels,
            "seed": request.seed,
            "device": request.device,
            "precision": precision,
            "discard": discard,
            "timed": timed,
        }
        command = _command("own_impl.benchmark", options)
        flag = "--compile" if compiled else "--no-compile"
        return Command((*command.argv, flag), command.environment)

    def log(self, folder: Path) -> Path:
        return folder / "metrics.jsonl"

    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        return read(self.log(folder))

    def facts(self, folder: Path) -> Facts | None:
        try:
            with self.log(folder).open(encoding="utf-8") as log:
                start = json.loads(log.readline())
            return Facts.model_validate(
                {key: start[key] for key in Facts.model_fields if key in start}
            )
        except (FileNotFoundError, ValueError):
            return None

    def progress(self, folder: Path) -> Progress | None:
        try:
            state = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
            return Progress(
                state["iteration"], state["iterations"], state["seconds"], state["mask"]
            )
        except (FileNotFoundError, ValueError, KeyError):
            return None


def create() -> Own:
    """Found by `implementations.base.create`."""
    return Own()


def _command(module: str, options: dict[str, object]) -> Command:
    argv = [sys.executable, "-m", module]
    for name, value in options.items():
        if value is not None:
            argv += ["--" + name.replace("_", "-"), str(value)]
    return Command(tuple(argv), {"PYTHONPATH": str(REPOSITORY)})
