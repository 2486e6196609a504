"""What every child of a run is given before it starts: data, labelled indices, initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.experiment import split
from harness.experiment.fingerprints import split_sha256
from harness.implementations import interface, registry
from harness.implementations.interface import Command, Implementation, Request
from harness.runs import copies


def request_settings(request: Request) -> dict[str, Any]:
    """What is asked for: two requests with equal settings are the same run."""
    indices = split.draw(request.labels, request.seed, request.dataset)
    return {
        **request.hyper_parameters,
        "iterations_per_epoch": request.iterations_per_epoch,
        "data": request.dataset.name,
        "test_class_counts": request.dataset.test_class_counts,
        "data_sha256": request.dataset.sha256,
        "split_sha256": split_sha256(indices),
        **request.options,
    }


def data_and_split(request: Request, folder: Path, side: Implementation | None = None) -> None:
    """Put the data set and the labelled indices into `folder`.

    A `side` that takes copies is given them, where it looks for them, instead of a link.
    """
    drawn = split.draw(request.labels, request.seed, request.dataset)
    np.save(folder / interface.LABELLED, drawn)
    if side is not None and side.copies_data:
        copies.hand_out(request.dataset.root.resolve(), folder, side.places)
        return
    data = folder / interface.DATA
    data.unlink(missing_ok=True)
    data.symlink_to(request.dataset.root.resolve(), target_is_directory=True)


def initial_weights(implementation: Implementation, request: Request) -> tuple[str, Command]:
    """(who draws them, the command that writes them into the folder in which it is run).

    The reference draws them where it can be had, else the implementation's own builder does.
    """
    reference = registry.reference()
    source = reference if reference.unavailable() is None else implementation
    out = Path(interface.INITIAL_WEIGHTS)  # the child works in its folder
    return source.name, source.weights_command(request.profile, request.seed, out)
