"""What the harness needs to know of an implementation: how to start it and what it leaves.

A new implementation is one module in this package and an entry in `registry`, or a file of its own
repository that `custom` reads. It runs in a child
process, in a folder of its own that already holds:

- `data/` the data set in CIFAR-10's python layout,
- `labelled.npy` the labelled indices, int64,
- `initial.safetensors` the initial weights.

It leaves `final-ema.safetensors` there, the weights that it evaluated last (TorchSSL's names), to
be judged; without them it cannot be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, LogError
from harness.experiment import algorithms
from harness.experiment.contender import Contender
from harness.experiment.data import Dataset
from harness.experiment.profile import Profile
from harness.implementations.reported import Facts, Point, Progress, Resolved

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DATA, LABELLED, INITIAL_WEIGHTS = "data", "labelled.npy", "initial.safetensors"
FINAL_WEIGHTS = "final-ema.safetensors"
NOISE = ".noise"  # in place of the judge's .npy: a text file with one number


@dataclass(frozen=True)
class Command:
    """A child process: an argument list, never a shell string, and additions to its environment.

    `files` are written into its folder before it starts: name -> text.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One run that is asked for.

    `options` are settings that only our side has, or that a profile pins because TorchSSL has no
    other: a study's, and PRECISION and COMPILE of a comparison.
    """

    profile: Profile
    dataset: Dataset
    labels: int
    seed: int
    device: str  # cpu or cuda
    options: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = algorithms.DEFAULT

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        """The profile's settings of the algorithm. Raises BadInput where it has none."""
        return self.profile.hyper_parameters(self.algorithm)

    @property
    def iterations_per_epoch(self) -> int:
        """Iterations in which as many unlabelled images are seen as there are, rounded up."""
        return -(-self.dataset.train_size // (self.profile.batch_size * self.profile.mu))

    def under(self, algorithm: str) -> Request:
        """The same run with that algorithm, on its terms. Raises BadInput."""
        return replace(self, algorithm=algorithm, profile=self.profile.under(algorithm))

    def departing(self, departs: Mapping[str, Any]) -> Request:
        """The same run with the settings that an implementation declares to change."""
        if not departs:
            return self
        return replace(self, profile=self.profile.departing(departs, self.algorithm))


@dataclass(frozen=True)
class Timing:
    """What is timed: `timed` iterations after `discard` others, at a precision of ours."""

    discard: int
    timed: int
    precision: str = "fp32"
    compiled: bool = False
    memory_format: str = "auto"
    workers: int | None = None  # of its loaders, see `loader_workers`; None: as a comparison has it


class Implementation(ABC):
    """A code base that trains. It evaluates at least after `profile.evaluated_after()`.

    It starts nothing and writes nothing itself: it says what is to be run, and reads what that
    left. One object is of one contender, whose name, title and changes are its own.
    """

    trains: ClassVar[Collection[str]] = (algorithms.DEFAULT,)  # the algorithms that it has
    declares = False  # whether there is a `declare_command`
    not_restored: tuple[str, ...] = ()  # what is lost when it goes on from a checkpoint
    # Settings that it has no other values of than these, by `algorithms.FIELDS`.
    fixed: ClassVar[Mapping[str, Any]] = {}
    copies_data: ClassVar[bool] = False  # the data handed out are a copy, which it may spoil
    takes_weights = True  # it begins with the initial weights that are handed out

    def __init__(self, contender: Contender) -> None:
        self.contender = contender

    @property
    def name(self) -> str:
        """Of the contender: in folders, files and tables."""
        return self.contender.name

    @property
    def title(self) -> str:
        """Of the contender, for people."""
        return self.contender.title

    @property
    def departs(self) -> Mapping[str, Any]:
        """Settings that it trains with in place of the profile's.

        What is `asked` of it has them, and rung 4 takes them as declared, of it and of nobody else.
        """
        return {**self.fixed, **self.contender.changes}

    def departs_on(self, device: str) -> Mapping[str, Any]:
        """The same, where they depend on the device."""
        return {**self.departs, **self.fixed_on(device), **self.contender.changes}

    def fixed_on(self, device: str) -> Mapping[str, Any]:
        """`fixed`, where it depends on the device."""
        return self.fixed

    @property
    def differs(self) -> Mapping[str, Any]:
        """In what its method departs, as its owner declares: no settings that are asked for."""
        return {}

    @property
    def places(self) -> Mapping[str, str]:
        """Where in its folder it finds what is handed out: path -> data, labelled or weights."""
        return {DATA: DATA}

    def kept_files(self) -> Mapping[str, str]:
        """What is kept with each run, so that it can be read where this is not installed."""
        return {}

    def asked(self, request: Request) -> Request:
        """What is asked of it where `request` is asked of all."""
        mine = request.under(self.contender.algorithm)
        departs = self.departs_on(request.device)
        options = {key: departs.get(key, value) for key, value in mine.options.items()}
        of_run = {key: value for key, value in departs.items() if key != "compile"}
        return replace(mine, options=options).departing(of_run)

    def unavailable(self) -> str | None:
        """Why it cannot run here, in one line; None if it can."""
        contender = self.contender
        if contender.unavailable:
            return contender.unavailable
        if contender.algorithm not in self.trains:
            title = algorithms.of(contender.algorithm).title
            return f"{contender.implementation} has no {title}; leave it out of ALGORITHMS"
        return None

    @abstractmethod
    def commit(self) -> str:
        """The commit of its source."""

    @abstractmethod
    def source_sha256(self) -> str:
        """Over the code that trains, as it is now: a run of another sum is of other code.

        '' where that code is not here.
        """

    def torch_version(self) -> str | None:
        """Of the torch that it trains with; None: not known before it has."""
        return None

    @abstractmethod
    def weights_command(self, profile: Profile, seed: int, out: Path) -> Command:
        """Writes the initial weights that it draws for `seed` to `out` (safetensors)."""

    @abstractmethod
    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        """Trains in `folder`, with the settings files that the child needs.

        `resume`: go on from the checkpoint in `folder`, appending to the log there.
        """

    def resumes_at(self, folder: Path) -> int | None:
        """The iteration of the checkpoint in `folder`; None: it has none, it cannot go on.

        Raises BadInput for a damaged one.
        """
        return None

    def loader_workers(self, device: str) -> tuple[int, ...]:
        """Numbers of loader processes worth timing, a comparison's first; (): no choice."""
        return ()

    def shared_memory(self, request: Request) -> int:
        """Bytes of /dev/shm that a run holds at once."""
        return 0

    def keep_often(self) -> None:
        """From now on ask for checkpoints as often as can be, to try how a stopped run goes on."""
        return

    def evaluated_after(self, profile: Profile) -> list[int]:
        """The evaluations that a run must have, by the updates before them."""
        return profile.evaluated_after()

    def shortfall(self, request: Request, folder: Path, points: Sequence[Point] | None) -> str:
        """Why a run that ended by itself is not what was asked for; '' where nothing tells so.

        `points` are None before its log is read.
        """
        return ""

    @abstractmethod
    def log(self, folder: Path) -> Path:
        """The log that it writes, in its own format; of several, the one written to last."""

    def logs(self, folder: Path) -> list[Path]:
        """All files that its points are read from."""
        return [self.log(folder)]

    @abstractmethod
    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        """Its evaluations so far; `class_counts` are the test set's. Raises LogError."""

    def check_algorithm(self, log: Path, found: str | None) -> None:
        """Raise LogError where a log names another algorithm than the contender's.

        None: the log does not say.
        """
        mine = self.contender.algorithm
        if found is not None and found != mine:
            raise LogError(
                f"{log}: a log of {found}, and {self.name} is of {mine}; move the run folder away"
            )

    @abstractmethod
    def facts(self, folder: Path) -> Facts | None:
        """What it itself recorded of what it used; None before it has."""

    def settings(self, folder: Path) -> dict[str, Resolved]:
        """What it itself recorded of its settings, by `algorithms.FIELDS`; {} if nothing."""
        return {}

    def declare_command(self, request: Request, folder: Path) -> Command | None:
        """Leaves in `folder` what `facts` and `settings` read, and trains nothing."""
        return None

    def answer_command(self, folder: Path) -> Command | None:
        """Answers the ladder's questions in `folder` (see `parity.question`); None: cannot."""
        return None

    def judge_command(
        self, weights: Path, images: Path, profile: Profile, device: str, out: Path
    ) -> Command | None:
        """Writes what `weights` say of `images` (.npy, (N, 32, 32, 3) uint8) to `out`.

        `out`: .npy, (N, classes) float32, in the arithmetic of `profile.precision`; beside it, with
        the suffix NOISE, by how much its logits may be off. None: it cannot evaluate weights that
        are given to it.
        """
        return None

    def own_judge_command(
        self, request: Request, folder: Path, images: Path, out: Path
    ) -> Command | None:
        """Writes what its own network says of images, with the weights that it left in `folder`.

        Files as for `judge_command`. None: it leaves weights that the one judge takes, or none.
        """
        return None

    def predicted(self, folder: Path) -> NDArray[np.int64] | None:
        """What it predicted of each test image at its last evaluation, as it was seen to."""
        return None

    def untimed(self) -> str:
        """Why its iterations cannot be timed; '' where they can."""
        return ""

    def benchmark_command(self, request: Request, folder: Path, asked: Timing) -> Command | None:
        """Trains in `folder` and times its iterations; None: it cannot be timed."""
        return None

    def timed(self, folder: Path, asked: Timing) -> dict[str, Any]:
        """What `benchmark_command` measured in `folder`: at least `seconds_per_iteration`.

        Raises HarnessError where it left no measurement.
        """
        raise HarnessError(f"{self.name} cannot be timed")

    @abstractmethod
    def progress(self, folder: Path) -> Progress | None:
        """How far it is; None before it has begun."""
