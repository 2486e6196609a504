"""Our FixMatch, `python -m own_impl`, in a child process."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import checkpoints
from harness.comparability import FIELDS, OWN_FIELDS, Resolved
from harness.errors import HarnessError
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
from harness.logs.own import read, starts
from harness.profile import Profile
from harness.provenance import commit_of
from harness.records import Facts, Point


class Own(Implementation):
    """See `own_impl`; its settings carry the names of the profile's."""

    name = "own"
    title = "FixMatch (own)"
    checkpoint_every = 100  # iterations at least: what a stop costs at most
    declares = True

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
        return _command("own_impl.network.initial_weights", options)

    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        command = _command("own_impl", self._options(request))
        return replace(command, argv=(*command.argv, "--resume")) if resume else command

    def resumes_at(self, folder: Path) -> int | None:
        return checkpoints.iteration(folder / "checkpoint.pt", "iteration")

    def declare_command(self, request: Request, folder: Path) -> Command:
        return _command("own_impl.answers.parity", self._options(request), "declare")

    def answer_command(self, folder: Path) -> Command:
        return _command("own_impl.answers.parity", {}, "answer", str(folder))

    def _options(self, request: Request) -> dict[str, object]:
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
            "checkpoint-every": max(self.checkpoint_every, profile.eval_every),
        }
        return options | profile.hyper_parameters() | {"eval_every": None} | dict(request.options)

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
        command = _command("own_impl.answers.bench", options)
        flag = "--compile" if compiled else "--no-compile"
        return Command((*command.argv, flag), command.environment)

    def log(self, folder: Path) -> Path:
        return folder / "metrics.jsonl"

    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        return read(self.log(folder))

    def facts(self, folder: Path) -> Facts | None:
        try:
            used, *resumptions = starts(self.log(folder))
            for resumption in resumptions:  # one that strayed decides: the run then shows it
                strayed = {key: v for key, v in resumption.items() if key.endswith("_sha256")}
                used = {key: strayed.get(key, value) for key, value in used.items()}
            return Facts.model_validate(
                {key: used[key] for key in Facts.model_fields if key in used}
            )
        except (HarnessError, ValueError):
            return None

    def settings(self, folder: Path) -> dict[str, Resolved]:
        try:
            with self.log(folder).open(encoding="utf-8") as log:
                start = json.loads(log.readline())
        except (FileNotFoundError, ValueError):
            return {}
        names = {"labels": "num_labeled"}
        found = {}
        for field in (*FIELDS, *OWN_FIELDS):
            for part in ("settings", "resolved"):
                key = names.get(field, field)
                if key in start.get(part, {}):
                    found[field] = Resolved(start[part][key], f"metrics.jsonl: {part}.{key}")
        return found

    def progress(self, folder: Path) -> Progress | None:
        try:
            state = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
            return Progress(
                state["iteration"], state["iterations"], state["seconds"], state["mask"]
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


def create() -> Own:
    """Found by `implementations.base.create`."""
    return Own()


def _command(module: str, options: dict[str, object], *words: str) -> Command:
    argv = [sys.executable, "-m", module, *words]
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            argv.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None:
            argv += [f"--{option}", str(value)]
    return Command(tuple(argv), {"PYTHONPATH": str(REPOSITORY)})
