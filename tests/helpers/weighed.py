"""A comparison of two algorithms on both sides, as claims are weighed by; equal calls, equal bytes.

MixMatch is 6 points below FixMatch; of FixMatch a growing share passes the threshold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.experiment import claims as definition
from harness.implementations.own import Own
from harness.implementations.torchssl.implementation import TorchSSL
from harness.report import outputs
from harness.report.figures import algorithms, curves
from harness.runs.files import write_text
from tests.helpers import made

NAMES = ("own", "own-mixmatch", "torchssl", "torchssl-mixmatch")
SHIPPED = definition.FOLDER / "fixmatch-mixmatch.yaml"
POOL = 4500


def define(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: object) -> Path:
    """The shipped claims as `trial`, with `changes`, alone where claims are looked for."""
    monkeypatch.setattr(definition, "FOLDER", folder)
    # Whatever the code is.
    monkeypatch.setattr(Own, "source_sha256", lambda _self: "50" * 32)
    monkeypatch.setattr(TorchSSL, "source_sha256", lambda _self: "70" * 32)
    content = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    content |= {"name": "trial", "labels": [40, 250], "seeds": [0, 3, 4], **changes}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure of a comparison or of claims is made: that takes most of the time."""
    monkeypatch.setattr(outputs, "_draw", lambda *_: {})
    monkeypatch.setattr(outputs, "_draw_algorithms", lambda _main: {})
    for name in ("accuracy_vs_images", "guesses"):
        monkeypatch.setattr(algorithms, name, lambda *_: None)
    monkeypatch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")


def make(
    results: Path, labels: Sequence[int] = (40, 250), seeds: Sequence[int] = (0, 3, 4)
) -> Path:
    """All of both sides' runs with both algorithms, in `<results>/quick`; returns `results`."""
    for count in labels:
        for seed in seeds:
            for name in NAMES:
                run(results, name, count, seed)
    return results


def run(results: Path, name: str, labels: int, seed: int, **about: Any) -> Path:
    """One run folder; `about` is `made.run`'s. What our side guessed stands in its log."""
    is_mixmatch = name.endswith("-mixmatch")
    about = {"shift": -6.0 * is_mixmatch, **about}
    place = made.run(results / "quick", name, labels, seed, **about)
    if is_mixmatch:
        _tell_mixmatch(place / "manifest.json")
    if name.startswith("own"):
        _log_guesses(place / "attempt-1" / "metrics.jsonl", is_mixmatch)
    else:
        write_text(
            place / "attempt-1" / "facts.json",
            json.dumps({"resolved": {"unlabelled_pool": POOL}}),
        )
    return place


def _tell_mixmatch(manifest: Path) -> None:
    content = json.loads(manifest.read_text())
    del content["settings"]["threshold"]
    content["settings"] |= made.QUICK.hyper_parameters("mixmatch")
    write_text(manifest, json.dumps(content))


def _log_guesses(log: Path, is_mixmatch: bool) -> None:
    settings = {"algorithm": "mixmatch"} if is_mixmatch else {}
    start = {
        "kind": "start", "schema": 1, "settings": settings, "resolved": {"unlabelled_pool": POOL},
    }  # fmt: skip
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    for entry in entries:
        passed = entry["iteration"] / entries[-1]["iteration"]
        if is_mixmatch:
            entry["mask"] = 1.0
            guessed = (2.15 - 1.98 * passed**0.5, entry["top1"], 0.3 + 0.65 * passed)
        else:
            guessed = (0.08 - 0.04 * passed, 99.0 - 2 * passed, 0.975 + 0.02 * passed)
        names = ("guess_entropy", "guess_accuracy", "guess_confidence")
        entry |= {name: round(value, 4) for name, value in zip(names, guessed, strict=True)}
    lines = [json.dumps(entry) for entry in (start, *entries)]
    write_text(log, "\n".join(lines) + "\n")


def edit(place: Path, at: int, **values: float | None) -> None:
    """Change the evaluation `at` (from 0, or from the end) of our side's run in `place`."""
    log = place / "attempt-1" / "metrics.jsonl"
    start, *entries = [json.loads(line) for line in log.read_text().splitlines()]
    entries[at] |= values
    write_text(log, "\n".join(json.dumps(entry) for entry in (start, *entries)) + "\n")
