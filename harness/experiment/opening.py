"""Where every command that trains or asks begins: profile, data set and device together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.experiment import gpu, split
from harness.experiment import profile as profiles
from harness.experiment.data import Dataset, open_dataset
from harness.experiment.profile import Profile

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Experiment:
    """On which terms, on which images and where; `why` says what chose the profile."""

    profile: Profile
    dataset: Dataset
    device: str  # cpu or cuda
    why: str = ""

    def __str__(self) -> str:
        """Two lines for people."""
        profile, dataset = self.profile, self.dataset
        return (
            f"Profile {profile.name} ({self.why}): {profile.description}\n"
            f"Data {dataset.name}, {dataset.train_size} + {dataset.test_size} images, {self.device}"
        )


def open_experiment(
    name: str,
    iterations: int | None = None,
    data_dir: Path | None = None,
    labels: Sequence[int] = (),
    device: str = "",
) -> Experiment:
    """The profile `name` with its data and device; `auto` is decided by what this machine has.

    `device` is the one that is to train; '': this machine's, as the profile needs it.
    Raises BadInput for whatever cannot be had, before anything is written.
    """
    name, why = profiles.resolve_auto(name, device)
    return open_on(profiles.load(name, iterations), data_dir, labels, device, why)


def open_on(
    profile: Profile,
    data_dir: Path | None = None,
    labels: Sequence[int] = (),
    device: str = "",
    why: str = "",
) -> Experiment:
    """As `open_experiment`, of a profile that is read already."""
    device = device or device_here(profile)
    dataset = open_dataset(profile.data, data_dir)
    for count in labels:
        split.check_labels(count, dataset)
    return Experiment(profile.on(device), dataset, device, why)


def device_here(profile: Profile) -> str:
    """`cuda` where it is there, else `cpu`. Raises BadInput for a profile that needs CUDA."""
    if has_cuda():
        return "cuda"
    if profile.requires_cuda:
        raise BadInput(
            f"PROFILE {profile.name}: needs CUDA, and there is none here{_why_none()}; use "
            "PROFILE=quick"
        )
    return "cpu"


def chosen_device(asked: str) -> str:
    """`cpu` or `cuda`, as DEVICE says or, for `auto`, as this machine has it. Raises BadInput."""
    if asked not in DEVICES:
        raise BadInput(f"DEVICE {asked}: unknown; use auto, cpu or cuda")
    there = has_cuda()
    if asked == "cuda" and not there:
        raise BadInput(f"DEVICE cuda: torch finds no CUDA device here{_why_none()}; use DEVICE=cpu")
    return "cuda" if there and asked != "cpu" else "cpu"


def has_cuda() -> bool:
    """Whether torch finds a CUDA device on this machine."""
    return gpu.is_there()


def _why_none() -> str:
    lacks = gpu.lacking()
    return f" ({lacks})" if lacks else ""
