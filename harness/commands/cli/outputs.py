"""table, report, status, tensorboard: what is there already, shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.analysis.selection import RULES
from harness.commands import status as status_command
from harness.commands import tensorboard as tensorboard_command
from harness.commands.cli.options import ProfileOption, ResultsOption
from harness.commands.console.terminal import Terminal
from harness.commands.results import table as table_command
from harness.errors import BadInput
from harness.experiment import claims as claims_files
from harness.experiment import profile as profiles
from harness.experiment import study as studies


def table(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    selection: Annotated[
        str, typer.Option(help=f"only show, under another rule: {', '.join(RULES)}")
    ] = "",
) -> None:
    """Write all tables and figures again from the runs that are there, and show the table."""
    if not selection:
        table_command.rebuild(results, profile, Terminal())
    elif selection in RULES:
        table_command.show_under(results, profile, selection, Terminal())
    else:
        raise BadInput(f"SELECTION {selection}: unknown; use {', '.join(RULES)}")


def report(profile: ProfileOption = "auto", results: ResultsOption = Path("results")) -> None:
    """Write report.html (and all else that the runs give) again, and say where it is."""
    table_command.rebuild(results, profile, Terminal())


def status(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    study: Annotated[str, typer.Option(help="that study instead of a profile")] = "",
) -> None:
    """How each run stands: state, iteration, rate, time left, accuracy, whether it is on track.

    For any results folder, while something runs in it or later. `auto`: all profiles and studies.
    """
    if study in claims_files.names():
        profile_of = claims_files.load(study).profile
        raise BadInput(
            f"STUDY {study}: trains nothing; 'make status PROFILE={profile_of}' shows its runs"
        )
    if study:
        shown, names = [], [studies.load(study).name]
    elif profile == "auto":
        shown, names = profiles.names(), studies.names()
    else:
        shown, names = [profiles.load(profile).name], []
    folders = [studies.place(results, name) for name in names]
    status_command.show(results, shown, folders, Terminal())


def tensorboard(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="where to serve")] = 6006,
    serve: Annotated[bool, typer.Option(help="or only write the event files")] = True,
) -> None:
    """Show both implementations' curves in TensorBoard, under the same names."""
    folder, _ = table_command.existing(results, profile)
    tensorboard_command.show(folder, Terminal(), serve, port)
