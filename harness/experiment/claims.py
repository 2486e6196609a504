"""Claims: one YAML file of what somebody says of algorithms, and how each claim is measured.

The runs are those of a comparison: nothing is trained for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from harness.errors import BadInput
from harness.experiment import algorithms, settings_file
from harness.experiment import contender as contenders
from harness.experiment import profile as profiles
from harness.experiment.profile import Profile
from harness.experiment.settings_file import CONFIGS

FOLDER = CONFIGS / "claims"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
MeasureName = Literal[
    "entropy-of-guesses",
    "chosen-by-confidence",
    "iterations-to-accuracy",
    "pool-an-iteration",
    "pool-in-the-run",
    "share-in-the-loss",
    "none",
]
# The measures that need a threshold, and the numbers between which it lies.
THRESHOLDS: dict[str, tuple[float, float]] = {
    "iterations-to-accuracy": (0.0, 1.0),
    "pool-in-the-run": (0.0, float("inf")),
}


class Claim(BaseModel):
    """One claim, in substance, and the measure that decides it; its verdict is never written here.

    `note` says what of the claim is measured, and what is not. With the measure `none` nothing
    decides it: `reason` says why, `experiment` what would.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Name
    says: Text
    measure: MeasureName
    threshold: float | None = None
    note: str = ""
    reason: str = ""
    experiment: str = ""

    @model_validator(mode="after")
    def _check(self) -> Claim:
        is_measured = self.measure != "none"
        if is_measured and (self.reason or self.experiment):
            raise ValueError(f"{self.id}: reason and experiment are of measure none alone")
        if not is_measured and not (self.reason and self.experiment):
            raise ValueError(f"{self.id}: measure none needs a reason and an experiment")
        if self.measure not in THRESHOLDS:
            if self.threshold is not None:
                raise ValueError(f"{self.id}: {self.measure} takes no threshold")
            return self
        low, high = THRESHOLDS[self.measure]
        if self.threshold is None or not low < self.threshold < high:
            between = f"above {low:g}" + ("" if high == float("inf") else f" and below {high:g}")
            raise ValueError(f"{self.id}: {self.measure} needs a threshold {between}")
        return self


class LookedAt(BaseModel):
    """Seeds whose accuracies were seen before a setting was chosen, and which setting that was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: tuple[int, ...] = Field(min_length=1)
    why: Text


class Claims(BaseModel):
    """One file of `configs/claims`.

    The runs are those of `implementations` with the default algorithm and with `algorithm`;
    `labels` and `seeds` are what a whole comparison has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    question: Text
    source: Text  # who claims it, and where
    notes: Text
    profile: str
    algorithm: str
    implementations: tuple[Name, ...] = Field(min_length=1)
    labels: tuple[Annotated[int, Field(gt=0)], ...] = Field(min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(min_length=1)
    looked_at: LookedAt | None = None
    claims: tuple[Claim, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Claims:
        if self.profile not in profiles.names():
            raise ValueError(f"profile {self.profile}: unknown; use {', '.join(profiles.names())}")
        others = algorithms.names()[1:]
        if self.algorithm not in others:
            raise ValueError(f"algorithm {self.algorithm}: unknown; use {', '.join(others)}")
        ids = [claim.id for claim in self.claims]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"claims: {', '.join(twice)} is there twice; give each its own id")
        return self

    @property
    def contenders(self) -> dict[str, tuple[str, str]]:
        """Of each implementation the contender with the default algorithm, and with the other."""
        return {
            name: (name, contenders.derived_name(name, self.algorithm))
            for name in self.implementations
        }

    @property
    def every_contender(self) -> list[str]:
        """Their names, an implementation's two beside each other."""
        return [name for pair in self.contenders.values() for name in pair]

    @property
    def asked(self) -> Profile:
        """The profile that their runs have."""
        return profiles.load(self.profile)


def names() -> list[str]:
    """The files of claims that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def of_profile(profile: str) -> list[Claims]:
    """Those that are measured from comparisons of that profile. Raises BadInput."""
    return [one for one in map(load, names()) if one.profile == profile]


def path_of(name: str) -> Path:
    """The file of claims."""
    return FOLDER / f"{name}.yaml"


def load(name: str) -> Claims:
    """The claims `name`. Raises BadInput: an unknown name, or file and key of what is wrong."""
    if name not in names():
        raise BadInput(f"NAME {name}: unknown; use {', '.join(names())}")
    path = path_of(name)
    claims = settings_file.read(path, Claims)
    if claims.name != name:
        raise BadInput(f"{path}: name: {claims.name} is not the file's; correct the file")
    return claims
