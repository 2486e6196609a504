"""A profile: one YAML file of settings, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.errors import BadInput
from harness.experiment import algorithms, gpu, settings_file
from harness.experiment.settings_file import CONFIGS

Selection = Literal["best", "last", "mean20", "median20"]
# Percentage points of accuracy, by label count: see `at`.
ByLabels = Annotated[
    dict[Annotated[int, Field(gt=0)], Annotated[float, Field(gt=0, le=100)]], Field(min_length=1)
]


class MixMatchSection(BaseModel):
    """A profile's settings of MixMatch; what is not here is as FixMatch has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(gt=0)  # of sharpening a guessed label
    alpha: float = Field(gt=0)  # MixUp's lambda is of Beta(alpha, alpha)
    lambda_u: float = Field(ge=0)
    ramp_up: float = Field(gt=0, le=1)  # share of the iterations in which lambda_u rises from 0
    mu: int | None = Field(None, gt=0)  # None: the profile's


class Profile(BaseModel):
    """What both implementations are told; the same names as in the YAML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    description: str
    data: Literal["mnist5k", "cifar10"]
    requires_cuda: bool
    depth: int
    widen_factor: int = Field(gt=0)
    iterations: int = Field(gt=0)
    eval_every: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    mu: int = Field(gt=0)
    threshold: float = Field(ge=0, le=1)
    lambda_u: float = Field(ge=0)
    lr: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    ema_decay: float = Field(ge=0, lt=1)
    warmup: Literal[0]  # TorchSSL has no setting for it
    precision: Literal["fp32", "tf32"]  # TorchSSL knows no bf16; see `on`
    selection: Selection
    margin: ByLabels  # a mean difference between implementations below this is no difference
    tolerance: ByLabels  # what a mean over seeds may move by when code changes and nothing else
    # The most that two runs of one seed were apart which differ in rounding alone: study `noise`.
    floor: dict[int, float] = {}
    # A first guess at how long a run takes, until runs of this folder tell better.
    seconds_per_iteration: dict[str, float] = {}
    # Of each algorithm that has settings beside the shared ones, where FixMatch's are: see `under`.
    mixmatch: MixMatchSection | None = None

    @field_validator("depth")
    @classmethod
    def _check_depth(cls, depth: int) -> int:
        if depth < 10 or (depth - 4) % 6 != 0:
            raise ValueError("must be 6n + 4: 10, 16, 22, 28 ...")
        return depth

    def under(self, algorithm: str) -> Profile:
        """The profile as that algorithm is told it: its section's values of settings that others
        have too, `lambda_u` for one, take the place of theirs.

        Raises BadInput where the profile has no section for it.
        """
        section = self._section(algorithm)
        shared = {name: value for name, value in section.items() if name in Profile.model_fields}
        return self.model_copy(update=shared) if shared else self

    def on(self, device: str) -> Profile:
        """With the arithmetic of that device: what torch does there of its own accord.

        That is the reference's: on a CPU float32 in full, on CUDA convolutions in TF32. A profile
        that needs CUDA has there what it says.
        """
        if device == "cuda" and self.requires_cuda:
            return self
        return self.model_copy(update={"precision": "tf32" if device == "cuda" else "fp32"})

    def hyper_parameters(self, algorithm: str = algorithms.DEFAULT) -> dict[str, Any]:
        """The settings that two runs of an algorithm must share to be compared. Raises BadInput."""
        about = {"schema_version", "name", "description", "data", "requires_cuda"}
        about |= {"selection", "margin", "tolerance", "floor", "seconds_per_iteration"}
        settings = self.under(algorithm).model_dump(exclude={*about, *algorithms.names()})
        if algorithm == algorithms.DEFAULT:
            return settings
        shared = {k: v for k, v in settings.items() if not algorithms.why_foreign(k, algorithm)}
        return {"algorithm": algorithm, **shared, **self._section(algorithm)}

    def departing(self, changes: Mapping[str, Any], algorithm: str = algorithms.DEFAULT) -> Profile:
        """The same profile with other values of some settings, checked like those of a file."""
        content = self.model_dump(by_alias=True)
        section = content.get(algorithm) or {}
        for name, value in changes.items():
            (section if name in section else content)[name] = value
        return Profile.model_validate(content).under(algorithm)

    def _section(self, algorithm: str) -> dict[str, Any]:
        """What stands in it; {} of an algorithm whose settings all stand among the shared ones."""
        if algorithms.of(algorithm).name not in Profile.model_fields:
            return {}
        section: BaseModel | None = getattr(self, algorithm)
        if section is None:
            raise BadInput(
                f"ALGORITHMS {algorithm}: profile {self.name} has no section {algorithm}; add one "
                f"to configs/profiles/{self.name}.yaml"
            )
        return section.model_dump(exclude_none=True)

    def evaluated_after(self) -> list[int]:
        """Numbers of updates after which TorchSSL evaluates; our side does so too.

        Iteration k, of k + 1 updates, is evaluated when k is a multiple of `eval_every`, or of
        1,000 once more than 80% of the iterations are done; and the end always is.
        """
        after, every = [], self.eval_every
        for k in range(self.iterations):
            if k % every == 0:
                after.append(k + 1)
            if k + 1 > 0.8 * self.iterations:
                every = 1000
        return sorted({*after, self.iterations})


def at(values: ByLabels, labels: int) -> float:
    """The value for `labels`: of the nearest count listed at or below it, else of the lowest.

    Accuracies spread less the more labels there are, so what is taken is never too strict.
    """
    below = [count for count in values if count <= labels]
    return values[max(below) if below else min(values)]


def names() -> list[str]:
    """The profiles that there are."""
    return sorted(path.stem for path in (CONFIGS / "profiles").glob("*.yaml"))


def load(name: str, iterations: int | None = None) -> Profile:
    """The profile `name`, shortened to `iterations` if given, with evaluations to match.

    Raises BadInput for an unknown name, and names file and key for a wrong setting.
    """
    if name not in names():
        raise BadInput(f"PROFILE {name}: unknown; use auto, {', '.join(names())}")
    path = CONFIGS / "profiles" / f"{name}.yaml"
    profile = read(path)
    if iterations is None:
        return profile
    scaled = round(profile.eval_every * iterations / profile.iterations)
    eval_every = min(profile.eval_every, max(scaled, -(-iterations // 10)))
    return profile.model_copy(update={"iterations": iterations, "eval_every": eval_every})


def read(path: Path) -> Profile:
    """Read and check one profile file."""
    return settings_file.read(path, Profile)


def resolve_auto(name: str, device: str = "") -> tuple[str, str]:
    """`auto` -> (profile, why), by what this machine has; any other name is itself.

    `device`: the one that is to train, which may be another machine's.
    """
    if name != "auto":
        return name, "as asked"
    if gpu.is_there():
        return "cifar10", f"CUDA is there ({gpu.name()})"
    if device == "cuda":
        return "cifar10", "for GPUs that are not of this machine"
    lacks = gpu.lacking()
    return "quick", "no CUDA here" + (f": {lacks}" if lacks else "")
