"""What an implementation reports of a run: how far it is, how it did, and what it used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.experiment import algorithms


@dataclass(frozen=True)
class Point:
    """One evaluation. Accuracies are percent; `iteration` counts the updates made before it.

    `loss` is the total training loss of the last batch, `loss_x` its labelled and `loss_u` its
    unlabelled part; `mask` is the share of unlabelled images above the threshold; `eval_loss` the
    mean test loss; `seconds` is counted from the start of the run. None: the log does not say.
    Of the labels guessed for unlabelled images since the evaluation before, those that moved
    weights: mean entropy in nats, accuracy in percent, mean confidence.
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
    guess_entropy: float | None = None
    guess_accuracy: float | None = None
    guess_confidence: float | None = None


class Level(StrEnum):
    """How well it is known that a rung holds, the best first."""

    SHOWN = "shown"  # measured, or seen from inside its process
    HANDED_OUT = "handed out"  # given to it, not seen whole in use
    DECLARED = "declared"  # its owner says so
    DEPARTS = "departs"  # it does otherwise, as is said
    NOT_SHOWN = "not shown"


class Proof(BaseModel):
    """How a rung of the ladder is known to hold of one run, and by what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rung: int
    level: Level
    text: str = ""


class Facts(BaseModel):
    """What an implementation itself recorded of what it used; the proof of comparability.

    `proof` is of one that is not held to every sum: where a sum is '', it says what is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_sha256: str
    split_sha256: str
    initial_weights_sha256: str
    torch_version: str
    device: str
    shims: tuple[str, ...] = ()
    threads: int | None = None  # that an operation on the CPU is split over
    processor: str = ""
    stubs: tuple[str, ...] = ()  # modules that it imports and does not need
    proof: tuple[Proof, ...] = ()
    loader_workers: int | None = None  # processes that prepare unlabelled images


@dataclass(frozen=True)
class Resolved:
    """A setting as one side really used it, and where that is recorded."""

    value: Any
    source: str


@dataclass(frozen=True)
class Evidence:
    """What one side recorded of one run; `settings` is empty where it records none.

    `failure` says why it recorded nothing, where it failed. `departs` are the settings that its
    implementation declares to change, `asked` those that the run was asked for, where kept.
    `differs` are its own departures of method, which nobody asked for and its owner declares.
    """

    implementation: str
    facts: Facts | None
    settings: Mapping[str, Resolved]
    failure: str = ""
    departs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    asked: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    algorithm: str = algorithms.DEFAULT
    differs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_peer(self) -> bool:
        """Whether others are held to it: not to a method of its own."""
        return self.facts is None or not self.facts.proof


@dataclass(frozen=True)
class Progress:
    """How far a running run is: updates made, of how many, in how many seconds of training.

    `first` is the update at which those seconds began: not 0 where only a resumption's are known.
    """

    iteration: int
    iterations: int
    seconds: float
    mask: float | None = None
    first: int = 0

    @property
    def rate(self) -> float:
        """Iterations a second."""
        return (self.iteration - self.first) / self.seconds if self.seconds > 0 else 0.0
