"""What a run uses beside its settings, read from the objects that it trains with."""

from __future__ import annotations

from typing import Any

from own_impl.algorithms import mixmatch
from own_impl.config import Config
from own_impl.data import Data
from own_impl.step import Model
from own_impl.views.views import POLICIES

MIXUP_COEFFICIENTS = {"batch": "per batch", "paper": "per example"}


def resolved(config: Config, data: Data, model: Model) -> dict[str, Any]:
    """For the first line of metrics.jsonl; optimiser values as the optimiser holds them."""
    decayed, _ = model.optimizer.param_groups
    shared = {
        "lr": decayed["lr"],
        "momentum": decayed["momentum"],
        "nesterov": decayed["nesterov"],
        "weight_decay": decayed["weight_decay"],
        "clip": 0,  # gradients are never clipped
        "dropout": 0.0,  # the network has none
        "classes": data.classes,
        "replacement": True,  # see the algorithm's page
        "labelled_pool": len(data.labelled),
        "unlabelled_pool": len(data.unlabelled),
    }
    if config.algorithm == "mixmatch":
        return shared | {
            "algorithm": config.algorithm,
            "temperature": config.temperature,
            "alpha": config.alpha,
            "ramp_up": config.ramp_up,
            "weak_views": mixmatch.VIEWS,
            "mixup_coefficient": MIXUP_COEFFICIENTS[config.mixup],
        }
    return shared | {
        "hard_labels": True,  # the paper's; there are no others here
        "strong_operations": POLICIES[config.strong].operations,
    }
