"""read, import, try, new-spec: other people's logs and implementations."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import try_ as try_command
from harness.commands.cli.options import ProfileOption, ResultsOption
from harness.commands.console import arguments
from harness.commands.console.terminal import Terminal
from harness.commands.results import import_ as import_command
from harness.implementations import logs
from harness.implementations.logs import recognise
from harness.implementations.logs.described.options import OWN_FORMATS
from harness.implementations.reported import Point


def read(
    format: Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(logs.READERS))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a log of that format")],
) -> None:
    """Print the points of any log as CSV.

    Example: python -m harness read torchssl saved_models/fixmatch_cifar10_40_0/log.txt
    """
    points = recognise.read(format, file)  # before anything is printed: it may fail
    writer = csv.DictWriter(sys.stdout, list(Point.__annotations__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(vars(point) for point in points)


def import_log(
    log: Annotated[Path, typer.Option(help="the log of one finished run")],
    format: Annotated[
        str,
        typer.Option(help=f"{', '.join(OWN_FORMATS)}, or a YAML file with the keys of a reader"),
    ],
    name: Annotated[str, typer.Option("--as", help="whose it is: the name of its row")],
    labels: Annotated[str, typer.Option(help="labelled images of that run")],
    seed: Annotated[str, typer.Option(help="seed of that run")] = "0",
    title: Annotated[str, typer.Option(help="its name for people")] = "",
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    data_dir: Annotated[
        str, typer.Option(help="folder that holds cifar-10-batches-py, instead of the profile's")
    ] = "",
) -> None:
    """Put a finished log of somebody else's beside the runs, marked as unproven.

    Its accuracies stand in table, curves and page. No rung of the ladder is shown of it, and it is
    in no verdict.

    Example: python -m harness import --log log.txt --format torchssl --as theirs --labels 40
    """
    import_command.run(
        import_command.Import(
            log=log,
            format=format,
            name=name,
            labels=arguments.one_number("LABELS", labels),
            seed=arguments.one_number("SEED", seed),
            profile=profile,
            results=results,
            title=title,
            data_dir=Path(data_dir) if data_dir else None,
        ),
        Terminal(),
    )


def try_(
    spec: Annotated[str, typer.Option(help="the file that describes your implementation")] = "",
    labels: Annotated[str, typer.Option(help="labelled images")] = "40",
    seed: Annotated[str, typer.Option(help="its seed")] = "0",
    iterations: Annotated[str, typer.Option(help="as many as two evaluations need")] = "",
    data_dir: Annotated[str, typer.Option(help="as for compare")] = "",
    keep: Annotated[str, typer.Option(help="folder in which the run is kept, to look at")] = "",
) -> None:
    """Train your implementation for a moment, and show what its file shows and lacks.

    Exit 0: a verdict could be given; 1: something that it needs is not shown; 3: the run failed.

    Example: python -m harness try --spec ../mine/compare.yaml
    """
    question = try_command.TryQuestion(
        spec=spec,
        labels=arguments.one_number("LABELS", labels),
        seed=arguments.one_number("SEED", seed),
        iterations=arguments.iterations(iterations) or try_command.ITERATIONS,
        data_dir=Path(data_dir) if data_dir else None,
        keep=Path(keep) if keep else None,
    )
    try_command.run(question, Terminal())


def new_spec(
    spec: Annotated[Path, typer.Option(help="where to write it")] = Path("compare.yaml"),
) -> None:
    """Write a commented file that describes an implementation, to begin with."""
    try_command.write_new(spec, Terminal())
