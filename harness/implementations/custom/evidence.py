"""What the witness wrote down of a run, as facts, settings and levels of proof."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.experiment.algorithms import FIELDS
from harness.implementations.custom.child.witness import COUNTED, FACTS
from harness.implementations.reported import Facts, Level, Proof, Resolved

NO_WITNESS = "no witness in its process: training did not begin, or in a process of another kind"
CLOSE = 1e-6  # of a learning rate, relative: float32 and another order of the same operations


def facts(folder: Path, asked: Mapping[str, Any]) -> Facts:
    """The facts of the run in `folder`; `asked` is what its process was told."""
    seen = read_json(folder / FACTS)
    labelled = _labelled(seen, asked)
    initial = _initial(seen, asked)
    split = labelled.get("split_sha256", "")
    if labelled.get("same_set"):
        split = asked["split_sha256"]  # the order in which it holds them is its own
    return Facts(
        data_sha256=seen.get("data_sha256", ""),
        split_sha256=split,
        initial_weights_sha256=initial[0],
        torch_version=seen.get("torch_version", ""),
        device=seen.get("device", asked["names"]["device"]),
        shims=tuple(seen.get("shims", ())),
        threads=seen.get("threads"),
        processor=seen.get("processor", ""),
        stubs=tuple(seen.get("stubs", ())),
        proof=(
            _data_proof(seen, asked),
            _split_proof(seen, labelled, asked),
            initial[1],
            *_rate_proof(folder, asked),
            _network_proof(seen),
        ),
    )


def settings(
    folder: Path, asked: Mapping[str, Any], differs: Mapping[str, Any]
) -> dict[str, Resolved]:
    """Its settings by the field's names: as the witness saw them, and else as declared."""
    found = {
        field: Resolved(value, "declared: settings")
        for field, value in asked["settings"].items()
        if field in FIELDS
    }
    for field, value in ((asked["network"] or {}).get("sized") or {}).items():
        if field in FIELDS:
            found[field] = Resolved(value, "given: network.sized")
    for field, value in differs.items():
        if field in FIELDS:
            found[field] = Resolved(value, "declared: differs")
    return found | {
        field: Resolved(value, "witness")
        for field, value in _witnessed(folder, asked).items()
        if value is not None
    }


def steps(folder: Path) -> int | None:
    """The updates that the witness counted; None where it saw none."""
    counted = read_json(folder / COUNTED)
    return int(counted["steps"]) if "steps" in counted else None


def seconds(folder: Path) -> dict[int, float]:
    """When each evaluation that it saw was made, by the updates before it."""
    evaluations = read_json(folder / COUNTED).get("evaluations", ())
    return {int(one["after"]): float(one["seconds"]) for one in evaluations}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; {} where there is none yet."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def _witnessed(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    seen = read_json(folder / FACTS)
    labelled, unlabelled = _labelled(seen, asked), _unlabelled(seen, asked)
    groups = seen.get("optimizer") or []
    decayed = next((g for g in groups if g.get("weight_decay")), groups[0] if groups else {})
    batch, wide = labelled.get("batch_size"), unlabelled.get("batch_size")
    replacement = labelled.get("replacement")
    return {
        "labels": labelled.get("distinct"),
        "iterations": steps(folder),
        "batch_size": batch,
        "mu": _whole(wide / batch) if batch and wide else None,
        "lr": decayed.get("lr"),
        "momentum": decayed.get("momentum"),
        "nesterov": decayed.get("nesterov"),
        "weight_decay": decayed.get("weight_decay"),
        "classes": seen.get("classes"),
        "precision": seen.get("precision") or None,
        "replacement": replacement if replacement == unlabelled.get("replacement") else None,
        "labelled_pool": labelled.get("distinct"),
        "unlabelled_pool": unlabelled.get("distinct"),
    }


def _whole(value: float) -> float:
    return int(value) if value == int(value) else value


def _of_training(seen: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in seen.get("loaders", ()) if "distinct" in one]


