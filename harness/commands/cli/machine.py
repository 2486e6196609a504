"""bench, gpu-check: how fast this machine is, and whether its GPU works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.bench import command as bench_command
from harness.commands.bench.asked import BenchQuestion
from harness.commands.cli.options import ProfileOption, ResultsOption
from harness.commands.console import arguments
from harness.commands.console.terminal import Terminal
from harness.commands.gpu_check import command as gpu_check_command
from harness.commands.gpu_check.bounds import LIMITS, SECONDS
from harness.errors import BadInput
from harness.experiment.algorithms import DEFAULT as DEFAULT_ALGORITHM
from harness.experiment.algorithms import names as known_algorithms
from harness.implementations import registry


def bench(
    profile: ProfileOption = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    variants: Annotated[
        str,
        typer.Option(
            help='ours to time, as "fp32 bf16 fp32+compile"; empty: fp32, on CUDA tf32 and bf16 too'
        ),
    ] = "",
    blocks: Annotated[int, typer.Option(min=1, help="blocks of each; the median counts")] = 3,
    iterations: Annotated[int, typer.Option(min=1, help="timed iterations in a block")] = 100,
    discard: Annotated[int, typer.Option(min=1, help="iterations before those")] = 20,
    data_dir: Annotated[str, typer.Option(help="as for compare")] = "",
    results: ResultsOption = Path("results"),
    implementations: Annotated[
        str, typer.Option(help="as for compare; one by its file is timed while its script runs")
    ] = "own torchssl",
    algorithm: Annotated[
        str, typer.Option(help=f"one of {' '.join(known_algorithms())}")
    ] = DEFAULT_ALGORITHM,
) -> None:
    """Time the implementations on this machine, block by block in turn.

    Example: python -m harness bench --profile quick --variants "fp32 fp32+compile"
    """
    question = BenchQuestion(
        profile=profile,
        device=device,
        variants=tuple(arguments.names(variants)),
        blocks=blocks,
        iterations=iterations,
        discard=discard,
        results=results,
        data_dir=Path(data_dir) if data_dir else None,
        implementations=[registry.enter(word) for word in arguments.names(implementations)],
        algorithm=algorithm,
    )
    bench_command.run(question, Terminal())


def check_gpu(
    profile: ProfileOption = "auto",
    data_dir: Annotated[str, typer.Option(help="as for compare")] = "",
    results: ResultsOption = Path("results"),
    parts: Annotated[str, typer.Option(help=f"any of {' '.join(LIMITS)}; empty: all")] = "",
    variants: Annotated[str, typer.Option(help="as for bench")] = "",
    seconds: Annotated[float, typer.Option(min=1, help="in which all of it ends")] = SECONDS,
) -> None:
    """The first minutes on a GPU: does all of it work there, and how fast.

    Versions, the tests of a GPU, the ladder on it, some iterations of both sides, a resumption of
    each, a short benchmark. Writes gpu-check.md; needs no network; exit code 3 without a GPU.

    Example: python -m harness gpu-check
    """
    named = tuple(arguments.names(parts)) or tuple(LIMITS)
    if unknown := [name for name in named if name not in LIMITS]:
        raise BadInput(f"PARTS {unknown[0]}: unknown; use {' '.join(LIMITS)}")
    question = gpu_check_command.GpuQuestion(
        profile=profile,
        results=results,
        data_dir=Path(data_dir) if data_dir else None,
        parts=named,
        variants=tuple(arguments.names(variants)),
        seconds=seconds,
    )
    gpu_check_command.run(question, Terminal())
