"""Rung 8: one evaluator for all, that of our own FixMatch, asked through the interface.

Rung 5 of the ladder shows that its network and TorchSSL's are the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, Incomplete
from harness.experiment.arithmetic import PRECISIONS
from harness.experiment.data import read_images
from harness.experiment.profile import Profile
from harness.implementations import registry
from harness.implementations.interface import FINAL_WEIGHTS, NOISE, Command
from harness.runs import predictions
from harness.runs.execution import child
from harness.runs.folder import Planned, attempt_folder
from harness.runs.manifest import Status, read_manifest, write_manifest
from harness.runs.predictions import Predictions

JUDGE = "own"
ASKED, ANSWER = "judged-images.npy", "judged.npy"


@dataclass(frozen=True)
class Judged:
    """Logits (N, classes), and by how much a difference of two of them may be off."""

    logits: NDArray[np.float32]
    noise: float

    @property
    def close(self) -> int:
        """Images whose two likeliest classes are nearer to each other than that."""
        if self.logits.shape[1] < 2:
            return 0
        second, first = np.partition(self.logits, -2, axis=1)[:, -2:].T
        return int((first - second < self.noise).sum())


def logits(
    profile: Profile, weights: Path, images: NDArray[np.uint8], folder: Path, device: str
) -> NDArray[np.float32]:
    """What `judged` says, without its noise. Raises Incomplete."""
    return judged(profile, weights, images, folder, device).logits


def judged(
    profile: Profile, weights: Path, images: NDArray[np.uint8], folder: Path, device: str
) -> Judged:
    """What the network of `profile` with `weights` says of images (N, 32, 32, 3).

    In the profile's arithmetic. The child works in `folder`, which is left as it was but for its
    output. Raises Incomplete.
    """
    asked, answer = folder / ASKED, folder / ANSWER
    command = registry.create(JUDGE).judge_command(weights, asked, profile, device, answer)
    if command is None:
        raise Incomplete(f"{JUDGE} evaluates no weights that are given to it")
    return _ask(command, folder, images, str(weights))


def _ask(command: Command, folder: Path, images: NDArray[np.uint8], what: str) -> Judged:
    """What `command` answers in `folder`, of `what`. Raises Incomplete."""
    asked, answer = folder / ASKED, folder / ANSWER
    noise = answer.with_suffix(NOISE)
    try:
        np.save(asked, images)
        ended = child.run(command, folder)
        if ended.code != 0:
            raise Incomplete(f"{what}: cannot be judged: {ended.last_line}")
        found: NDArray[np.float32] = np.load(answer)
        off = float(noise.read_text(encoding="ascii")) if noise.exists() else 0.0
    finally:
        for path in (asked, answer, noise):
            path.unlink(missing_ok=True)
    return Judged(found, off)


def _said(
    planned: Planned, attempt: Path, profile: Profile
) -> tuple[NDArray[np.int64], int] | None:
    """The class of each test image (N,), and how many of them are too close to be told apart.

    Those of a network of its own go through that network; where it says of none how, what it was
    seen to predict at its last evaluation counts. None where there is neither. Raises Incomplete,
    BadInput.
    """
    side, request = planned.side, planned.request
    weights = attempt / FINAL_WEIGHTS
    if weights.exists():
        images = read_images(request.dataset).test
        return _classes(judged(profile, weights, images, attempt, request.device))
    command = side.own_judge_command(request, attempt, attempt / ASKED, attempt / ANSWER)
    if command is not None:
        images = read_images(request.dataset).test
        return _classes(_ask(command, attempt, images, str(attempt)))
    seen = side.predicted(attempt)
    if seen is not None and len(seen) != request.dataset.test_size:
        raise Incomplete(f"{attempt}: {len(seen)} predictions of {request.dataset.test_size}")
    return None if seen is None else (seen, 0)


def _classes(said: Judged) -> tuple[NDArray[np.int64], int]:
    classes: NDArray[np.int64] = said.logits.argmax(axis=1)
    return classes, said.close


def judge(planned: Planned, say: Callable[[str], None]) -> None:
    """Judge a finished run that has not been, if its final weights are still there.

    Keeps its predictions, and in the manifest its accuracy with the number of images that are too
    close to be told apart in the run's arithmetic.
    """
    folder = planned.folder
    manifest = read_manifest(folder)
    if manifest is None or manifest.status is not Status.DONE or manifest.judged_top1 is not None:
        return
    attempt = attempt_folder(folder, manifest.attempt)
    try:
        profile = _as_it_computed(planned, attempt)
        said = _said(planned, attempt, profile)
    except HarnessError as error:
        say(f"{planned.title}: not judged: {error}")
        return
    if said is None:
        return
    predicted, close = said
    found = Predictions(planned.request.dataset.test_labels, predicted)
    predictions.write(folder, found)
    change = {"judged_top1": found.top1, "judged_close": close}
    write_manifest(folder, manifest.model_copy(update=change))
    if close:
        say(
            f"{planned.title}: judged {found.top1:.2f}; {close} of {len(found.targets)} test "
            f"images are too close to be told apart in {profile.precision}"
        )


def _as_it_computed(planned: Planned, attempt: Path) -> Profile:
    """The run's profile, with the precision that it recorded itself where the judge has it."""
    profile, device = planned.request.profile, planned.request.device
    recorded = planned.side.settings(attempt).get("precision")
    if recorded is None or recorded.value not in PRECISIONS:
        return profile
    if recorded.value == "tf32" and device == "cpu":
        return profile
    return profile.model_copy(update={"precision": recorded.value})
