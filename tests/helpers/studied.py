"""A study of its own, and its runs as a study leaves them; equal calls give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from harness.experiment import study as definition
from harness.experiment.study import Study, Variant
from harness.implementations import registry
from harness.implementations.own import Own
from harness.implementations.reported import Facts
from harness.runs import folder as runs
from harness.runs.files import write_text
from harness.runs.manifest import Manifest, Status, write_manifest

CONTENT: dict[str, object] = {
    "schema": 1,
    "name": "trial",
    "question": "What does a recipe change?",
    "notes": "Why it is varied so.\n",
    "profile": "quick",
    "iterations": 1000,
    "labels": [250],
    "seeds": [0, 1, 2],
    "scaled_with_batch_size": ["lr", "iterations"],
    "baseline": "b08",
    "variants": {
        "b08": {},
        "b16": {"batch_size": 16},
        "no-ema": {"use_ema": False},
        "hot": {"lr": 9.0},
    },
}
DIVERGED = (
    "exit code 1: own_impl: the loss is nan at iteration {at}: labelled nan, unlabelled 0.5, "
    "learning rate 9; a smaller --lr, a --warmup or --precision fp32 may help; training diverged: "
    "lower the profile's lr, or look at the data"
)


def define(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: object) -> Path:
    """Write the study, with `changes`, where studies are looked for; returns its file."""
    monkeypatch.setattr(definition, "FOLDER", folder)
    monkeypatch.setattr(Own, "source_sha256", lambda _self: "50" * 32)  # whatever the code is
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump(CONTENT | changes, sort_keys=False))
    return path


def make(folder: Path, study: Study, labels: tuple[int, ...] = (250,)) -> Path:
    """Runs of every variant: `b16` better by 6 points, `no-ema` about as good, `hot` diverged."""
    for variant in definition.variants(study):
        for count in labels:
            for seed in study.seeds:
                _make(folder, variant, count, seed)
    return folder


def _make(folder: Path, variant: Variant, labels: int, seed: int) -> None:
    if variant.name == "hot":
        said = DIVERGED.format(at=12 + seed)
        run(folder, variant, labels, seed, status=Status.FAILED, reason=said, failure="not finite")
        return
    end = 86.0 + seed + {"b16": 6.0, "no-ema": 0.2 * seed - 0.4}.get(variant.name, 0.0)
    run(folder, variant, labels, seed, end=end, moved=0.25 * (variant.name == "b16"))


def run(
    folder: Path,
    variant: Variant,
    labels: int,
    seed: int,
    *,
    end: float = 86.0,
    moved: float = 0.0,
    status: Status = Status.DONE,
    reason: str = "",
    failure: str = "",
    initial_weights: str = "",
) -> Path:
    """One run folder: accuracies rise to `end` percent; losses are `moved` from what they would be.

    A run that is not done stops after its first evaluation.
    """
    profile = variant.profile
    place = folder / "runs" / variant.name / runs.folder_name(labels, seed, "own")
    after = profile.evaluated_after()[: None if status is Status.DONE else 1]
    factor = profile.batch_size / 8
    lines = []
    for n in after:
        share = n / profile.iterations
        loss = 2.3 - 2 * share + seed / 100 + moved * (n > 1)
        entry = {
            "kind": "evaluation", "schema": 1, "iteration": n, "top5": 99.0, "eval_loss": 1.0,
            "top1": round(10 + (end - 10) * share**0.5, 1), "loss": loss, "loss_x": loss,
            "loss_u": 0.0, "mask": share, "seconds": 0.05 * n * factor * (1 + seed / 50),
        }  # fmt: skip
        lines.append(json.dumps(entry))
    write_text(runs.attempt_folder(place, 1) / "metrics.jsonl", "\n".join(lines) + "\n")
    facts = Facts(
        data_sha256="da7a" * 16, split_sha256=f"{labels:04d}{seed:04d}" * 8,
        initial_weights_sha256=initial_weights or f"aaaa{seed:04d}" * 8, torch_version="2.14.1",
        device="cpu",
    )  # fmt: skip
    settings = variant.profile.hyper_parameters() | {
        "iterations_per_epoch": round(563 / factor), "data": "mnist5k",
        "test_class_counts": [50] * 10, "data_sha256": facts.data_sha256,
        "split_sha256": facts.split_sha256, **variant.options,
    }  # fmt: skip
    manifest = Manifest(
        implementation="own", labels=labels, seed=seed, settings=settings, status=status,
        reason=reason, failure=failure, started="2026-01-01T00:00:00+00:00", wall_seconds=60.0,
        exit_code=0, facts=facts, own_commit="1" * 40,
        source_sha256=registry.create("own").source_sha256(),
    )  # fmt: skip
    write_manifest(place, manifest)
    return place
