"""Which implementations there are, and which contenders enter with them: explicit lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import BadInput
from harness.experiment import contender as contenders
from harness.experiment.contender import Contender
from harness.implementations.interface import Implementation
from harness.implementations.own import Own
from harness.implementations.torchssl.implementation import TorchSSL

Make = Callable[[Contender], Implementation]

_IMPLEMENTATIONS: dict[str, Make] = {"own": Own, "torchssl": TorchSSL}
_FURTHER: dict[str, Contender] = {}  # contenders without a file in configs/contenders


def register(make: Make, contender: Contender) -> None:
    """Add an implementation, and the contender that enters with it."""
    _IMPLEMENTATIONS[contender.implementation] = make
    _FURTHER[contender.name] = contender


def names() -> list[str]:
    """The contenders that there are."""
    return sorted({*contenders.names(), *_FURTHER})


def contender(name: str) -> Contender:
    """The contender of that name. Raises BadInput for an unknown one."""
    if name in _FURTHER:
        return _FURTHER[name]
    if name not in contenders.names():
        raise BadInput(f"IMPLEMENTATIONS {name}: unknown; use {', '.join(names())}")
    return contenders.load(name)


def create(name: str) -> Implementation:
    """The implementation of the contender of that name. Raises BadInput for an unknown one."""
    entered = contender(name)
    if entered.implementation not in _IMPLEMENTATIONS:
        known = ", ".join(sorted(_IMPLEMENTATIONS))
        raise BadInput(
            f"contender {name}: implementation {entered.implementation}: unknown; use {known}"
        )
    return _IMPLEMENTATIONS[entered.implementation](entered)


def reference() -> Implementation:
    """The implementation that others are held against."""
    return create(contenders.reference())


def departs(name: str, device: str = "cpu") -> Mapping[str, Any]:
    """The settings that the contender of that name declares to change; none if it is unknown."""
    return create(name).departs_on(device) if name in names() else {}


def entered() -> dict[str, Contender]:
    """All contenders by name, in the order of their styles: those without one come last."""
    found = [contender(name) for name in names()]
    last = 1 + max((one.style or 0 for one in found), default=0)
    found.sort(key=lambda one: (last if one.style is None else one.style, one.name))
    return {one.name: one for one in found}
