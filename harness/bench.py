"""bench: both implementations on one machine, block by block in turn, into bench.json and .md.

A block is a fresh child that trains for some iterations; those at its start do not count. Ours is
timed by `own_impl.answers.bench`, TorchSSL by the clock after each of its updates while its own
`fixmatch.py` runs.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from harness import bench_report, data, hand_out, profile
from harness.errors import BadInput, HarnessError, Incomplete
from harness.execution import console, local
from harness.execution.job import Command
from harness.implementations.base import Request
from harness.implementations.own import create as create_own
from harness.implementations.torchssl import TIMES
from harness.implementations.torchssl import create as create_torchssl
from harness.records import write_text
from harness.terminal import Terminal

SCHEMA = 2
LABELS = 40  # what the labelled images are makes no step slower
VARIANTS = ("fp32", "tf32", "bf16")
DEFAULT_VARIANTS = {"cpu": ("fp32",), "cuda": ("fp32", "tf32", "bf16")}
SUFFIX = "+compile"


@dataclass(frozen=True)
class Question:
    """What is to be timed."""

    profile: str
    device: str
    variants: Sequence[str]  # of ours: a precision, with '+compile' or without; none: the default
    blocks: int
    iterations: int
    discard: int
    results: Path
    data_dir: Path | None = None


@dataclass(frozen=True)
class Contender:
    """Something that is timed: `block` trains in a folder and returns what it measured."""

    name: str
    variant: str
    block: Callable[[Path], dict[str, Any]]


def run(question: Question, terminal: Terminal) -> None:
    """Time all contenders in turn, then write and show the table.

    Raises BadInput, and Incomplete after all that could be timed is written.
    """
    name, why = profile.resolve_auto(question.profile)
    settings = profile.load(name)
    device = _device(question.device)
    if unknown := [v for v in question.variants if v.removesuffix(SUFFIX) not in VARIANTS]:
        raise BadInput(
            f"VARIANTS {unknown[0]}: unknown; use {', '.join(VARIANTS)}, each also with {SUFFIX}"
        )
    dataset = data.open_dataset(settings.data, question.data_dir)
    request = Request(settings, dataset, LABELS, 0, device)
    terminal.say(f"Profile {name} ({why}), data {dataset.name}, {device}")

    missing = create_torchssl().unavailable()
    variants = question.variants or DEFAULT_VARIANTS[device]
    contenders = [_ours(question, request, variant) for variant in variants]
    if not missing:
        contenders.append(_reference(question, request))
    lost = [f"torchssl: {missing}"] if missing else []
    for reason in lost:
        terminal.say(f"{reason}; timing ours alone")

    blocks: dict[Contender, list[dict[str, Any]]] = {}
    for number in range(1, question.blocks + 1):
        for contender in contenders:
            title = f"block {number}/{question.blocks}, {contender.name} {contender.variant}"
            terminal.say(f"{title}: timing {question.iterations} iterations ...")
            with tempfile.TemporaryDirectory(prefix="bench-") as workplace:
                try:
                    measured = contender.block(Path(workplace))
                except HarnessError as error:
                    lost.append(f"{title}: {error}")
                    terminal.say(f"{title}: failed: {error}")
                    continue
            blocks.setdefault(contender, []).append(measured)
            terminal.say(f"{title}: {1 / measured['seconds_per_iteration']:.2f} iterations/s")

    if not blocks:
        raise Incomplete("nothing could be timed: " + "; ".join(lost))
    result = _result(question, request, blocks)
    folder = question.results / name
    write_text(folder / "bench.json", json.dumps(result, indent=1) + "\n")
    markdown = bench_report.markdown(result, settings)
    write_text(folder / "bench.md", markdown)
    terminal.say()
    terminal.markdown(markdown)
    terminal.say(f"  {folder / 'bench.md'}\n  {folder / 'bench.json'}")
    if lost:
        raise Incomplete("not all could be timed: " + "; ".join(lost))


def _ours(question: Question, request: Request, variant: str) -> Contender:
    precision, compiled = variant.removesuffix(SUFFIX), variant.endswith(SUFFIX)
    command = create_own().benchmark_command(
        request, question.discard, question.iterations, precision, compiled
    )
    return Contender("own", variant, partial(_own_block, command, request))


def _reference(question: Question, request: Request) -> Contender:
    # It knows one precision only: torch's own, which on CUDA convolves in tf32.
    variant = "fp32, tf32 convolutions" if request.device == "cuda" else "fp32"
    return Contender("torchssl", variant, partial(_torchssl_block, question, request))


def _own_block(command: Command, request: Request, folder: Path) -> dict[str, Any]:
    hand_out.data_and_split(request, folder)
    _run(command, folder)
    text = (folder / console.HEAD).read_text(encoding="utf-8")
    try:
        measured: dict[str, Any] = json.loads(text[text.index("{\n") :])
    except ValueError as error:
        raise HarnessError(f"own_impl.answers.bench printed no result ({error})") from error
    return measured


def _torchssl_block(question: Question, request: Request, folder: Path) -> dict[str, Any]:
    """An evaluation in the middle of the counted iterations is timed by the gap that it leaves."""
    iterations = question.discard + question.iterations + 1
    evaluated = question.discard + question.iterations // 2
    settings = request.profile.model_copy(
        update={"iterations": iterations, "eval_every": evaluated}
    )
    short = Request(settings, request.dataset, request.labels, request.seed, request.device)
    hand_out.data_and_split(request, folder)
    _run(create_torchssl().benchmark_command(short, folder), folder)
    content: dict[str, Any] = json.loads((folder / TIMES).read_text(encoding="utf-8"))
    steps = np.diff(content.pop("times"))  # entry k: from update k to update k + 1
    counted = np.delete(steps, evaluated)[question.discard :]
    seconds = float(np.mean(counted))
    evaluation = max(0.0, float(steps[evaluated]) - seconds)
    timed = {"seconds_per_iteration": seconds, "seconds_per_evaluation": evaluation}
    return content | timed


def _run(command: Command, folder: Path) -> None:
    ended = local.run(command, folder)
    if ended.code != 0:
        raise HarnessError(f"exit code {ended.code}: {ended.last_line}")


def _result(
    question: Question, request: Request, blocks: dict[Contender, list[dict[str, Any]]]
) -> dict[str, Any]:
    first = next(iter(blocks.values()))[0]
    settings = request.profile
    return {
        "schema": SCHEMA,
        "profile": settings.name,
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
            "gpu": first["device"] if request.device == "cuda" else None,
            "cpu": _processor(),
            "cores": os.cpu_count(),
            "threads": first["threads"],
        },
        "versions": {
            "python": platform.python_version(),
            "torch": first["torch_version"],
            **{name: version(name) for name in ("numpy", "torchvision", "pillow")},
        },
        "own_commit": create_own().commit(),
        "torchssl_commit": create_torchssl().commit() if "torchssl" in _names(blocks) else "",
        "contenders": [
            {
                "name": contender.name,
                "variant": contender.variant,
                "median": _median(measured),
                "blocks": measured,
            }
            for contender, measured in blocks.items()
        ],
    }


def _names(blocks: dict[Contender, list[dict[str, Any]]]) -> set[str]:
    return {contender.name for contender in blocks}


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


def _device(asked: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if asked not in ("auto", "cpu", "cuda"):
        raise BadInput(f"DEVICE {asked}: unknown; use auto, cpu or cuda")
    if asked == "cuda" and not there:
        raise BadInput("DEVICE cuda: torch finds no CUDA device here; use DEVICE=cpu")
    return "cuda" if there and asked != "cpu" else "cpu"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
