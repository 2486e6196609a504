"""Makes run folders as a comparison leaves them, with plausible curves; for tests of outputs.

Everything is drawn from a generator seeded by the run's key: equal calls give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from harness.experiment import profile
from harness.implementations import registry
from harness.implementations.reported import Facts
from harness.runs import folder as runs
from harness.runs import predictions
from harness.runs.files import write_text
from harness.runs.manifest import Manifest, Status, write_manifest
from harness.runs.predictions import Predictions

QUICK = profile.load("quick")
CLASSES, IMAGES = 10, 500
ENDS = {40: 78.0, 250: 92.0, 4000: 97.0}
IMPLEMENTATIONS = ("own", "torchssl")
START = datetime(2026, 1, 1)


def results(
    folder: Path,
    labels: Sequence[int] = (40,),
    seeds: Sequence[int] = (0,),
    *,
    shift: float = 0.0,
    evaluations: int = 12,
    judged: bool = True,
    data: str = "mnist5k",
) -> Path:
    """Write `<folder>/runs/...`; own's accuracies are `shift` above what they would be."""
    for count in labels:
        for seed in seeds:
            for name in IMPLEMENTATIONS:
                run(
                    folder, name, count, seed, shift=shift * (name == "own"), judged=judged,
                    evaluations=evaluations, data=data,
                )  # fmt: skip
    return folder


def run(
    folder: Path,
    name: str,
    labels: int,
    seed: int,
    *,
    shift: float = 0.0,
    evaluations: int = 12,
    judged: bool = True,
    data: str = "mnist5k",
    status: Status = Status.DONE,
    reason: str = "",
) -> Path:
    """One run folder: manifest, raw log, and predictions of the final weights."""
    after = np.linspace(1, QUICK.iterations, evaluations).round().astype(int)
    end = ENDS.get(labels, 90.0) + shift
    random = np.random.default_rng((labels, seed, name == "own"))
    spread = np.random.default_rng((labels, seed)).normal(0, 80 / labels**0.8)
    rise = 1 - np.exp(-4.0 * after / after[-1])
    top1 = 10 + (end + spread - 10) * rise + random.normal(0, 0.4, evaluations)
    top1 = np.clip((top1 * IMAGES / 100).round() * 100 / IMAGES, 0, 100)
    place = folder / "runs" / runs.folder_name(labels, seed, name)
    write = _torchssl if name.startswith("torchssl") else _own
    write(runs.attempt_folder(place, 1), after, top1, random, labels)
    facts = Facts(
        data_sha256="da7a" * 16, split_sha256=f"{labels:04d}{seed:04d}" * 8,
        initial_weights_sha256=f"aaaa{seed:04d}" * 8, torch_version="2.14.1", device="cpu",
        shims=("cuda-on-cpu",) if name.startswith("torchssl") else (),
    )  # fmt: skip
    settings = QUICK.hyper_parameters() | {
        "iterations_per_epoch": 282, "data": data, "test_class_counts": [50] * CLASSES,
        "data_sha256": facts.data_sha256, "split_sha256": facts.split_sha256,
        **registry.departs(name),
    }  # fmt: skip
    manifest = Manifest(
        implementation=name, labels=labels, seed=seed, settings=settings, status=status,
        reason=reason, started="2026-01-01T00:00:00+00:00", wall_seconds=180.0 + seed,
        exit_code=0, facts=facts, own_commit="1" * 40, torchssl_commit="2" * 40,
        source_sha256=registry.create(name).source_sha256(),
    )  # fmt: skip
    write_manifest(place, manifest)
    if judged:
        predictions.write(place, _predictions(float(top1[-1]), random))
    return place


def _own(
    attempt: Path, after: Sequence[int], top1: Sequence[float], random: np.random.Generator, n: int
) -> None:
    lines = []
    for iteration, accuracy in zip(after, top1, strict=True):
        values = _losses(float(accuracy), random)
        entry = {
            "kind": "evaluation", "schema": 1, "iteration": int(iteration), "top1": float(accuracy),
            "top5": 99.0, "seconds": 0.06 * float(iteration), **values,
        }  # fmt: skip
        lines.append(json.dumps(entry))
    write_text(attempt / "metrics.jsonl", "\n".join(lines) + "\n")


def _torchssl(
    attempt: Path, after: Sequence[int], top1: Sequence[float], random: np.random.Generator, n: int
) -> None:
    lines = [f"[{_clock(0)} INFO] USE GPU: 0 for training"]
    for iteration, accuracy in zip(after, top1, strict=True):
        values = _losses(float(accuracy), random)
        lines.append(
            f"[{_clock(0.1 * float(iteration))} INFO] {iteration - 1} iteration, USE_EMA: True, "
            f"{{'train/sup_loss': tensor({values['loss_x']}), "
            f"'train/unsup_loss': tensor({values['loss_u']}), "
            f"'train/total_loss': tensor({values['loss']}), "
            f"'train/mask_ratio': tensor({1 - values['mask']}), "
            f"'eval/loss': tensor({values['eval_loss']}), "
            f"'eval/top-1-acc': {accuracy / 100:.4f}, 'eval/top-5-acc': 0.99}}, "
            f"BEST_EVAL_ACC: {accuracy / 100:.4f}, at 0 iters"
        )
    write_text(attempt / "torchssl" / "log.txt", "\n".join(lines) + "\n")


def _losses(accuracy: float, random: np.random.Generator) -> dict[str, float]:
    loss_x = round(float(2.3 * (1 - accuracy / 101) ** 2 * random.uniform(0.7, 1.3)), 4)
    loss_u = round(float(0.4 * accuracy / 100 * random.uniform(0.4, 1.2)), 4)
    mask = round(min(1.0, float(accuracy / 100 * random.uniform(0.85, 1.0))), 4)
    losses = {"loss": loss_x + loss_u, "loss_x": loss_x, "loss_u": loss_u}
    return losses | {"mask": mask, "eval_loss": loss_x}


def _clock(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]


def _predictions(top1: float, random: np.random.Generator) -> Predictions:
    targets = np.arange(IMAGES) % CLASSES
    hardness = random.uniform(0.5, 1.5, CLASSES)[targets] * random.uniform(0, 1, IMAGES)
    wrong = np.argsort(-hardness, kind="stable")[: IMAGES - round(top1 * IMAGES / 100)]
    predicted = targets.copy()
    predicted[wrong] = (targets[wrong] + random.integers(1, CLASSES, len(wrong))) % CLASSES
    return Predictions(targets, predicted)
