"""Rungs 1-4 of the ladder: what must be equal before two runs may be compared.

Each side's own record is held against what was asked for, and against the other sides' records.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.runs.manifest import Facts

RUNGS = {
    1: "same images",
    2: "same labelled images",
    3: "same initial weights",
    4: "same hyper-parameters",
}
SUMS = {1: "data_sha256", 2: "split_sha256", 3: "initial_weights_sha256"}

# Rung 4, in the order shown: the field's standard names, each resolved by both sides.
FIELDS = (
    "labels", "seed", "iterations", "batch_size", "mu", "threshold", "lambda_u", "hard_labels",
    "lr", "momentum", "nesterov", "weight_decay", "warmup", "clip",
    "ema_decay", "depth", "widen_factor", "dropout", "classes", "precision",
    "strong_operations", "replacement", "labelled_pool", "unlabelled_pool",
)  # fmt: skip
# Of our side alone: what a study asks is held against it.
OWN_FIELDS = ("use_ema", "precise_bn", "interleave")


@dataclass(frozen=True)
class Resolved:
    """A setting as one side really used it, and where that is recorded."""

    value: Any
    source: str


@dataclass(frozen=True)
class Evidence:
    """What one side recorded of one run; `settings` is empty where it records none.

    `failure` says why it recorded nothing, where it failed. `departs` are the settings that its
    implementation declares to change, `asked` those that the run was asked for, where kept.
    """

    implementation: str
    facts: Facts | None
    settings: Mapping[str, Resolved]
    failure: str = ""
    departs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    asked: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A broken rung, and the first quantity that differs."""

    rung: int
    text: str

    def __str__(self) -> str:
        return f"rung {self.rung}, {RUNGS[self.rung]}: {self.text}"


def first_difference(
    mine: Evidence, asked: Mapping[str, Any], peers: Sequence[Evidence]
) -> Difference | None:
    """The lowest rung that `mine` breaks; None if it may be compared with `peers`.

    `asked` are the run's requested settings, with what its implementation declares to change. What
    was asked for decides: a peer that strayed from it breaks the rung itself.
    """
    return next(_differences(mine, asked, peers), None)


def _differences(
    mine: Evidence, asked: Mapping[str, Any], peers: Sequence[Evidence]
) -> Iterator[Difference]:
    if mine.facts is None:
        yield Difference(1, "it recorded nothing of the images that it used")
        return
    for rung, key in SUMS.items():
        used = getattr(mine.facts, key)
        if key in asked:
            if used != asked[key]:
                yield Difference(rung, f"it used {used[:12]}, asked for was {asked[key][:12]}")
            continue
        for peer in peers:
            if peer.facts is not None and (theirs := getattr(peer.facts, key)) != used:
                text = f"it used {used[:12]}, {peer.implementation} {theirs[:12]}"
                yield Difference(rung, text)
    yield from _settings_differences(mine, asked, peers)
    yield from _terms_differences(mine, asked, peers)


def _settings_differences(
    mine: Evidence, asked: Mapping[str, Any], peers: Sequence[Evidence]
) -> Iterator[Difference]:
    for field in (*FIELDS, *OWN_FIELDS):
        found = mine.settings.get(field)
        if found is None:
            continue
        if field in asked:
            if found.value != asked[field]:
                yield Difference(4, f"{field}: it used {found.value}, asked for was {asked[field]}")
            continue
        for peer in peers:
            theirs = peer.settings.get(field)
            if theirs is not None and theirs.value != found.value:
                text = f"it used {found.value}, {peer.implementation} {theirs.value}"
                yield Difference(4, f"{field}: {text}")


def _terms_differences(
    mine: Evidence, asked: Mapping[str, Any], peers: Sequence[Evidence]
) -> Iterator[Difference]:
    """What was asked for must be what was declared, and else what was asked of the others."""
    for field, declared in mine.departs.items():
        if field in asked and asked[field] != declared:
            text = f"asked for was {asked[field]}, declared is {declared}"
            yield Difference(4, f"{field}: {text}")
    for peer in peers:
        free = {*mine.departs, *peer.departs}
        for field in FIELDS:
            if field in free or field not in asked or field not in peer.asked:
                continue
            if asked[field] != peer.asked[field]:
                text = f"asked for was {asked[field]}, of {peer.implementation} {peer.asked[field]}"
                yield Difference(4, f"{field}: {text}")
