"""What a short run of a described implementation shows, and which key of its file shows more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.implementations.reported import Level
from harness.parity import levels, terms
from harness.parity.levels import BUDGET, NAMES, REQUIRED
from harness.runs.folder import Run
from harness.runs.manifest import Status

# What to add to the file where a rung is not shown.
KEYS = {
    1: "its images are seen where torchvision's CIFAR10 reads them: no key shows others",
    2: "its labelled set is seen where a loader's data set has its images in .data or .images",
    3: "network: {build: module:function, initial: {rename: {}, drop: []}}",
    4: 'settings: {<name>: "{<name>}"} for what is declared, differs: for what departs',
    5: "differs: {network: ...}, where it departs",
    6: "differs: {step: ...}, where it departs",
    7: "differs: {augmentation: ...}, where it departs",
    8: "judge: {checkpoint: ..., state: ..., mean: [...], std: [...]}",
    BUDGET: "its loaders and optimiser must be torch's, in the process of run.script",
}


@dataclass(frozen=True)
class Item:
    """One line of the checklist; `key` is what to add to the file, '' where nothing is missing."""

    name: str
    found: str
    key: str = ""
    is_needed: bool = False  # for a verdict


def check(run: Run, log: str, stray: str) -> list[Item]:
    """The checklist of a run; `log` is what was found of it, `stray` what it did otherwise."""
    items = [Item("log", log, "" if run.points else "log.file, log.reader", True)]
    items.append(_evaluations(run))
    facts = run.manifest.facts
    is_done = run.status is Status.DONE
    if facts is not None and (is_done or facts.torch_version):  # else the failure says why
        proofs = levels.of_run(run, None)
        for rung, proof in proofs.items():
            name = f"{rung} {NAMES[rung]}" if rung else NAMES[rung]
            found = f"{proof.level}: {proof.text}" if proof.text else proof.level.value
            items.append(Item(name, found, _key(rung, proof.level), rung in REQUIRED))
    if stray:
        key = "pass the setting in run.arguments, or declare it in differs"
        items.append(Item("as asked", stray, key, True))
    if run.manifest.spec_sha256 and not run.manifest.source_commit:
        items.append(Item("commit", "its source is no git clone", "", False))
    return items


def _key(rung: int, level: Level) -> str:
    """What to add for a rung of that level; '' where nothing more can be shown, or need be."""
    is_open = level is Level.NOT_SHOWN or (rung == 3 and level is Level.DEPARTS)
    if rung in REQUIRED:
        is_open = level is not Level.SHOWN
    return KEYS[rung] if is_open else ""


def lacking(items: Sequence[Item]) -> list[str]:
    """The lines that a verdict needs and that lack something."""
    return [item.name for item in items if item.is_needed and item.key]


def stray(run: Run) -> str:
    """In what it did otherwise than asked and declared; '' where nothing shows it."""
    manifest = run.manifest
    if run.status is not Status.DONE:
        return ""
    asked = {**manifest.settings, "labels": manifest.labels, "seed": manifest.seed}
    difference = terms.first_difference(run.evidence, asked, [])
    if difference is not None:
        return str(difference)
    judged = manifest.judged_top1
    if judged is not None and abs(judged - run.points[-1].top1) > terms.HALF_A_TENTH:
        return f"rung 8: it logged {run.points[-1].top1:.2f}, the judge finds {judged:.2f}"
    return ""


def _evaluations(run: Run) -> Item:
    if not run.points:
        return Item("evaluations", "none", "log.pattern or log.points", True)
    at = ", ".join(f"{point.top1:.2f} at {point.iteration}" for point in run.points)
    asked = run.manifest.settings["iterations"]
    ends = run.points[-1].iteration == asked
    return Item("evaluations", at, "" if ends else f"log.iteration: the last is {asked}", True)
