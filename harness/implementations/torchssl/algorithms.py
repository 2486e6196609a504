"""Each algorithm by TorchSSL's names: its script and loop, its arguments, and what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Where the log's 'Arguments:' line has the settings of `experiment.algorithms` ...
ARGUMENTS = {
    "labels": "num_labels",
    "seed": "seed",
    "iterations": "num_train_iter",
    "batch_size": "batch_size",
    "mu": "uratio",
    "lambda_u": "ulb_loss_ratio",
    "clip": "clip",
    "ema_decay": "ema_m",
    "depth": "depth",
    "widen_factor": "widen_factor",
    "dropout": "dropout",
    "classes": "num_classes",
}
# ... and its objects those that its arguments do not decide: see child/resolved.py.
RESOLVED = (
    "lr", "momentum", "nesterov", "weight_decay", "warmup",
    "replacement", "labelled_pool", "unlabelled_pool",
)  # fmt: skip

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One algorithm. `loop` is `module:class`, the class whose `train` is the training loop.

    `arguments` and `resolved` are beside those that all have. `given` are the keys of its YAML
    that are its own, made of the run's settings; `shims` are what it needs on any machine; what it
    `forgets` is in no checkpoint; `child` is the module in child/ that answers the ladder.
    """

    script: str
    loop: str
    arguments: Mapping[str, str]
    resolved: tuple[str, ...]
    given: Callable[[Settings], dict[str, Any]]
    shims: tuple[str, ...] = ()
    forgets: tuple[str, ...] = ()
    child: str = "parity"

    def argument(self, setting: str) -> str | None:
        """The key of a setting in the 'Arguments:' line; None where it has none."""
        return (ARGUMENTS | dict(self.arguments)).get(setting)


def _with_threshold(settings: Settings) -> dict[str, Any]:
    """Of pseudo-labels; `T` sharpens, unused with hard ones."""
    return {"hard_label": True, "T": 0.5, "p_cutoff": settings["threshold"]}


ENTRIES = {
    "fixmatch": Entry(
        script="fixmatch.py",
        loop="models.fixmatch.fixmatch:FixMatch",
        arguments={"threshold": "p_cutoff", "hard_labels": "hard_label"},
        resolved=(*RESOLVED, "strong_operations"),
        given=_with_threshold,
    ),
    "mixmatch": Entry(
        script="mixmatch.py",
        loop="models.mixmatch.mixmatch:MixMatch",
        arguments={
            "algorithm": "alg",
            "temperature": "T",
            "alpha": "alpha",
            "ramp_up": "ramp_up",
        },
        resolved=(*RESOLVED, "weak_views", "mixup_coefficient"),
        given=lambda settings: {
            "T": settings["temperature"],
            "alpha": settings["alpha"],
            "ramp_up": settings["ramp_up"],
        },
        shims=("saves-early",),  # its save_model saves nothing before a million iterations
        child="mixmatch_parity",
    ),
    "flexmatch": Entry(
        script="flexmatch.py",
        loop="models.flexmatch.flexmatch:FlexMatch",
        arguments={
            "algorithm": "alg",
            "threshold": "p_cutoff",
            "hard_labels": "hard_label",
            "threshold_warmup": "thresh_warmup",
            "distribution_alignment": "use_DA",
        },
        resolved=(*RESOLVED, "strong_operations"),
        given=_with_threshold,
        forgets=("what is learnt of each class, and so its threshold, is counted anew",),
    ),
}
