"""How a log of a format that nobody here wrote is read: what its owner says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.implementations.reported import Point

POINT_FIELDS = tuple(field.name for field in fields(Point))
ITERATION = "iteration"
OWN_FORMATS = ("torchssl", "own", "progress")  # that fix all there is to say of them

Reader = Literal["text", "tensorboard", "csv", "jsonl", "torchssl", "own", "progress"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Counting(BaseModel):
    """Updates made, of what the log counts: n becomes n x `times` + `plus`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: int = Field(default=1, gt=0)
    plus: int = 0


class LogOptions(BaseModel):
    """The options of a reader.

    `pattern` (text): regular expressions, of which each line is held against all; their named
    groups are fields of `Point`. `points` (tensorboard, csv, jsonl): field -> tag, column or key.
    `start`: a pattern of the line that a process writes when it begins; without one, an iteration
    that goes back tells of a new start. `scale`: what a field is multiplied by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reader: Reader
    pattern: Patterns = ()
    points: Mapping[str, str] = {}
    start: str = ""
    iteration: Counting = Counting()
    scale: Mapping[str, float] = {}

    @model_validator(mode="after")
    def _check(self) -> LogOptions:
        given = {name for name in ("pattern", "points", "start", "scale") if getattr(self, name)}
        given |= {"iteration"} if self.iteration != Counting() else set()
        may = {
            "text": {"pattern", "start", "scale", "iteration"},
            "tensorboard": {"points", "scale", "iteration"},
            "csv": {"points", "scale", "iteration"},
            "jsonl": {"points", "scale", "iteration"},
        }.get(self.reader, set())
        if other := sorted(given - may):
            raise ValueError(f"{other[0]}: reader {self.reader} has no such option")
        named = self._groups() if self.reader == "text" else set(self.points)
        if may and "top1" not in named:
            where = (
                "pattern: no group (?P<top1>...)" if self.reader == "text" else "points: no top1"
            )
            raise ValueError(f"{where}: without it there is no evaluation")
        for key in (*named, *self.scale):
            if key not in POINT_FIELDS:
                raise ValueError(f"{key}: unknown; use {', '.join(POINT_FIELDS)}")
        if self.reader == "tensorboard" and ITERATION in named:
            raise ValueError("points.iteration: the step of an event is the iteration")
        return self

    def _groups(self) -> set[str]:
        named: set[str] = set()
        for pattern in (*self.pattern, self.start):
            try:
                compiled = re.compile(pattern)
            except re.error as error:
                raise ValueError(f"pattern: {error} in {pattern!r}") from error
            named |= set(compiled.groupindex)
        return named
