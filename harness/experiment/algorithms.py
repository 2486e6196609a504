"""The algorithms that can be compared: their settings by the field's standard names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import BadInput

# Rung 4, in the order shown: the field's standard names, each resolved by both sides.
FIELDS = (
    "labels", "seed", "iterations", "batch_size", "mu", "threshold", "lambda_u", "hard_labels",
    "lr", "momentum", "nesterov", "weight_decay", "warmup", "clip",
    "ema_decay", "depth", "widen_factor", "dropout", "classes", "precision",
    "strong_operations", "replacement", "labelled_pool", "unlabelled_pool",
)  # fmt: skip
# Of our side alone: what a study asks is held against it.
OWN_FIELDS = ("use_ema", "precise_bn", "interleave", "labelled_in_pool", "threads", "compile")


@dataclass(frozen=True)
class Algorithm:
    """What harness knows of an algorithm; what a side calls it is that side's own affair.

    `settings` are its own of a profile, `fields` those of rung 4. `is_masked`: a threshold keeps
    some unlabelled images from moving weights; without one, all do. An unlabelled image has
    `weak_views`; it goes forward `passes` times an iteration, `trained_passes` of them in the batch
    that the losses are taken of, where the loss counts those `in_loss`. `has_ladder`: both sides
    answer the ladder's questions of it.
    """

    name: str
    title: str
    settings: tuple[str, ...]
    fields: tuple[str, ...]
    is_masked: bool
    weak_views: int
    passes: int
    trained_passes: int
    in_loss: str
    has_ladder: bool = True

    def images_forward(self, settings: Mapping[str, Any]) -> tuple[int, int]:
        """Images that go through the network in an iteration; those of them in the losses' batch.

        A labelled image does once.
        """
        labelled, unlabelled = settings["batch_size"], settings["batch_size"] * settings["mu"]
        return labelled + self.passes * unlabelled, labelled + self.trained_passes * unlabelled


FIXMATCH = Algorithm(
    name="fixmatch",
    title="FixMatch",
    settings=("threshold", "lambda_u"),
    fields=FIELDS,
    is_masked=True,
    weak_views=1,
    passes=2,
    trained_passes=2,
    in_loss="those above the threshold",
)
MIXMATCH = Algorithm(
    name="mixmatch",
    title="MixMatch",
    settings=("temperature", "alpha", "lambda_u", "ramp_up"),
    fields=(
        "algorithm",
        *(f for f in FIELDS if f not in ("threshold", "hard_labels", "strong_operations")),
        "temperature", "alpha", "ramp_up", "weak_views", "mixup_coefficient",
    ),
    is_masked=False,
    weak_views=2,
    passes=4,  # both views to guess the label, both again when they are mixed
    trained_passes=2,
    in_loss="all",
)  # fmt: skip
FLEXMATCH = Algorithm(
    name="flexmatch",
    title="FlexMatch",
    settings=FIXMATCH.settings,
    fields=("algorithm", *FIELDS, "threshold_warmup", "distribution_alignment"),
    is_masked=True,
    weak_views=1,
    passes=2,
    trained_passes=2,
    in_loss="those above the threshold of their class, lower where less is learnt yet",
    has_ladder=False,  # ours has none
)
DEFAULT = FIXMATCH.name  # of all that was recorded before there was another
_ALL = {one.name: one for one in (FIXMATCH, MIXMATCH, FLEXMATCH)}
# What a profile's section of an algorithm may change beside that algorithm's own settings, and what
# follows from it.
_WITH_A_SECTION = ("algorithm", "mu", "iterations_per_epoch")


def names() -> list[str]:
    """The algorithms that there are, the default one first."""
    return list(_ALL)


def of(name: str, option: str = "ALGORITHMS") -> Algorithm:
    """The algorithm of that name. Raises BadInput, which names the option, for an unknown one."""
    if name not in _ALL:
        raise BadInput(f"{option} {name}: unknown; use {', '.join(names())}")
    return _ALL[name]


def recorded(settings: Mapping[str, Any]) -> str:
    """The algorithm of a run with those settings."""
    return str(settings.get("algorithm", DEFAULT))


def not_shared(one: str, other: str) -> frozenset[str]:
    """The settings in which runs of two algorithms may differ; none where it is the same one."""
    if one == other:
        return frozenset()
    return frozenset((*of(one).settings, *of(other).settings, *_WITH_A_SECTION))


def why_foreign(setting: str, algorithm: str) -> str:
    """Why an algorithm takes no such setting: it is another one's. '' where it is not."""
    mine = of(algorithm)
    owners = [one.title for one in _ALL.values() if setting in one.settings]
    if not owners or setting in mine.settings:
        return ""
    return (
        f"{setting} is a setting of {' and '.join(owners)}; {mine.title} has "
        f"{', '.join(mine.settings)}"
    )


def images_an_iteration(settings: Mapping[str, Any]) -> int:
    """Labelled and unlabelled images that an iteration sees, each counted once."""
    return int(settings["batch_size"] * (1 + settings["mu"]))
