"""One evaluator for all: what given final weights predict, by the evaluation of our own FixMatch.

Rung 5 of the ladder shows that its network and TorchSSL's are the same function.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import predictions
from harness.data import read_images
from harness.errors import Incomplete
from harness.execution import local
from harness.execution.job import Command
from harness.implementations.base import FINAL_WEIGHTS, REPOSITORY, Request
from harness.predictions import Predictions
from harness.profile import Profile


def logits(
    profile: Profile, weights: Path, images: NDArray[np.uint8], folder: Path, device: str
) -> NDArray[np.float32]:
    """What the network of `profile` with `weights` says of images (N, 32, 32, 3): (N, classes).

    The child works in `folder`, which is left as it was but for its output. Raises Incomplete.
    """
    asked, answer = folder / "judged-images.npy", folder / "judged.npy"
    np.save(asked, images)
    options: dict[str, Any] = {
        "weights": weights.resolve(),
        "images": asked.resolve(),
        "depth": profile.depth,
        "widen-factor": profile.widen_factor,
        "device": device,
        "out": answer.resolve(),
    }
    argv = [sys.executable, "-m", "own_impl.answers.judge"]
    argv += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    try:
        ended = local.run(Command(tuple(argv), {"PYTHONPATH": str(REPOSITORY)}), folder)
        if ended.code != 0:
            raise Incomplete(f"{weights}: cannot be judged: {ended.last_line}")
        found: NDArray[np.float32] = np.load(answer)
    finally:
        asked.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    return found


def judge_run(run_folder: Path, attempt: Path, request: Request) -> Predictions | None:
    """Judge the final weights in `attempt` on the test set, and keep the predictions.

    None where there are no weights any more. Raises Incomplete.
    """
    weights = attempt / FINAL_WEIGHTS
    if not weights.exists():
        return None
    images = read_images(request.dataset).test
    said = logits(request.profile, weights, images, attempt, request.device)
    found = Predictions(request.dataset.test_labels, said.argmax(axis=1))
    predictions.write(run_folder, found)
    return found
