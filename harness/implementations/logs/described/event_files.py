"""TensorBoard's event files: scalars by tag -> points. A resumption's files are joined."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import LogError
from harness.implementations.logs.described import rows
from harness.implementations.logs.described.options import LogOptions
from harness.implementations.logs.described.rows import Rows
from harness.implementations.logs.text import Line
from harness.implementations.reported import Point


@dataclass(frozen=True)
class _Event:
    step: int
    wall_time: float
    value: float


def read(paths: Sequence[Path], options: LogOptions) -> list[Point]:
    """The evaluations in event files, by strictly increasing iteration; the step is the iteration.

    Each file is one start, in the order of their first events. Seconds are those since the first
    event of a file, without the time between two. Raises LogError for a tag that none of the files
    has while there are evaluations, and where a file contradicts itself.
    """
    starts = [(path, found) for path in paths if (found := _scalars(path))]
    starts.sort(key=lambda start: min(e.wall_time for events in start[1].values() for e in events))
    there = {tag for _, found in starts for tag in found}
    if starts:
        _check_tags(paths[0], options.points, there)
    taken = Rows(options)
    before = 0.0
    for path, found in starts:
        if taken.curve.entries:
            taken.start()
        logged = sorted(
            (
                (field, event)
                for field, tag in options.points.items()
                for event in found.get(tag, ())
            ),
            key=lambda one: one[1].wall_time,
        )
        first = min(event.wall_time for events in found.values() for event in events)
        for field, event in logged:
            values = {"iteration": event.step, field: event.value}
            if field == "top1":
                values["seconds"] = round(before + event.wall_time - first, 3)
            taken.take(values, Line(path, event.step, "", "", False))
        taken.end()
        before += logged[-1][1].wall_time - first if logged else 0.0
    return rows.points([taken])


def _check_tags(path: Path, points: Mapping[str, str], there: set[str]) -> None:
    for field, tag in points.items():
        if tag not in there:
            raise LogError(
                f"{path}: no tag {tag!r}, which points.{field} names; it has "
                f"{', '.join(sorted(there))}"
            )


def _scalars(path: Path) -> dict[str, list[_Event]]:
    """The scalars of one file by tag; {} where there are none yet. Raises LogError."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # a file that is being written
    events: Any = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    try:
        events.Reload()
        tags = events.Tags()
        found = {tag: [_scalar(e) for e in events.Scalars(tag)] for tag in tags["scalars"]}
        return found | {tag: [_tensor(e) for e in events.Tensors(tag)] for tag in tags["tensors"]}
    except Exception as error:  # whatever a file that is none makes the library raise
        raise LogError(
            f"{path}: not an event file of TensorBoard ({type(error).__name__}: {error}); name one"
        ) from error


def _scalar(event: Any) -> _Event:
    return _Event(int(event.step), float(event.wall_time), _shortest(event.value))


def _tensor(event: Any) -> _Event:
    from tensorboard.util import tensor_util

    value: Any = tensor_util.make_ndarray(event.tensor_proto)
    number = float(value) if np.ndim(value) == 0 else float("nan")
    return _Event(int(event.step), float(event.wall_time), _shortest(number))


def _shortest(value: float) -> float:
    """A float32 as it was written: 11.6 and not 11.600000381."""
    return float(str(np.float32(value)))
