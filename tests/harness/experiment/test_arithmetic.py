"""PRECISION and COMPILE: asked of ours, and declared by who has no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.experiment import arithmetic, profile
from harness.experiment.data import read_dataset
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.implementations.reported import Evidence, Facts, Resolved
from harness.parity.terms import first_difference
from harness.runs import inputs
from harness.runs.folder import RunsFolder, check_same_terms
from harness.runs.manifest import Manifest, Status, write_manifest
from harness.runs.origins import origin, taking

FACTS = Facts(
    data_sha256="d", split_sha256="s", initial_weights_sha256="w", torch_version="2", device="cpu"
)


def test_nothing_is_asked_unless_it_is() -> None:
    assert arithmetic.asked("", False, "cpu") == {}
    asked = arithmetic.asked("bf16", True, "cpu")
    assert asked == {"precision": "bf16", "compile": True}
    with pytest.raises(BadInput, match="PRECISION fp8: unknown; use fp32, tf32, bf16"):
        arithmetic.asked("fp8", False, "cuda")
    with pytest.raises(BadInput, match="PRECISION tf32: only CUDA has it"):
        arithmetic.asked("tf32", False, "cpu")


@pytest.fixture
def request_(data_dir: Path) -> Request:
    options = arithmetic.asked("bf16", True, "cpu")
    return Request(profile.load("quick"), read_dataset(data_dir), 40, 0, "cpu", options)


def evidence(name: str, request: Request, **used: Any) -> Evidence:
    side = registry.create(name)
    asked = inputs.request_settings(side.asked(request))
    settings = {key: Resolved(value, "log") for key, value in used.items()}
    return Evidence(name, FACTS, settings, departs=side.departs, asked=asked)


def test_each_is_asked_what_it_can(request_: Request) -> None:
    ours = inputs.request_settings(registry.create("own").asked(request_))
    theirs = inputs.request_settings(registry.create("torchssl").asked(request_))
    assert (ours["precision"], ours["compile"]) == ("bf16", True)
    assert (theirs["precision"], theirs["compile"]) == ("fp32", False)
    command = " ".join(registry.create("own").train_command(request_, Path()).argv)
    assert "--precision bf16" in command and "--compile" in command


def test_it_is_a_declared_departure_and_must_be_what_was_computed(request_: Request) -> None:
    asked = {"precision": "bf16", "compile": True}
    theirs = evidence("torchssl", request_, precision="fp32")
    ours = evidence("own", request_, **asked)
    assert first_difference(ours, asked, [theirs]) is None
    assert first_difference(theirs, {"precision": "fp32", "compile": False}, [ours]) is None
    eager = evidence("own", request_, precision="bf16", compile=False)
    found = first_difference(eager, asked, [theirs])
    assert str(found).endswith("compile: it used False, asked for was True")


@pytest.mark.parametrize(
    ("done", "name", "mixes"),
    [({}, "own", True), ({"compile": True}, "own", False), ({}, "torchssl", False)],
)
def test_runs_of_one_folder_are_all_compiled_or_none(
    request_: Request, tmp_path: Path, done: dict[str, Any], name: str, mixes: bool
) -> None:
    settings = inputs.request_settings(registry.create(name).asked(request_))
    settings = {key: v for key, v in settings.items() if key != "compile"} | done
    before = Manifest(
        implementation=name, labels=40, seed=0, settings=settings, status=Status.DONE, facts=FACTS
    )
    own = registry.create("own")
    planned = RunsFolder(tmp_path).planned(own, own.asked(request_))
    if mixes:
        with pytest.raises(BadInput, match="done with compile = False, asked for is True"):
            check_same_terms(planned, [(tmp_path, before)])
    else:
        check_same_terms(planned, [(tmp_path, before)])


@pytest.mark.parametrize(("done", "taken"), [({}, True), ({"compile": True}, False)])
def test_a_reference_is_taken_where_it_was_not_compiled(
    request_: Request, tmp_path: Path, done: dict[str, Any], taken: bool
) -> None:
    """Ours may be: TorchSSL's side is asked for without, and a run that says nothing had none."""
    reference = registry.create("torchssl")
    asked = reference.asked(request_)
    settings = {k: v for k, v in inputs.request_settings(asked).items() if k != "compile"} | done
    run = Manifest(
        implementation="torchssl", labels=40, seed=0, settings=settings, status=Status.DONE,
        facts=FACTS,
    )  # fmt: skip
    planned = RunsFolder(tmp_path / "here").planned(reference, asked)
    write_manifest(tmp_path / "there" / planned.folder.name, run)
    found = origin.of(run)
    if taken:
        assert taking.take(planned, found, tmp_path / "there", "there") == ""
    else:
        with pytest.raises(taking.OtherTerms, match="compile = True, asked for is False"):
            taking.take(planned, found, tmp_path / "there", "there")
