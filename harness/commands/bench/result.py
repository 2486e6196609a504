"""What `bench.json` holds: the machine, and of each that was timed its blocks and their median."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import median
from typing import Any

from harness.commands.bench.asked import AS_IT_IS, BenchQuestion, Timed
from harness.experiment import algorithms
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.implementations.source import commit_here
from harness.runs.execution import processor

SCHEMA = 2

Blocks = Mapping[Timed, list[dict[str, Any]]]  # what each block measured, by of whom


@dataclass(frozen=True)
class LostBlock:
    """A block that failed."""

    of: Timed
    title: str
    reason: str

    def __str__(self) -> str:
        return f"{self.title}: {self.reason}"


def of_blocks(question: BenchQuestion, request: Request, blocks: Blocks) -> dict[str, Any]:
    first = next(iter(blocks.values()))[0]
    settings = request.profile
    is_default = request.algorithm == algorithms.DEFAULT
    return {
        "schema": SCHEMA,
        "profile": settings.name,
        **({} if is_default else {"algorithm": request.algorithm}),
        "data": request.dataset.name,
        "data_sha256": request.dataset.sha256,
        "network": f"WRN-{settings.depth}-{settings.widen_factor}",
        "batch_size": settings.batch_size,
        "mu": settings.mu,
        "blocks": question.blocks,
        "iterations": question.iterations,
        "discarded": question.discard,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": {
            "device": request.device,
            "gpu": _device(blocks) if request.device == "cuda" else None,
            "cpu": processor.name(),
            "cores": os.cpu_count(),
            "threads": first["threads"],
        },
        "versions": {
            "python": platform.python_version(),
            "torch": first["torch_version"],
            **{name: version(name) for name in ("numpy", "torchvision", "pillow")},
        },
        "own_commit": commit_here(),
        "torchssl_commit": _commit_of_reference(request, blocks),
        "contenders": [
            {
                "name": one.side.name,
                "variant": _variant(one, measured),
                "median": _median(measured),
                "blocks": measured,
            }
            for one, measured in blocks.items()
        ],
    }


def _variant(one: Timed, blocks: Sequence[dict[str, Any]]) -> str:
    """What was asked of it; of one that is timed as it is, the precision that was seen."""
    return one.variant if one.variant != AS_IT_IS else blocks[0].get("precision") or AS_IT_IS


def not_timed(
    timed: Sequence[Timed],
    blocks: Blocks,
    lacking: dict[str, str],
    failed: Sequence[LostBlock],
) -> list[dict[str, str]]:
    """The rows without a number, each with its reason."""
    reasons = [(name, "-", why) for name, why in lacking.items()]
    for one in timed:
        if one not in blocks:
            last = [lost.reason for lost in failed if lost.of is one][-1]
            reasons.append((one.side.name, one.variant, last))
    return [{"name": n, "variant": variant, "reason": why} for n, variant, why in reasons]


def _device(blocks: Blocks) -> str | None:
    """As the first child that names it does; None where none of those that were timed do."""
    named = (
        block["device"] for several in blocks.values() for block in several if "device" in block
    )
    return next(named, None)


def _commit_of_reference(request: Request, blocks: Blocks) -> str:
    reference = registry.reference(request.algorithm)
    return reference.commit() if reference.name in {one.side.name for one in blocks} else ""


def _median(blocks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Number by number, over the blocks; what is no measurement is left out."""
    result: dict[str, Any] = {}
    for key, value in blocks[0].items():
        if isinstance(value, dict):
            result[key] = _median([block[key] for block in blocks])
        elif key.startswith("seconds") or key.endswith("bytes") or isinstance(value, float):
            values = [block[key] for block in blocks]
            result[key] = None if None in values else median(values)
    return result
