"""bench: both implementations on one machine, block by block in turn, into bench.json and .md.

A block is a fresh child that trains for some iterations; those at its start do not count. Ours is
timed by `own_impl.answers.bench`, TorchSSL by the clock after each of its updates while its own
script, `fixmatch.py` for one, runs, and one that a file describes likewise while its own script
runs.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from harness.commands import bench_inputs
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput, HarnessError, Incomplete
from harness.experiment import algorithms
from harness.experiment.opening import chosen_device, open_experiment
from harness.implementations import registry
from harness.implementations.interface import Implementation, Request, Timing
from harness.implementations.source import commit_here
from harness.report import bench
from harness.runs.execution import child, processor
from harness.runs.files import write_text

SCHEMA = 2
LABELS = 40  # what the labelled images are makes no step slower
VARIANTS = ("fp32", "tf32", "bf16")
COMPILE = "compile"
FORMATS = ("contiguous", "channels_last")
AS_IT_IS = "as it is"  # of a described one, until its blocks tell its precision
DEFAULT_VARIANTS = {
    "cpu": ("fp32",),
    "cuda": ("fp32", "tf32", "tf32+compile", "bf16", "bf16+compile"),
}


@dataclass(frozen=True)
class BenchQuestion:
    """What is to be timed."""

    profile: str
    device: str
    variants: Sequence[str]  # of ours: a precision, with '+compile' or without; none: the default
    blocks: int
    iterations: int
    discard: int
    results: Path
    data_dir: Path | None = None
    implementations: Sequence[str] = ("own", "torchssl")  # contenders, by name
    algorithm: str = algorithms.DEFAULT  # of each of them

    @property
    def file(self) -> str:
        """Of what is written, without its suffix: `bench`, `bench-mixmatch`."""
        is_default = self.algorithm == algorithms.DEFAULT
        return "bench" if is_default else f"bench-{self.algorithm}"


@dataclass(frozen=True)
class Timed:
    """Something that is timed in turn with others: of whom, and what is asked of it."""

    side: Implementation
    variant: str
    timing: Timing

    def __str__(self) -> str:
        return f"{self.side.name} {self.variant}"


@dataclass(frozen=True)
class LostBlock:
    """A block that failed."""

    of: Timed
    title: str
    reason: str

    def __str__(self) -> str:
        return f"{self.title}: {self.reason}"


def run(question: BenchQuestion, terminal: Terminal) -> None:
    """Time all of them in turn, then write and show the table.

    Raises BadInput, and Incomplete after all that could be timed is written.
    """
    algorithms.of(question.algorithm, "ALGORITHM")
    device = chosen_device(question.device)
    experiment = open_experiment(question.profile, data_dir=question.data_dir, device=device)
    request = Request(experiment.profile, experiment.dataset, LABELS, 0, device)
    request = request.under(question.algorithm)
    profile = request.profile
    timed, lacking = _timed(question, device)
    terminal.say(
        f"Profile {profile.name} ({experiment.why}), data {experiment.dataset.name}, {device}"
    )
    lost = [f"{name}: {why}" for name, why in lacking.items()]
    for line in lost:
        terminal.say(f"{line}; going on without it")
    blocks, failed = _blocks(question, timed, request, terminal)
    lost += map(str, failed)
    if not blocks:
        raise Incomplete("nothing could be timed: " + "; ".join(lost))
    result = _result(question, request, blocks)
    result["not_timed"] = _not_timed(timed, blocks, lacking, failed)
    folder = question.results / profile.name
    write_text(folder / f"{question.file}.json", json.dumps(result, indent=1) + "\n")
    markdown = bench.markdown(result, profile)
    write_text(folder / f"{question.file}.md", markdown)
    terminal.say()
    terminal.markdown(markdown)
    terminal.say(f"  {folder / question.file}.md\n  {folder / question.file}.json")
    if lost:
        raise Incomplete("not all could be timed: " + "; ".join(lost))


def _blocks(
    question: BenchQuestion, timed: Sequence[Timed], request: Request, terminal: Terminal
) -> tuple[dict[Timed, list[dict[str, Any]]], list[LostBlock]]:
    """What each block measured, and those that failed."""
    blocks: dict[Timed, list[dict[str, Any]]] = {}
    lost = []
    for number in range(1, question.blocks + 1):
        for one in timed:
            title = f"block {number}/{question.blocks}, {one}"
            terminal.say(f"{title}: timing {question.iterations} iterations ...")
            with tempfile.TemporaryDirectory(prefix="bench-") as workplace:
                try:
                    measured = _block(one, request, Path(workplace))
                except HarnessError as error:
                    lost.append(LostBlock(one, title, str(error)))
                    terminal.say(f"{title}: failed: {error}")
                    continue
            blocks.setdefault(one, []).append(measured)
            terminal.say(f"{title}: {1 / measured['seconds_per_iteration']:.2f} iterations/s")
    return blocks, lost


def _block(one: Timed, request: Request, folder: Path) -> dict[str, Any]:
    """Train in a fresh folder; what it measured. Raises HarnessError."""
    request = one.side.asked(request)
    with bench_inputs.given(one.side, request, folder):
        command = one.side.benchmark_command(request, folder, one.timing)
        if command is None:
            raise HarnessError(f"{one.side.name} cannot be timed")
        ended = child.run(command, folder)
    if ended.code != 0:
        raise HarnessError(f"exit code {ended.code}: {ended.last_line}")
    return one.side.timed(folder, one.timing)


def _timed(question: BenchQuestion, device: str) -> tuple[list[Timed], dict[str, str]]:
    """All that is timed, and who cannot be, with why. Raises BadInput for an unknown variant."""
    under = partial(registry.under, algorithm=question.algorithm)
    ours = under("own")
    sides = [registry.create(under(name)) for name in question.implementations]
    able, lacking = bench_inputs.able(sides)
    timed = []
    for side in able:
        if side.name == ours:
            timed += _ours(question, device)
        elif side.loader_workers(device):
            timed += _reference(question, side, device)
        else:
            variant = AS_IT_IS if side.copies_data else "fp32"
            timed.append(Timed(side, variant, Timing(question.discard, question.iterations)))
    return timed, lacking


def _ours(question: BenchQuestion, device: str) -> list[Timed]:
    """Ours in each variant that is asked for. Raises BadInput for an unknown one."""
    variants = question.variants or DEFAULT_VARIANTS[device]
    own = registry.create(registry.under("own", question.algorithm))
    return [Timed(own, variant, _timing(question, variant)) for variant in variants]


def _timing(question: BenchQuestion, variant: str) -> Timing:
    """`tf32+compile+contiguous`: a precision, and what else is asked. Raises BadInput."""
    precision, *more = variant.split("+")
    orders = [part for part in more if part in FORMATS]
    if precision not in VARIANTS or len(orders) > 1 or {*more} - {COMPILE, *FORMATS}:
        raise BadInput(
            f"VARIANTS {variant}: unknown; use {', '.join(VARIANTS)}, each also with +{COMPILE}, "
            f"+{' or +'.join(FORMATS)}"
        )
    return Timing(
        question.discard,
        question.iterations,
        precision,
        COMPILE in more,
        orders[0] if orders else "auto",
    )


def _reference(question: BenchQuestion, reference: Implementation, device: str) -> list[Timed]:
    """In each number of loader processes that is worth timing, a comparison's first."""
    # It knows one precision only: torch's own, which on CUDA convolves in tf32.
    variant = "fp32, tf32 convolutions" if device == "cuda" else "fp32"
    timing = Timing(question.discard, question.iterations)
    chosen, *others = reference.loader_workers(device) or (None,)
    if not others:
        return [Timed(reference, variant, timing)]
    return [
        Timed(reference, f"{variant}, loaders x{n}", replace(timing, workers=n))
        for n in (chosen, *others)
    ]


def _result(
    question: BenchQuestion, request: Request, blocks: dict[Timed, list[dict[str, Any]]]
) -> dict[str, Any]:
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


def _not_timed(
    timed: Sequence[Timed],
    blocks: dict[Timed, list[dict[str, Any]]],
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


def _device(blocks: dict[Timed, list[dict[str, Any]]]) -> str | None:
    """As the first child that names it does; None where none of those that were timed do."""
    named = (
        block["device"] for several in blocks.values() for block in several if "device" in block
    )
    return next(named, None)


def _commit_of_reference(request: Request, blocks: dict[Timed, list[dict[str, Any]]]) -> str:
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
