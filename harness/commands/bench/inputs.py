"""What a block of a bench is given to train on, and which of its sides cannot be timed at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.implementations.interface import Implementation, Request
from harness.parity import preflight
from harness.runs import copies, inputs

Reasons = dict[str, str]  # by the name of an implementation


@contextmanager
def given(side: Implementation, request: Request, folder: Path) -> Iterator[None]:
    """Data and labelled indices in `folder`, and for one that is described by a file all the rest.

    Raises Incomplete where no initial weights can be drawn for it.
    """
    inputs.data_and_split(request, folder, side)
    if not side.copies_data:
        yield
        return
    try:
        if side.takes_weights:
            preflight.draw_weights(side, request, folder)
        copies.hand_out_files(folder, side.places)
        yield
    finally:
        copies.take_back(folder, side.places)  # read-only: others could not remove them


def able(sides: Sequence[Implementation]) -> tuple[list[Implementation], Reasons]:
    """Those that can be timed, and of the others why not."""
    reasons = {side.name: side.unavailable() or side.untimed() for side in sides}
    lacking = {name: why for name, why in reasons.items() if why}
    return [side for side in sides if side.name not in lacking], lacking
