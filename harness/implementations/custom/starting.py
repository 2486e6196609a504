"""How it is started: its words and files, and what is told to the code in its process."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.experiment import split
from harness.experiment.fingerprints import split_sha256
from harness.implementations.custom import interpreter, placeholders
from harness.implementations.custom.spec import Spec
from harness.implementations.interface import (
    INITIAL_WEIGHTS,
    LABELLED,
    REPOSITORY,
    Command,
    Request,
)

CHILD = "harness.implementations.custom.child"
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}  # its folders are not written to


def told(spec: Spec, request: Request, names: dict[str, Any], source: Path) -> dict[str, Any]:
    """What its process is told, and what is needed to read what it leaves."""
    run, network = spec.run, spec.network
    filled = None
    if network is not None:
        sized = placeholders.render(network.sized, names, "network.sized")
        filled = network.model_dump() | {"sized": sized}
    drawn = split.draw(request.labels, request.seed, request.dataset)
    script = str(placeholders.render(run.script, names, "run.script"))
    by_words = placeholders.mentions(_texts(spec), "labelled_indices")
    return {
        "schema": 1,
        "names": names,
        "source": str(source),
        "script": str(source / script) if script else "",
        "module": run.module,
        "shims": _shims(spec, request),
        "stubs": list(run.stubs),
        "network": filled,
        "iterations": request.profile.iterations,
        "labelled": LABELLED,
        "weights": INITIAL_WEIGHTS,
        "split_sha256": split_sha256(drawn),
        "inject": spec.split.inject if spec.split is not None else "",
        "is_told_the_split": by_words
        or "labelled" in run.places.values()
        or spec.split is not None,
        "settings": placeholders.render(spec.settings, names, "settings"),
    }


def takes_weights(spec: Spec) -> bool:
    """Whether it begins with the weights that are handed out, by one way or another."""
    return (
        (spec.network is not None and spec.network.initial is not None)
        or "weights" in spec.run.places.values()
        or placeholders.mentions(_texts(spec), "initial_weights")
    )


def words(spec: Spec, names: Mapping[str, Any], resume: bool) -> list[str]:
    """Its arguments: placeholders are filled in each word, whatever is in their values."""
    texts = {"run.arguments": spec.run.arguments}
    if resume and spec.run.resume is not None:
        texts["run.resume.arguments"] = spec.run.resume.arguments
    return [
        str(placeholders.render(word, names, key))
        for key, text in texts.items()
        for word in shlex.split(text)
    ]


def files(spec: Spec, names: Mapping[str, Any], resume: bool) -> dict[str, str]:
    """The settings files that it reads, by name."""
    given: dict[str, str | dict[str, Any]] = dict(spec.run.files)
    if resume and spec.run.resume is not None:
        for name, over in spec.run.resume.files.items():
            before = given.get(name)
            given[name] = {**before, **over} if isinstance(before, dict) else over
    written = {}
    for name, content in given.items():
        filled = placeholders.render(content, names, f"run.files.{name}")
        written[name] = filled if isinstance(filled, str) else _dumped(name, filled)
    return written


def environment(spec: Spec, names: Mapping[str, Any]) -> dict[str, str]:
    """What it wants in its environment beside that of the user."""
    filled = placeholders.render(spec.run.environment, names, "run.environment")
    return {name: str(value) for name, value in filled.items()}


def child(spec: Spec, source: Path, module: str, told: str, written: Mapping[str, str]) -> Command:
    """A module of `child/` in its interpreter; `told` is the file that tells it what to do."""
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    argv = (interpreter.find(spec.python, source), "-m", f"{CHILD}.{module}", told)
    return Command(argv, {"PYTHONPATH": path, **NO_BYTECODE}, written)


def as_json(content: Mapping[str, Any]) -> str:
    """As its process reads it."""
    return json.dumps(content, indent=1) + "\n"


def _shims(spec: Spec, request: Request) -> list[str]:
    """Those that it asks for, and those that this machine and data need.

    One that is told its device needs none for it.
    """
    needed = []
    if request.device == "cpu" and not placeholders.mentions(_texts(spec), "device"):
        needed.append("cuda-on-cpu")
    if not request.dataset.official:
        needed.append("data-sums")
    return list(dict.fromkeys((*needed, *spec.run.shims)))


def _texts(spec: Spec) -> Sequence[Any]:
    """All that it is given and that may have placeholders."""
    run = spec.run
    return [run.arguments, run.files, run.command, run.environment]


def _dumped(name: str, content: Mapping[str, Any]) -> str:
    if name.endswith(".json"):
        return as_json(content)
    text: str = yaml.safe_dump(content, sort_keys=False)
    return text
