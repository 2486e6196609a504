"""The implementations that can be compared, by name: an explicit list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import BadInput
from harness.implementations.interface import Baseline, Implementation
from harness.implementations.labelled_only import LabelledOnly
from harness.implementations.own import Own
from harness.implementations.torchssl.implementation import create as create_torchssl

_CREATE: dict[str, Callable[[], Implementation]] = {
    "own": Own,
    "torchssl": create_torchssl,
    "labelled_only": LabelledOnly,
}


def register(name: str, make: Callable[[], Implementation]) -> None:
    """Add an implementation, or put another one in the place of that name."""
    _CREATE[name] = make


def names() -> list[str]:
    """The implementations that there are."""
    return sorted(_CREATE)


def create(name: str) -> Implementation:
    """The implementation of that name. Raises BadInput for an unknown one."""
    if name not in _CREATE:
        raise BadInput(f"IMPLEMENTATIONS {name}: unknown; use {', '.join(names())}")
    return _CREATE[name]()


def departs(name: str) -> Mapping[str, Any]:
    """The settings that the implementation of that name declares to change; none if unknown."""
    return create(name).departs if name in names() else {}


def baselines() -> dict[str, Baseline]:
    """The implementations that are baselines, by name."""
    found = ((name, create(name).baseline) for name in names())
    return {name: baseline for name, baseline in found if baseline is not None}
