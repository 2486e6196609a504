"""A contender with another algorithm: its name, whom it is held against, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.errors import BadInput
from harness.experiment import contender
from harness.experiment.contender import Contender
from harness.implementations import registry


@pytest.mark.parametrize(
    ("name", "title", "against"),
    [
        ("own", "FixMatch (own)", "torchssl"),
        ("torchssl", "FixMatch (TorchSSL)", ""),
        ("own-mixmatch", "MixMatch (own)", "torchssl-mixmatch"),
        ("torchssl-mixmatch", "MixMatch (TorchSSL)", ""),
    ],
)
def test_each_is_held_against_the_reference_with_its_algorithm(
    name: str, title: str, against: str
) -> None:
    found = registry.contender(name)
    assert (found.name, found.title, found.held_against) == (name, title, against)


def test_a_title_without_an_algorithm_gets_one() -> None:
    plain = Contender(name="mine", title="Mine", implementation="own")
    assert plain.under("mixmatch").title == "Mine, MixMatch"


def test_it_is_asked_for_by_algorithm_or_by_name() -> None:
    assert registry.under("own", "fixmatch") == "own"
    assert registry.under("own", "mixmatch") == "own-mixmatch"
    assert registry.under("own-mixmatch", "fixmatch") == "own-mixmatch"
    assert list(registry.entered()) == [
        "own", "torchssl", "labelled_only",
        "own-mixmatch", "torchssl-mixmatch", "labelled_only-mixmatch",
        "own-flexmatch", "torchssl-flexmatch", "labelled_only-flexmatch",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["own-fixmatch", "own-uda", "other-mixmatch", "-mixmatch"])
def test_another_name_is_unknown(name: str) -> None:
    assert not registry.is_known(name)
    with pytest.raises(
        BadInput, match=rf"^IMPLEMENTATIONS {name}: unknown; use labelled_only, own"
    ):
        registry.contender(name)


def test_what_a_file_changes_is_of_its_algorithm() -> None:
    derived = registry.create("labelled_only-mixmatch")
    assert derived.departs == {}
    assert derived.unavailable() == (
        "what labelled_only changes is of FixMatch alone; say what it is with MixMatch in "
        "configs/contenders/labelled_only-mixmatch.yaml"
    )


def test_a_file_says_what_it_is_with_another_algorithm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contender, "FOLDER", tmp_path)
    (tmp_path / "own.yaml").write_text("{name: own, title: Ours, implementation: own}")
    (tmp_path / "own-mixmatch.yaml").write_text(
        "{name: own-mixmatch, title: Softer, implementation: own, algorithm: mixmatch, "
        "changes: {temperature: 0.9}}"
    )
    side = registry.create(registry.under("own", "mixmatch"))
    assert (side.title, side.departs) == ("Softer", {"temperature": 0.9})
    assert list(registry.entered()) == ["own", "own-mixmatch", "own-flexmatch"]


@pytest.mark.parametrize(
    ("algorithm", "changes", "text"),
    [
        (
            "mixmatch",
            {"threshold": 0.9},
            "changes: threshold is a setting of FixMatch and FlexMatch; MixMatch has",
        ),
        ("fixmatch", {"alpha": 0.75}, "changes: alpha is a setting of MixMatch; FixMatch has"),
        ("flexmatch", {"ramp_up": 0.4}, "changes: ramp_up is a setting of MixMatch; FlexMatch has"),
        ("uda", {}, "algorithm uda: unknown; use fixmatch, mixmatch, flexmatch"),
    ],
)
def test_settings_of_another_algorithm_are_refused(
    algorithm: str, changes: dict[str, float], text: str
) -> None:
    with pytest.raises(ValidationError, match=text):
        Contender(name="x", title="X", implementation="own", algorithm=algorithm, changes=changes)