def _labelled(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Its loader of labelled images: the one with the fewest; {} where it is not told apart."""
    loaders = _of_training(seen)
    if not loaders or loaders[0]["distinct"] > 2 * asked["names"]["labels"]:
        return {}
    return loaders[0]


def _unlabelled(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    loaders = _of_training(seen)
    return loaders[-1] if len(loaders) > 1 else {}


def _data_proof(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> Proof:
    if seen.get("data_sha256"):
        return Proof(rung=1, level=Level.SHOWN, text="the images that torchvision read")
    why = "it reads them by other means than torchvision's CIFAR10" if seen else NO_WITNESS
    return Proof(rung=1, level=Level.HANDED_OUT if seen else Level.NOT_SHOWN, text=why)


def _split_proof(
    seen: Mapping[str, Any], labelled: Mapping[str, Any], asked: Mapping[str, Any]
) -> Proof:
    if labelled:
        order = "in the same order" if labelled["same_order"] else "in an order of its own"
        same = f"the same set, {order}" if labelled["same_set"] else "another set"
        text = f"{labelled['distinct']} images in its loader, by pixels: {same}"
        return Proof(rung=2, level=Level.SHOWN, text=text)
    if not seen:
        return Proof(rung=2, level=Level.NOT_SHOWN, text=NO_WITNESS)
    is_told = asked["is_told_the_split"]
    text = "no loader's data set keeps its images where they are sought (data, images)"
    return Proof(rung=2, level=Level.HANDED_OUT if is_told else Level.NOT_SHOWN, text=text)


def _initial(seen: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[str, Proof]:
    """(the sum of the weights that were handed out, where it began with them, the proof)."""
    found = seen.get("initial") or {}
    if not found.get("sha256"):
        return "", Proof(rung=3, level=Level.NOT_SHOWN, text="no forward pass was seen")
    if "handed" not in found:
        text = f"it draws its own ({found['sha256'][:12]})"
        return "", Proof(rung=3, level=Level.DEPARTS, text=text)
    if not found["read_back"]:
        text = "handed out, and it did not begin with them"
        return "", Proof(rung=3, level=Level.DEPARTS, text=text)
    dropped = found["dropped"]
    if not dropped:
        text = f"all {found['handed']} tensors read back"
        return found["handed_sha256"], Proof(rung=3, level=Level.SHOWN, text=text)
    text = (
        f"{found['handed']} tensors read back, {len(dropped)} have no counterpart (values up to "
        f"{max(dropped.values()):.3g}): not the same function"
    )
    return "", Proof(rung=3, level=Level.HANDED_OUT, text=text)


def _rate_proof(folder: Path, asked: Mapping[str, Any]) -> list[Proof]:
    """Of rung 4: is the learning rate of each step that was noted the paper's?"""
    rates: Sequence[Sequence[float]] = read_json(folder / COUNTED).get("rates", ())
    if not rates:
        return []
    lr, iterations = asked["names"]["lr"], asked["names"]["iterations"]
    off = max(
        abs(rate - lr * math.cos(7 * math.pi * step / (16 * iterations))) for step, rate in rates
    )
    if off <= CLOSE * lr:
        text = f"learning rate as the paper's at {len(rates)} steps"
        return [Proof(rung=4, level=Level.SHOWN, text=text)]
    text = f"learning rate off the paper's by up to {off:.2g}"
    return [Proof(rung=4, level=Level.DEPARTS, text=text)]


def _network_proof(seen: Mapping[str, Any]) -> Proof:
    """Of rung 5, whose logits nobody asked it for: what its modules show."""
    network = seen.get("network") or {}
    if not network:
        return Proof(rung=5, level=Level.NOT_SHOWN, text=NO_WITNESS)
    norms = ", ".join(f"momentum {m:g} and eps {e:g}" for m, e in network["batch_norm"])
    biases, of = network["convolution_biases"], network["convolutions"]
    text = (
        f"{network['class']}, {network['parameters']:,} parameters, {biases} of {of} convolutions "
        f"with a bias, batch norm with {norms or 'nothing'}"
    )
    if lacks := (seen.get("initial") or {}).get("dropped"):
        text += f"; {len(lacks)} tensors that were handed out have no counterpart"
    return Proof(rung=5, level=Level.DEPARTS if lacks else Level.NOT_SHOWN, text=text)
