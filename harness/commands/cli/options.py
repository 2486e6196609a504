"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import compare as compare_command
from harness.experiment import profile as profiles

ProfileOption = Annotated[
    str,
    typer.Option(help=f"auto (cifar10 with CUDA, else quick), {', '.join(profiles.names())}"),
]
ResultsOption = Annotated[Path, typer.Option(help="folder; a folder <profile> is made in it")]
PublishedOption = Annotated[Path, typer.Option(help="folder that holds <profile>: the evidence")]
PUBLISHED = compare_command.PUBLISHED
