"""Implementations that train nothing, as entries of the registry."""

from __future__ import annotations

from harness.implementations import registry
from tests.fakes.fake import Fake
from tests.fakes.fake_baseline import FakeBaseline

FAKES = {"fake": Fake, "fake_baseline": FakeBaseline}


def register() -> None:
    """For a process of its own."""
    for name, make in FAKES.items():
        registry.register(name, make)
