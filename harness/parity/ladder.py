"""Climbing: both sides declare, answer, and are compared, rung by rung."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from harness.errors import Incomplete
from harness.experiment import algorithms
from harness.implementations import interface
from harness.implementations.interface import Implementation, Request
from harness.implementations.reported import Evidence
from harness.parity import answers, judge, mixtures, question
from harness.parity.checklist import Check, Rung, check, rung
from harness.parity.preflight import declare, draw_weights, in_parallel
from harness.parity.question import Question
from harness.parity.terms import RUNGS, SUMS
from harness.runs import inputs

NAMES = {**RUNGS, 5: "same network", 6: "same step", 7: "same augmentation", 8: "same judge"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Climb:
    """The rungs, and the float32 drift of the step: largest differences after each step."""

    rungs: tuple[Rung, ...]
    drift: list[dict[str, float]]


def climb(mine: Implementation, reference: Implementation, request: Request, say: Say) -> Climb:
    """All eight rungs for `request`, on its device.

    Raises Incomplete where a side cannot be had, or the reference draws no weights or cannot be
    judged.
    """
    for side in (reference, mine):
        if reason := side.unavailable():
            raise Incomplete(f"{side.title} is unavailable: {reason}")
    with tempfile.TemporaryDirectory(prefix="parity-") as temporary:
        place = Path(temporary)
        say("Both sides open the run and declare what they would use (rungs 1-4) ...")
        draw_weights(reference, request, place)
        ours, theirs = declare([(mine, request), (reference, request)], place)
        say("Both sides answer the same questions (rungs 5-7) ...")
        ask(request, place)
        failures = answer([mine, reference], place)
        say("The judge evaluates the weights that the reference evaluated (rung 8) ...")
        return compare(ours, theirs, failures, request, place)


def ask(request: Request, place: Path) -> Path:
    """Write the question, with the run's initial weights made confident."""
    folder = place / "question"
    folder.mkdir()
    asked = Question.of(request)
    question.write(folder, asked, request.dataset)
    weights = load_file(place / interface.INITIAL_WEIGHTS)
    save_file(question.confident(weights), folder / "weights.safetensors")
    return folder


def answer(sides: Sequence[Implementation], place: Path) -> list[str]:
    """Each side answers the question in a folder of `place`; why each failed, or ''."""
    folders = [answers_of(side, place) for side in sides]
    for folder in folders:
        folder.mkdir()
    return in_parallel([side.answer_command(place / "question") for side in sides], folders)


def answers_of(side: Implementation | Evidence, place: Path) -> Path:
    """Where the answers of a side are."""
    name = side.implementation if isinstance(side, Evidence) else side.name
    return place / f"{name}-answers"


def compare(
    mine: Evidence, reference: Evidence, failures: Sequence[str], request: Request, place: Path
) -> Climb:
    """The rungs, from what both sides left in `place`; `failures` are those of their answers.

    A rung that cannot be climbed, because another that it stands on is broken, says so.
    """
    asked, steps = place / "question", question.STEPS
    a, b = answers_of(mine, place), answers_of(reference, place)
    said = zip((mine, reference), failures, strict=True)
    failed = "; ".join(f"{side.implementation} failed: {text}" for side, text in said if text)
    found = [*compare_declared(inputs.request_settings(request), mine, reference)]
    if all((folder / "parameters.json").exists() for folder in (a, b)):
        network = answers.network(a, b)
    else:
        network = rung(5, NAMES[5], (), failed)
    found.append(network)
    unequal = "" if network.holds else "rung 5 does not hold"
    drift: list[dict[str, float]] = []
    if blocked := unequal or failed:
        found += [rung(number, NAMES[number], (), blocked) for number in (6, 8)]
    else:
        step, drift = answers.step(a, b, steps, request.algorithm)
        found.append(step)
        found.append(rung(8, NAMES[8], _judge(request, asked, b)))
    if failed:
        found.append(rung(7, NAMES[7], (), failed))
    else:
        found.append(_augmentation(mine, reference, request, place))
    found.sort(key=lambda rung: rung.number)
    return Climb(tuple(found), drift)


def _augmentation(mine: Evidence, reference: Evidence, request: Request, place: Path) -> Rung:
    is_mixed = request.algorithm == algorithms.MIXMATCH.name
    climbed = mixtures.augmentation if is_mixed else answers.augmentation
    checks = climbed(place / "question", answers_of(mine, place), answers_of(reference, place))
    silent = next((side for side in (mine, reference) if side.failure), None)
    if silent is not None:
        why = f"{silent.implementation} drew no indices: {silent.failure}"
        return rung(7, NAMES[7], tuple(checks), why)
    ours, theirs = (
        answers.load(place / f"{side.implementation}-declared" / "streams.npz")
        for side in (mine, reference)
    )
    checks.append(answers.sampling(ours, theirs, request.labels, request.dataset.train_size))
    return rung(7, NAMES[7], tuple(checks))


def compare_declared(asked: Mapping[str, Any], mine: Evidence, theirs: Evidence) -> Iterator[Rung]:
    """Rungs 1-4 of two declarations, held against each other and against what was asked for."""
    silent = [side for side in (mine, theirs) if side.facts is None]
    if silent:
        why = f"{silent[0].implementation} did not open the run: {silent[0].failure}"
        yield from (rung(number, name, (), why) for number, name in RUNGS.items())
        return
    for number, key in SUMS.items():
        used = [getattr(side.facts, key) for side in (mine, theirs)]
        expected = asked.get(key, used[1])
        equal = all(value == expected for value in used)
        shown = used[0][:12] if equal else f"{used[0][:12]} against {used[1][:12]}"
        yield rung(number, RUNGS[number], (check(_SUM_OF[number], shown, "exact", equal),))
    fields = algorithms.of(mine.algorithm).fields
    checks = tuple(_setting(field, mine, theirs, asked) for field in fields)
    yield rung(4, RUNGS[4], checks)


_SUM_OF = {
    1: "SHA-256 of pixels and labels",
    2: "SHA-256 of the labelled indices",
    3: "SHA-256 of all initial tensors",
}


def _setting(field: str, mine: Evidence, theirs: Evidence, asked: Mapping[str, Any]) -> Check:
    ours, reference = mine.settings.get(field), theirs.settings.get(field)
    if ours is None or reference is None:
        side = mine if ours is None else theirs
        return check(field, f"{side.implementation} does not say", "equal", False)
    note = f"{mine.implementation}: {ours.source}; {theirs.implementation}: {reference.source}"
    if ours.value == reference.value:
        return check(field, str(ours.value), "equal", True, note)
    declared = theirs.departs.get(field) == reference.value and ours.value == asked.get(field)
    measured = f"{ours.value} against {reference.value}"
    return check(field, measured, "declared" if declared else "equal", declared, note)


def _judge(request: Request, asked: Path, folder: Path) -> tuple[Check, ...]:
    images = answers.load(asked / "judge.npz")["images"]
    weights = folder / "judged.safetensors"
    in_full = request.profile.model_copy(update={"precision": "fp32"})  # as the step was answered
    logits = judge.logits(in_full, weights, images, folder, request.device)
    return tuple(answers.judge(asked, folder, logits))
