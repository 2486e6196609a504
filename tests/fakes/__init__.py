"""Implementations that train nothing, as entries of the registry."""

from __future__ import annotations

from harness.experiment.contender import Contender
from harness.implementations import registry
from tests.fakes.fake import Fake
from tests.fakes.fake_with_settings import FakeWithSettings

IMPLEMENTATIONS = {"fake": Fake, "fake_with_settings": FakeWithSettings}
CONTENDERS = {
    "fake": Contender(name="fake", title="Fake", implementation="fake"),
    "fake_baseline": Contender(
        name="fake_baseline",
        title="Fake baseline",
        implementation="fake_with_settings",
        changes={"lambda_u": 0.0},
        baseline_of="fake",
        note="the stand-in without its unlabelled loss.",
    ),
}


def register() -> None:
    """For a process of its own."""
    for contender in CONTENDERS.values():
        registry.register(IMPLEMENTATIONS[contender.implementation], contender)
