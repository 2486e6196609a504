"""The algorithms that can be compared: their settings by the field's standard names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Rung 4, in the order shown: the field's standard names, each resolved by both sides.
FIELDS = (
    "labels", "seed", "iterations", "batch_size", "mu", "threshold", "lambda_u", "hard_labels",
    "lr", "momentum", "nesterov", "weight_decay", "warmup", "clip",
    "ema_decay", "depth", "widen_factor", "dropout", "classes", "precision",
    "strong_operations", "replacement", "labelled_pool", "unlabelled_pool",
)  # fmt: skip
# Of our side alone: what a study asks is held against it.
OWN_FIELDS = ("use_ema", "precise_bn", "interleave", "compile")


def images_an_iteration(settings: Mapping[str, Any]) -> int:
    """Labelled and unlabelled images that an iteration sees, each counted once."""
    return int(settings["batch_size"] * (1 + settings["mu"]))
