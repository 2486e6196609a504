"""Rungs 1-4 of the ladder: what must be equal before two runs may be compared.

Each side's own record is held against what was asked for, and against the other sides' records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.experiment import algorithms
from harness.experiment.algorithms import OWN_FIELDS
from harness.implementations.reported import Evidence
from harness.runs.folder import Run
from harness.runs.manifest import Status
from harness.runs.origins import origin
from harness.runs.origins.origin import Origin

RUNGS = {
    1: "same images",
    2: "same labelled images",
    3: "same initial weights",
    4: "same hyper-parameters",
}
HALF_AN_IMAGE = 0.004  # percent, of 10,000 test images
HALF_A_TENTH = 0.0501  # percent: some log one digit
SUMS = {1: "data_sha256", 2: "split_sha256", 3: "initial_weights_sha256"}


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
    was asked for decides: a peer that strayed from it breaks the rung itself. A peer of another
    algorithm shares images, weights and what is neither algorithm's own setting. Nobody is held to
    a peer with a method of its own, and of what is not known of one nothing is said here.
    """
    return next(_differences(mine, asked, [peer for peer in peers if peer.is_peer]), None)


def _differences(
    mine: Evidence, asked: Mapping[str, Any], peers: Sequence[Evidence]
) -> Iterator[Difference]:
    if mine.facts is None:
        yield Difference(1, "it recorded nothing of the images that it used")
        return
    for rung, key in SUMS.items():
        used = getattr(mine.facts, key)
        if not used and mine.facts.proof:
            continue
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
    for field in (*algorithms.of(mine.algorithm).fields, *OWN_FIELDS):
        found = mine.settings.get(field)
        if found is None:
            continue
        if field in mine.differs:
            if found.value != mine.differs[field]:
                text = f"it used {found.value}, declared in differs is {mine.differs[field]}"
                yield Difference(4, f"{field}: {text}")
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
        free |= algorithms.not_shared(mine.algorithm, peer.algorithm)
        for field in algorithms.of(mine.algorithm).fields:
            if field in free or field not in asked or field not in peer.asked:
                continue
            if asked[field] != peer.asked[field]:
                text = f"asked for was {asked[field]}, of {peer.implementation} {peer.asked[field]}"
                yield Difference(4, f"{field}: {text}")


def mark_stale(runs: Sequence[Run], sources: Mapping[str, str]) -> list[Run]:
    """The same runs; a done one of another origin than its contender's other runs is marked.

    `sources` are the sums of the code that counts, by contender; of a contender that has none
    there, and for torch and the kind of device, the run that was started last decides. An imported
    run is of no source, and never stale.
    """
    last: dict[str, Origin] = {}
    for run in sorted(runs, key=lambda run: run.manifest.started):
        if run.manifest.imported:
            continue
        found, name = origin.of(run.manifest), run.manifest.implementation
        if run.status is Status.DONE and sources.get(name, found.source) == found.source:
            last[name] = found
    return [_stale(run, last, sources) for run in runs]


def _stale(run: Run, last: Mapping[str, Origin], sources: Mapping[str, str]) -> Run:
    name, found = run.manifest.implementation, origin.of(run.manifest)
    wanted = last.get(name) or Origin(sources.get(name, found.source), "", "")
    reason = origin.difference(found, wanted)
    if run.status is not Status.DONE or run.manifest.imported or not reason:
        return run
    return replace(run, status=Status.STALE, reason=f"{reason}; 'make compare' trains it anew")


def mark_incomparable(runs: Sequence[Run], varied: Collection[str] = ()) -> list[Run]:
    """The same runs; a done one that did not use what was asked for is marked, with what differs.

    Rungs 1-4 of the ladder, by each side's own record: against what was asked for, and against the
    other runs of the same key, of which other values of the `varied` settings may be asked. Rung 8:
    the accuracy that it logged last is the judge's, but for images that are too close to be told
    apart in the arithmetic of the run.
    """
    marked = []
    fit = [run for run in runs if not _difference(run, [], varied)]  # to be held against
    for run in runs:
        reason = _difference(run, [other for other in fit if other.key == run.key], varied)
        if run.status is Status.DONE and reason:
            run = replace(run, status=Status.INCOMPARABLE, reason=reason)
        marked.append(run)
    return marked


def _difference(run: Run, peers: Sequence[Run], varied: Collection[str]) -> str:
    manifest = run.manifest
    if manifest.imported:  # nobody asked for it, and nothing is known of it
        return ""
    asked = {**manifest.settings, "labels": manifest.labels, "seed": manifest.seed}
    others = [
        replace(
            p.evidence,
            asked={k: v for k, v in p.manifest.settings.items() if k not in varied},
            settings={k: v for k, v in p.evidence.settings.items() if k not in varied},
        )
        for p in peers
        if p is not run and p.status is Status.DONE
    ]
    if difference := first_difference(run.evidence, asked, others):
        return str(difference)
    judged, logged = manifest.judged_top1, run.points[-1].top1 if run.points else None
    if judged is None or logged is None:
        return ""
    close, images = manifest.judged_close or 0, sum(manifest.settings.get("test_class_counts", ()))
    rounding = HALF_AN_IMAGE if run.evidence.is_peer else HALF_A_TENTH
    if abs(judged - logged) <= rounding + 100 * close / max(1, images):
        return ""
    but = f" ({close} of {images} images are too close to be told apart)" if close else ""
    return f"rung 8, same judge: it logged {logged:.2f}, the judge finds {judged:.2f}{but}"
