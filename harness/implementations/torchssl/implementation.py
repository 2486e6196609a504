"""TorchSSL's unmodified scripts, `fixmatch.py` for one, in a child process: `child/entry.py`."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from harness.errors import BadInput, HarnessError
from harness.experiment import algorithms, gpu
from harness.experiment.contender import Contender
from harness.experiment.fingerprints import split_sha256
from harness.experiment.profile import Profile
from harness.implementations import checkpoints
from harness.implementations.interface import (
    DATA,
    FINAL_WEIGHTS,
    REPOSITORY,
    Command,
    Implementation,
    Request,
    Timing,
)
from harness.implementations.logs.torchssl import arguments as read_arguments
from harness.implementations.logs.torchssl import read
from harness.implementations.reported import Facts, Point, Progress, Resolved
from harness.implementations.source import (
    files_sha256,
    imported_files,
    installed_torch,
    source_sha256,
)
from harness.implementations.torchssl.algorithms import ENTRIES, Entry
from harness.implementations.torchssl.child.entry import SAVE_NAME

COMMIT = "f26e1d42967cec7f7c8a00c2e7ff9219d8ab7c92"
# Of that commit's Python files, by provenance.source_sha256.
SOURCE_SHA256 = "b945989c83cec2d1e373e868665754b3b500036a66d46d27b5bf5ae2621ba46d"
KEPT = "kept.pth"  # the last whole checkpoint, see child/entry.py
TIMES = "times.json"
EVAL_BATCH = 1024
SHIPPED_WORKERS = 1  # its num_workers
ULB_WORKERS = 4  # of its unlabelled loader, for one of `num_workers`
READY = 2  # batches that a worker has ready
IMAGE_BYTES = 3 * 32 * 32 * 4
ENTRY = "harness.implementations.torchssl.child.entry"


class TorchSSL(Implementation):
    """The reference, from third_party/torchssl or the folder that TORCHSSL_DIR names."""

    trains = tuple(ENTRIES)
    declares = True
    # It knows no others: `settings` has amp off, and nothing of it compiles.
    fixed: ClassVar[Mapping[str, Any]] = {"precision": "fp32", "compile": False}
    not_restored: tuple[str, ...] = (
        "the order of the data starts again from the seed",
        "random states of Python, NumPy and torch start again from the seed",
    )
    keep_seconds = 60.0  # between checkpoints: what a stop costs at most

    def __init__(self, contender: Contender) -> None:
        super().__init__(contender)
        if contender.algorithm in ENTRIES:
            self.not_restored = (*self.not_restored, *self._entry.forgets)
        named = os.environ.get("TORCHSSL_DIR")
        self.source = Path(named).resolve() if named else REPOSITORY / "third_party" / "torchssl"

    def fixed_on(self, device: str) -> Mapping[str, Any]:
        """On CUDA torch convolves in TF32, where nobody tells it otherwise."""
        return self.fixed if device == "cpu" else {**self.fixed, "precision": "tf32"}

    def unavailable(self) -> str | None:
        if lacking := super().unavailable():
            return lacking
        script = self._entry.script
        if not (self.source / script).is_file():
            return (
                f"no {script} in {_shown(self.source)}: run 'git submodule update --init', or "
                "set TORCHSSL_DIR to a checkout"
            )
        if _source_sha256_once(self.source) != SOURCE_SHA256:
            return (
                f"{_shown(self.source)} is not TorchSSL at commit {COMMIT[:7]}, unmodified: "
                "check that commit out there"
            )
        return None

    @property
    def _entry(self) -> Entry:
        return ENTRIES[self.contender.algorithm]

    def commit(self) -> str:
        return COMMIT

    def source_sha256(self) -> str:
        """Of TorchSSL, and of what runs in its process beside it."""
        beside = files_sha256(REPOSITORY, imported_files(REPOSITORY, ENTRY))
        return hashlib.sha256(f"{COMMIT} {SOURCE_SHA256} {beside}".encode()).hexdigest()

    def torch_version(self) -> str | None:
        return installed_torch()

    def weights_command(self, profile: Profile, seed: int, out: Path) -> Command:
        network = ("--depth", str(profile.depth), "--widen-factor", str(profile.widen_factor))
        return self._command("weights", "--seed", str(seed), *network, "--out", str(out))

    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        return self._run(request, folder, resume)

    def resumes_at(self, folder: Path) -> int | None:
        whole = (folder / SAVE_NAME / "sampled_label_idx.npy", folder / "facts.json")
        if not all(path.exists() for path in whole):
            return None
        return checkpoints.iteration(folder / KEPT, "it")

    def keep_often(self) -> None:
        self.keep_seconds = 0.0

    def declare_command(self, request: Request, folder: Path) -> Command:
        return self._run(request, folder, False, "--stop")

    def answer_command(self, folder: Path) -> Command:
        return self._command("answer", "--folder", str(folder), entry=self._entry.child)

    def _run(
        self,
        request: Request,
        folder: Path,
        resume: bool = False,
        *more: str,
        workers: int | None = None,
    ) -> Command:
        given = settings(request)
        if workers is not None:
            given["num_workers"] = workers
        config = "config.yaml"
        if resume:
            given |= {"resume": True, "load_path": KEPT}
            config = "config-resume.yaml"
        shims = list(self._entry.shims)
        if request.device == "cpu":
            shims.append("cuda-on-cpu")
        if not request.dataset.official:
            shims.append("data-sums")
        if resume:
            shims.append("resume-ends-on-time")
        options = ["--script", self._entry.script, "--loop", self._entry.loop]
        options += ["--config", config, "--facts", "facts.json", "--progress", "progress.json"]
        options += ["--keep", KEPT, "--keep-seconds", str(self.keep_seconds)]
        options += ["--final", FINAL_WEIGHTS, *(f"--shim={shim}" for shim in shims), *more]
        command = self._command("train", *options)
        return replace(command, files={config: yaml.safe_dump(given, sort_keys=False)})

    def loader_workers(self, device: str) -> tuple[int, ...]:
        """As a comparison has it, and as TorchSSL is shipped where that is another number."""
        chosen = num_workers(device)
        return (chosen,) if chosen == SHIPPED_WORKERS else (chosen, SHIPPED_WORKERS)

    def shared_memory(self, request: Request) -> int:
        """The batches that its loaders' workers hold ready, two each: see `settings`."""
        profile, workers = request.profile, int(settings(request)["num_workers"])
        unlabelled = ULB_WORKERS * workers * 2 * profile.mu * profile.batch_size  # two views each
        test = workers * min(EVAL_BATCH, request.dataset.test_size)
        return READY * (unlabelled + workers * profile.batch_size + test) * IMAGE_BYTES

    def benchmark_command(self, request: Request, folder: Path, asked: Timing) -> Command:
        """Trains as ever, and leaves the time of each update and evaluation in TIMES.

        It evaluates after the first update and the last: in between, its loaders would fill their
        queues while it does, and the iterations after that would wait for nothing.
        """
        iterations = asked.discard + asked.timed + 1
        short = {"iterations": iterations, "eval_every": iterations + 1}
        profile = request.profile.model_copy(update=short)
        command = self._run(replace(request, profile=profile), folder, workers=asked.workers)
        return replace(command, argv=(*command.argv, "--times", TIMES))

    def timed(self, folder: Path, asked: Timing) -> dict[str, Any]:
        """The mean of the counted iterations, and its last evaluation."""
        content = _read_json(folder / TIMES)
        if content is None:
            raise HarnessError("TorchSSL left no times")
        steps = np.diff(content.pop("times"))  # entry k: from update k to update k + 1
        return content | {
            "seconds_per_iteration": float(np.mean(steps[asked.discard :])),
            "seconds_per_evaluation": content.pop("evaluations")[-1],
        }

    def log(self, folder: Path) -> Path:
        return folder / SAVE_NAME / "log.txt"

    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        log = self.log(folder)
        points = read(log, class_counts)
        self.check_algorithm(log, read_arguments(log).get("alg") if points else None)
        return points

    def facts(self, folder: Path) -> Facts | None:
        content = _read_json(folder / "facts.json")
        drawn = folder / SAVE_NAME / "sampled_label_idx.npy"
        if content is None or not drawn.exists():
            return None
        return Facts(
            data_sha256=content["data_sha256"],
            split_sha256=split_sha256(np.load(drawn)),
            initial_weights_sha256=content["initial_weights_sha256"],
            torch_version=content["torch_version"],
            device=content["device"],
            shims=tuple(content["shims"]),
            threads=content.get("threads"),
            processor=content.get("processor", ""),
            loader_workers=_unlabelled_workers(content),
        )

    def settings(self, folder: Path) -> dict[str, Resolved]:
        if not self.log(folder).exists():
            return {}
        arguments = read_arguments(self.log(folder))
        facts = _read_json(folder / "facts.json") or {}
        entry, found = self._entry, {}
        for field in algorithms.of(self.contender.algorithm).fields:
            if (key := entry.argument(field)) in arguments:
                found[field] = Resolved(arguments[key], f"Arguments: {key}")
        if "amp" in arguments:
            used = "amp fp16" if arguments["amp"] else "fp32"
            found["precision"] = Resolved(used, "Arguments: amp")
        resolved = facts.get("resolved", {})
        names = (*entry.resolved, *(() if arguments.get("amp") else ("precision",)))
        found |= {
            field: Resolved(resolved[field], f"facts.json: resolved.{field}")
            for field in names
            if field in resolved
        }
        return found

    def progress(self, folder: Path) -> Progress | None:
        state = _read_json(folder / "progress.json")
        if state is None:
            return None
        return Progress(
            state["iteration"], state["iterations"], state["seconds"], first=state.get("first", 0)
        )

    def _command(self, *arguments: str, entry: str = "entry") -> Command:
        module = f"harness.implementations.torchssl.child.{entry}"
        argv = (sys.executable, "-m", module, "--torchssl", str(self.source), *arguments)
        environment = {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        return Command(argv, environment)


def settings(request: Request) -> dict[str, Any]:
    """The whole of TorchSSL's YAML: it fills in nothing and refuses nothing by itself."""
    profile = request.profile
    used = request.hyper_parameters
    return {
        "save_dir": ".",
        "save_name": SAVE_NAME,
        "resume": False,
        "load_path": None,
        "overwrite": True,
        "use_tensorboard": True,
        "epoch": 1,
        "num_train_iter": profile.iterations,
        "num_eval_iter": profile.eval_every,
        "num_labels": request.labels,
        "batch_size": profile.batch_size,
        "eval_batch_size": EVAL_BATCH,
        **ENTRIES[request.algorithm].given(used),
        "ulb_loss_ratio": used["lambda_u"],
        "uratio": used["mu"],
        "ema_m": profile.ema_decay,
        "optim": "SGD",
        "lr": profile.lr,
        "momentum": profile.momentum,
        "weight_decay": profile.weight_decay,
        "amp": False,
        "clip": 0,
        "net": "WideResNet",
        "net_from_name": False,
        "depth": profile.depth,
        "widen_factor": profile.widen_factor,
        "leaky_slope": 0.1,
        "dropout": 0.0,
        "data_dir": DATA,
        "dataset": "cifar10",
        "train_sampler": "RandomSampler",
        "num_classes": request.dataset.num_classes,
        "num_workers": num_workers(request.device),
        "alg": request.algorithm,
        "seed": request.seed,
        "world_size": 1,
        "rank": 0,
        "multiprocessing_distributed": False,
        "dist_url": "tcp://127.0.0.1:10006",
        "dist_backend": "nccl",
        "gpu": 0,
    }


def num_workers(device: str) -> int:
    """Of TorchSSL's loaders: the unlabelled one has four processes for each, the others one.

    TORCHSSL_WORKERS says how many; without it, on a CPU one, as TorchSSL is shipped, and on CUDA
    as many as there are cores for: with one the GPU waits for images, whatever it is. Another
    number gives a seed other views, of the same distribution. Raises BadInput.
    """
    named = os.environ.get("TORCHSSL_WORKERS", "")
    if named:
        if not named.isascii() or not named.isdigit() or int(named) < 1:
            raise BadInput(f"TORCHSSL_WORKERS {named}: give a whole number from 1")
        return int(named)
    if device == "cpu":
        return SHIPPED_WORKERS
    cores = len(os.sched_getaffinity(0)) // max(1, gpu.count())
    return max(SHIPPED_WORKERS, cores // (ULB_WORKERS + 1))


def _unlabelled_workers(facts: Mapping[str, Any]) -> int | None:
    """Processes that prepared unlabelled images, as TorchSSL's own arguments have it."""
    given = facts.get("arguments", {}).get("num_workers")
    return None if given is None else ULB_WORKERS * int(given)


@cache
def _source_sha256_once(source: Path) -> str:
    return source_sha256(source)


def _shown(source: Path) -> str:
    """Relative to the repository where it lies in it: the text goes into committed files."""
    inside = source.is_relative_to(REPOSITORY)
    return str(source.relative_to(REPOSITORY)) if inside else f"TORCHSSL_DIR={source}"


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError):
        return None
