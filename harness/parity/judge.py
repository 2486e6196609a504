"""Rung 8: one evaluator for all, that of our own FixMatch, asked through the interface.

Rung 5 of the ladder shows that its network and TorchSSL's are the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, Incomplete
from harness.experiment.data import read_images
from harness.experiment.profile import Profile
from harness.implementations import registry
from harness.implementations.interface import FINAL_WEIGHTS, Command, Implementation, Request
from harness.runs import predictions
from harness.runs.execution import child
from harness.runs.folder import Planned, attempt_folder
from harness.runs.manifest import Status, read_manifest, write_manifest
from harness.runs.predictions import Predictions

JUDGE = "own"
ASKED, ANSWER = "judged-images.npy", "judged.npy"


def logits(
    profile: Profile, weights: Path, images: NDArray[np.uint8], folder: Path, device: str
) -> NDArray[np.float32]:
    """What the network of `profile` with `weights` says of images (N, 32, 32, 3): (N, classes).

    The child works in `folder`, which is left as it was but for its output. Raises Incomplete.
    """
    asked, answer = folder / ASKED, folder / ANSWER
    command = registry.create(JUDGE).judge_command(weights, asked, profile, device, answer)
    if command is None:
        raise Incomplete(f"{JUDGE} evaluates no weights that are given to it")
    return _ask(command, folder, images, str(weights))


def _ask(
    command: Command, folder: Path, images: NDArray[np.uint8], what: str
) -> NDArray[np.float32]:
    """The logits that `command` answers in `folder`, of `what`. Raises Incomplete."""
    asked, answer = folder / ASKED, folder / ANSWER
    try:
        np.save(asked, images)
        ended = child.run(command, folder)
        if ended.code != 0:
            raise Incomplete(f"{what}: cannot be judged: {ended.last_line}")
        found: NDArray[np.float32] = np.load(answer)
    finally:
        asked.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    return found


def judge_run(
    run_folder: Path, attempt: Path, request: Request, side: Implementation
) -> Predictions | None:
    """Judge the final weights in `attempt` on the test set, and keep the predictions.

    Those of a network of its own go through that network; where it says of none how, what it was
    seen to predict at its last evaluation counts. None where there is neither. Raises Incomplete,
    BadInput.
    """
    predicted = _predicted(attempt, request, side)
    if predicted is None:
        return None
    found = Predictions(request.dataset.test_labels, predicted)
    predictions.write(run_folder, found)
    return found


def _predicted(attempt: Path, request: Request, side: Implementation) -> NDArray[np.int64] | None:
    """The class of each test image, (N,)."""
    weights = attempt / FINAL_WEIGHTS
    if weights.exists():
        images = read_images(request.dataset).test
        said = logits(request.profile, weights, images, attempt, request.device)
        return _classes(said)
    asked, answer = attempt / ASKED, attempt / ANSWER
    command = side.own_judge_command(request, attempt, asked, answer)
    if command is not None:
        images = read_images(request.dataset).test
        return _classes(_ask(command, attempt, images, str(attempt)))
    seen = side.predicted(attempt)
    if seen is not None and len(seen) != request.dataset.test_size:
        raise Incomplete(f"{attempt}: {len(seen)} predictions of {request.dataset.test_size}")
    return seen


def _classes(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    classes: NDArray[np.int64] = logits.argmax(axis=1)
    return classes


def judge(planned: Planned, say: Callable[[str], None]) -> None:
    """Judge a finished run that has not been, if its final weights are still there."""
    folder = planned.folder
    manifest = read_manifest(folder)
    if manifest is None or manifest.status is not Status.DONE or manifest.judged_top1 is not None:
        return
    try:
        attempt = attempt_folder(folder, manifest.attempt)
        found = judge_run(folder, attempt, planned.request, planned.side)
    except HarnessError as error:
        say(f"{planned.title}: not judged: {error}")
        return
    if found is not None:
        write_manifest(folder, manifest.model_copy(update={"judged_top1": found.top1}))
