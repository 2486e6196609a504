"""What two algorithms cost: time an iteration by the runs' own logs, memory by a benchmark."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.analysis.claims.measures import Trained
from harness.errors import BadInput
from harness.runs.folder import Run

BENCHES = "bench*.json"


@dataclass(frozen=True)
class Spread:
    """A number over seeds: median, lowest and highest; all NaN where one of them is not finite."""

    n: int
    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Cost:
    """Of one implementation at one label count: milliseconds an iteration of either algorithm.

    By each run's own log, evaluations included. `ratio` is the other algorithm's over the
    default's, of the seeds whose two runs had the same processor and threads.
    """

    labels: int
    implementation: str
    default: Spread | None
    other: Spread | None
    ratio: Spread | None


def spread(values: Iterable[float]) -> Spread | None:
    """Of one value or more; None of none."""
    numbers = list(values)
    if not numbers:
        return None
    if not all(map(math.isfinite, numbers)):
        return Spread(len(numbers), math.nan, math.nan, math.nan)
    return Spread(len(numbers), float(np.median(numbers)), min(numbers), max(numbers))


def cost(labels: int, name: str, by_seed: Mapping[int, Trained]) -> Cost:
    """Of the runs of one implementation at one label count, by seed."""
    default = {seed: ms for seed, one in by_seed.items() if (ms := _milliseconds(one.default))}
    other = {seed: ms for seed, one in by_seed.items() if (ms := _milliseconds(one.other))}
    ratios = [
        other[seed] / default[seed]
        for seed in default
        if seed in other and _machine(by_seed[seed].default) == _machine(by_seed[seed].other)
    ]
    return Cost(labels, name, spread(default.values()), spread(other.values()), spread(ratios))


def _milliseconds(run: Run | None) -> float | None:
    """An iteration's; None where the log has no clock, or the run was taken from elsewhere."""
    if run is None or run.manifest.taken is not None or not run.points[-1].seconds:
        return None
    return 1000 * run.points[-1].seconds / run.points[-1].iteration


def _machine(run: Run | None) -> tuple[str, str, int | None] | None:
    facts = run.manifest.facts if run is not None else None
    return (facts.device, facts.processor, facts.threads) if facts is not None else None


def memory(folder: Path) -> dict[str, int]:
    """Peak bytes on the host by contender, of the first variant that a benchmark timed of each.

    By the benchmarks of all algorithms in `folder`; empty where none was made. Raises BadInput for
    a file that is none of a benchmark's.
    """
    found: dict[str, int] = {}
    for path in sorted(folder.glob(BENCHES)):
        try:
            for one in json.loads(path.read_text(encoding="utf-8"))["contenders"]:
                if (peak := one["median"].get("peak_host_bytes")) is not None:
                    found.setdefault(one["name"], round(peak))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"{path}: not of a benchmark ({error}); 'make bench' writes it"
            ) from error
    return found
