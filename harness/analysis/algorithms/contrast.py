"""Two algorithms of one implementation: what both were told alike, and what was told otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.experiment import algorithms
from harness.experiment.algorithms import Algorithm
from harness.runs.folder import Run


@dataclass(frozen=True)
class Contrast:
    """The settings of the runs of two algorithms; each differing one has a value of either."""

    titles: tuple[str, str]
    equal: tuple[str, ...]
    different: Mapping[str, tuple[str, str]]


def settings(runs: Sequence[Run]) -> list[Contrast]:
    """The default algorithm against each other one that has runs here.

    `runs` are of contenders that declare no changes: those of one algorithm share their settings.
    """
    by_algorithm: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        used = run.manifest.settings
        by_algorithm.setdefault(algorithms.recorded(used), used)
    first = by_algorithm.pop(algorithms.DEFAULT, None)
    if first is None:
        return []
    return [
        _contrast(algorithms.FIXMATCH, first, algorithms.of(name), used)
        for name, used in by_algorithm.items()
    ]


def _contrast(
    one: Algorithm, ones: Mapping[str, Any], other: Algorithm, others: Mapping[str, Any]
) -> Contrast:
    free = algorithms.not_shared(one.name, other.name) - {"algorithm", "iterations_per_epoch"}
    names = [name for name in dict.fromkeys((*ones, *others)) if name in free]
    different = {
        name: (_value(ones, name), _value(others, name))
        for name in names
        if ones.get(name) != others.get(name)
    }
    equal = [
        name
        for name in dict.fromkeys((*one.fields, "data_sha256"))
        if name in ones and ones[name] == others.get(name)
    ]
    work = zip(_work(one, ones).items(), _work(other, others).values(), strict=True)
    different |= {name: (mine, theirs) for (name, mine), theirs in work if mine != theirs}
    return Contrast((one.title, other.title), tuple(equal), different)


def _value(settings: Mapping[str, Any], name: str) -> str:
    return str(settings[name]) if name in settings else "-"


def _work(algorithm: Algorithm, settings: Mapping[str, Any]) -> dict[str, str]:
    """What follows from the settings, an iteration."""
    forward, trained = algorithm.images_forward(settings)
    unlabelled = settings["batch_size"] * settings["mu"]
    return {
        "unlabelled images an iteration": str(unlabelled),
        "of them in the loss": algorithm.in_loss,
        "weak views of each": str(algorithm.weak_views),
        "images through the network": str(forward),
        "of them in the batch of the losses": str(trained),
    }
