"""Our FixMatch and MixMatch, `python -m own_impl`, in a child process."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.experiment import algorithms
from harness.experiment.algorithms import OWN_FIELDS
from harness.experiment.profile import Profile
from harness.implementations import checkpoints
from harness.implementations.interface import (
    DATA,
    INITIAL_WEIGHTS,
    LABELLED,
    NOISE,
    REPOSITORY,
    Command,
    Implementation,
    Request,
    Timing,
)
from harness.implementations.logs.own import read, starts
from harness.implementations.reported import Facts, Point, Progress, Resolved
from harness.implementations.source import (
    commit_here,
    files_sha256,
    imported_files,
    installed_torch,
)

TIMES = "times.json"


class Own(Implementation):
    """See `own_impl`; its settings carry the names of the profile's."""

    trains = (algorithms.FIXMATCH.name, algorithms.MIXMATCH.name)
    checkpoint_every = 100  # iterations at least: what a stop costs at most
    declares = True

    def commit(self) -> str:
        return commit_here()

    def source_sha256(self) -> str:
        """Of what training imports; of the algorithms' modules, its own alone."""
        others = [name for name in self.trains if name != self.contender.algorithm]
        pages = [f"own_impl.algorithms.{name}" for name in others]
        files = imported_files(REPOSITORY, "own_impl.__main__", without=pages)
        return files_sha256(REPOSITORY, files)

    def torch_version(self) -> str | None:
        return installed_torch()

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

    def keep_often(self) -> None:
        self.checkpoint_every = 1

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
        return options | request.hyper_parameters | {"eval_every": None} | dict(request.options)

    def judge_command(
        self, weights: Path, images: Path, profile: Profile, device: str, out: Path
    ) -> Command:
        options: dict[str, object] = {
            "weights": weights.resolve(),
            "images": images.resolve(),
            "depth": profile.depth,
            "widen-factor": profile.widen_factor,
            "device": device,
            "precision": profile.precision,
            "out": out.resolve(),
            "noise": out.resolve().with_suffix(NOISE),
        }
        return _command("own_impl.answers.judge", options)

    def benchmark_command(self, request: Request, folder: Path, asked: Timing) -> Command:
        options = request.hyper_parameters | {
            "eval_every": None,
            "data-dir": DATA,
            "num-labeled": request.labels,
            "seed": request.seed,
            "device": request.device,
            "precision": asked.precision,
            "compile": asked.compiled,
            "memory-format": asked.memory_format,
            "discard": asked.discard,
            "timed": asked.timed,
            "json": TIMES,
        }
        return _command("own_impl.answers.bench", options)

    def timed(self, folder: Path, asked: Timing) -> dict[str, Any]:
        try:
            measured: dict[str, Any] = json.loads((folder / TIMES).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HarnessError(f"own_impl.answers.bench left no result ({error})") from error
        return measured

    def log(self, folder: Path) -> Path:
        return folder / "metrics.jsonl"

    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        log = self.log(folder)
        points = read(log)
        for start in starts(log)[:1]:
            self.check_algorithm(log, algorithms.recorded(start.get("settings", {})))
        return points

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
        for field in (*algorithms.of(self.contender.algorithm).fields, *OWN_FIELDS):
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


def _command(module: str, options: dict[str, object], *words: str) -> Command:
    argv = [sys.executable, "-m", module, *words]
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            argv.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None:
            argv += [f"--{option}", str(value)]
    return Command(tuple(argv), {"PYTHONPATH": str(REPOSITORY)})
