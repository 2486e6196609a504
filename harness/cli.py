"""Commands and exit codes. `make <verb>` calls `python -m harness <verb>`."""

from __future__ import annotations

import csv
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from harness import bench, logs, pipeline, profile
from harness.errors import BadInput, HarnessError
from harness.implementations import base
from harness.records import Point
from harness.terminal import Terminal

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Shows whether a FixMatch implementation is as good as TorchSSL's.\n\n"
    "Exit codes: 0 done; 1 a check found a difference; 2 bad input; 3 incomplete.",
)

MOST = 2**32 - 1  # what NumPy takes as a seed

ProfileOption = Annotated[
    str,
    typer.Option(help=f"auto (cifar10 with CUDA, else quick), {', '.join(profile.names())}"),
]
ResultsOption = Annotated[Path, typer.Option(help="folder; a folder <profile> is made in it")]


@app.command()
def compare(
    labels: Annotated[str, typer.Option(help='labelled images, as "40 250 4000"')] = "40",
    profile: ProfileOption = "auto",
    seeds: Annotated[str, typer.Option(help='seeds, as "0 1 2"')] = "0",
    iterations: Annotated[str, typer.Option(help="train this many instead of the profile's")] = "",
    implementations: Annotated[
        str, typer.Option(help=f"any of {' '.join(base.names())}")
    ] = "own torchssl",
    data_dir: Annotated[
        str,
        typer.Option(help="folder that holds cifar-10-batches-py, instead of the profile's data"),
    ] = "",
    results: ResultsOption = Path("results"),
) -> None:
    """Train all implementations on identical terms, then write table and figure.

    Runs that are done are kept: the same command again only does what is missing.

    Example: python -m harness compare --labels "40 250 4000" --seeds "0 1 2"
    """
    question = pipeline.Question(
        labels=_whole_numbers("LABELS", labels),
        seeds=_whole_numbers("SEEDS", seeds),
        implementations=list(dict.fromkeys(implementations.split())),
        profile=profile,
        results=results,
        iterations=_iterations(iterations),
        data_dir=Path(data_dir) if data_dir else None,
    )
    if not question.implementations:
        raise BadInput(f"IMPLEMENTATIONS: none named; use {' '.join(base.names())}")
    pipeline.compare(question, Terminal())


@app.command()
def table(profile: ProfileOption = "auto", results: ResultsOption = Path("results")) -> None:
    """Write table and figure again from the runs that are there, and show the table."""
    pipeline.rebuild(results, profile, Terminal())


@app.command()
def read(
    format: Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(logs.READERS))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a log of that format")],
) -> None:
    """Print the points of any log as CSV.

    Example: python -m harness read torchssl saved_models/fixmatch_cifar10_40_0/log.txt
    """
    if format not in logs.READERS:
        raise BadInput(f"FORMAT {format}: unknown; use {', '.join(logs.READERS)}")
    writer = csv.DictWriter(sys.stdout, list(Point.__annotations__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(vars(point) for point in logs.READERS[format](file))


@app.command(name="bench")
def bench_(
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
) -> None:
    """Time both implementations on this machine, block by block in turn.

    Example: python -m harness bench --profile quick --variants "fp32 fp32+compile"
    """
    question = bench.Question(
        profile=profile,
        device=device,
        variants=tuple(dict.fromkeys(variants.split())),
        blocks=blocks,
        iterations=iterations,
        discard=discard,
        results=results,
        data_dir=Path(data_dir) if data_dir else None,
    )
    bench.run(question, Terminal())


def main() -> int:
    """Run a command; every expected error is one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(standalone_mode=False)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except typer.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("error: interrupted; the same command goes on from here", file=sys.stderr)
        return 3
    except Exception as error:
        # Click's own complaints about options; anything else is a defect and shows its trace.
        if not hasattr(error, "format_message"):
            raise
        print(f"error: {error.format_message()}; see --help", file=sys.stderr)
        return 2
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _whole_numbers(name: str, text: str) -> list[int]:
    words = text.replace(",", " ").split()
    if not words:
        raise BadInput(f"{name}: empty; give whole numbers, as {name}=40")
    for word in words:
        if not word.isascii() or not word.isdigit():
            raise BadInput(f"{name} {word}: not a whole number of 0 or more")
        if int(word) > MOST:
            raise BadInput(f"{name} {word}: at most {MOST}")
    return list(dict.fromkeys(int(word) for word in words))


def _iterations(text: str) -> int | None:
    if not text:
        return None
    (number, *rest) = _whole_numbers("ITERATIONS", text)
    if rest or number == 0:
        raise BadInput(f"ITERATIONS {text}: one whole number above 0")
    return number
