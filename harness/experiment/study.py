"""A study: one YAML file that says what of our FixMatch is varied, and against which variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from harness.errors import BadInput
from harness.experiment import profile as profiles
from harness.experiment import settings_file
from harness.experiment.profile import Profile
from harness.experiment.settings_file import CONFIGS

FOLDER = CONFIGS / "studies"
VariantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]  # a folder's
# What our side does where a variant says nothing; no profile has these, or none but these.
OWN: Mapping[str, Any] = {
    "warmup": 0, "precision": "fp32", "use_ema": True, "precise_bn": False, "interleave": False,
}  # fmt: skip

# The same, of settings that are only told where a study varies them.
FURTHER: Mapping[str, Any] = {"labelled_in_pool": True, "threads": None}
# What is not the same on both sides where a setting is not.
FOLLOWS = {"labelled_in_pool": "unlabelled_pool"}


class Overrides(BaseModel):
    """What a variant changes: settings of the profile, and those that only our side has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int | None = Field(None, gt=0)
    mu: int | None = Field(None, gt=0)
    threshold: float | None = Field(None, ge=0, le=1)
    lambda_u: float | None = Field(None, ge=0)
    lr: float | None = Field(None, gt=0)
    momentum: float | None = Field(None, gt=0, lt=1)  # Nesterov needs some
    weight_decay: float | None = Field(None, ge=0)
    ema_decay: float | None = Field(None, ge=0, lt=1)
    warmup: int | None = Field(None, ge=0)
    precision: Literal["fp32", "tf32", "bf16"] | None = None
    use_ema: bool | None = None
    precise_bn: bool | None = None
    interleave: bool | None = None
    labelled_in_pool: bool | None = None
    threads: int | None = Field(None, gt=0)

    def given(self) -> dict[str, Any]:
        """Only what is changed."""
        return self.model_dump(exclude_none=True)


class Study(BaseModel):
    """One file of `configs/studies`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    question: str
    notes: str  # Markdown: why these variants, labels and schedule
    profile: str
    iterations: int | None = Field(None, gt=0)  # the profile's where not given
    labels: tuple[Annotated[int, Field(gt=0)], ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(min_length=1)
    baseline: str
    # A batch of k times the profile's size gets k times the lr, and 1/k of the iterations.
    scaled_with_batch_size: frozenset[Literal["lr", "iterations"]] = frozenset()
    variants: dict[VariantName, Overrides] = Field(min_length=2)
    # How many times as long as the profile guesses an iteration of a variant takes, for the plan.
    takes: dict[VariantName, Annotated[float, Field(gt=0)]] = {}
    # A variant with the baseline's settings: its runs are another machine's, and taken from there.
    elsewhere: VariantName | None = None

    @property
    def varied(self) -> frozenset[str]:
        """The settings in which variants differ."""
        overridden = {key for variant in self.variants.values() for key in variant.given()}
        following = {FOLLOWS[key] for key in overridden & FOLLOWS.keys()}
        return self.scaled_with_batch_size | overridden | following

    @model_validator(mode="after")
    def _check(self) -> Study:
        if self.baseline not in self.variants:
            raise ValueError(f"baseline {self.baseline} is none of the variants")
        if unknown := self.takes.keys() - self.variants.keys():
            raise ValueError(f"takes: {', '.join(sorted(unknown))} is none of the variants")
        if self.elsewhere is not None and (
            self.elsewhere == self.baseline
            or self.variants.get(self.elsewhere) != self.variants[self.baseline]
        ):
            raise ValueError(
                f"elsewhere {self.elsewhere}: is no other variant with the baseline's settings"
            )
        if self.profile not in profiles.names():
            raise ValueError(f"profile {self.profile}: unknown; use {', '.join(profiles.names())}")
        return self


@dataclass(frozen=True)
class Variant:
    """What its runs are asked: a profile, and the `Request.options` that no profile has."""

    name: str
    profile: Profile
    options: Mapping[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """All of it, by name; `warmup` and `precision` are the options'."""
        return {**self.profile.hyper_parameters(), **self.options}


def names() -> list[str]:
    """The studies that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def place(results: Path, name: str) -> Path:
    """The folder of a study's runs and outputs."""
    return results / "studies" / name


def path_of(name: str) -> Path:
    """The file of a study."""
    return FOLDER / f"{name}.yaml"


def load(name: str) -> Study:
    """The study `name`. Raises BadInput: an unknown name, or file and key of a wrong setting."""
    if name not in names():
        raise BadInput(f"NAME {name}: unknown; use {', '.join(names())}")
    path = path_of(name)
    study = settings_file.read(path, Study)
    if study.name != name:
        raise BadInput(f"{path}: name: {study.name} is not the file's; correct the file")
    return study


def variants(study: Study, iterations: int | None = None) -> list[Variant]:
    """In the file's order; `iterations`, if given, shortens schedule and warm-up in proportion."""
    planned = study.iterations or profiles.load(study.profile).iterations
    base = profiles.load(study.profile, iterations or study.iterations)
    share = base.iterations / planned
    return [_variant(name, study, base, share) for name in study.variants]


def _variant(name: str, study: Study, base: Profile, share: float) -> Variant:
    given = study.variants[name].given()
    known = {**OWN, **{key: FURTHER[key] for key in FURTHER if key in study.varied}}
    options = {key: given.pop(key, default) for key, default in known.items()}
    if options["warmup"]:
        options["warmup"] = max(1, round(options["warmup"] * share))
    profile = base.model_copy(update=given)
    factor = profile.batch_size / base.batch_size
    longer = study.takes.get(name, 1.0) * factor
    guesses = {side: s * longer for side, s in base.seconds_per_iteration.items()}
    change = {**_scaled(profile, study, factor), "seconds_per_iteration": guesses}
    return Variant(name, profile.model_copy(update=change), options)


def _scaled(profile: Profile, study: Study, factor: float) -> dict[str, Any]:
    """What the study scales with a batch `factor` times as large as the profile's."""
    change: dict[str, Any] = {}
    if "lr" in study.scaled_with_batch_size:
        change["lr"] = profile.lr * factor
    if "iterations" in study.scaled_with_batch_size:
        change["iterations"] = max(1, round(profile.iterations / factor))
        change["eval_every"] = max(1, round(profile.eval_every / factor))
    return change
