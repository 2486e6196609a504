"""parity, verify, diff, publish, accuracy-check: what shows that a number may be believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from harness.analysis.diff import rows as diff_module
from harness.commands import accuracy_check, publish_study
from harness.commands import diff as diff_command
from harness.commands import parity as parity_command
from harness.commands import publish as publish_command
from harness.commands import verify as verify_command
from harness.commands.cli.options import PUBLISHED, ProfileOption, PublishedOption, ResultsOption
from harness.commands.console import arguments
from harness.commands.console.terminal import Terminal
from harness.commands.results import table as table_command
from harness.errors import BadInput, CheckFailed
from harness.experiment import claims as claims_files
from harness.experiment import study as studies
from harness.experiment.algorithms import DEFAULT as DEFAULT_ALGORITHM
from harness.experiment.algorithms import names as known_algorithms
from harness.runs.execution.lock import only_one

FORMATS: dict[str, Callable[[diff_module.Diff], str]] = {
    "terminal": diff_module.markdown,
    "markdown": diff_module.markdown,
    "json": diff_module.to_json,
}


def parity(
    profile: ProfileOption = "auto",
    labels: Annotated[str, typer.Option(help="labelled images of the run that is opened")] = "40",
    seed: Annotated[str, typer.Option(help="its seed")] = "0",
    data_dir: Annotated[
        str, typer.Option(help="folder that holds cifar-10-batches-py, instead of the profile's")
    ] = "",
    results: ResultsOption = Path("results"),
    algorithm: Annotated[
        str, typer.Option(help=f"one of {' '.join(known_algorithms())}")
    ] = DEFAULT_ALGORITHM,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto: where both answer")] = "cpu",
) -> None:
    """Climb the ladder: prove that our FixMatch and TorchSSL are comparable, rung by rung.

    Runs on the CPU in minutes and writes parity.json (on CUDA parity-cuda.json); exit code 1 if a
    rung does not hold.

    Example: python -m harness parity --profile quick
    """
    asked = parity_command.LadderQuestion(
        profile=profile,
        labels=arguments.one_number("LABELS", labels),
        seed=arguments.one_number("SEED", seed),
        data_dir=Path(data_dir) if data_dir else None,
        results=results,
        algorithm=algorithm,
        device=device,
    )
    parity_command.climb(asked, Terminal())


def verify(
    profile: ProfileOption = "auto",
    results: PublishedOption = PUBLISHED,
    study: Annotated[str, typer.Option(help="verify that study instead of a profile")] = "",
) -> None:
    """Build every output again from the runs; exit 1 names the first file and line that differ.

    Of a profile: with the pages of claims that are made from its comparison.
    """
    if study in claims_files.names():
        folder = studies.place(results, study)
        claims = claims_files.load(study)
        verify_command.require(verify_command.check_claims(results, claims))
    elif study:
        definition = studies.load(study)
        folder = studies.place(results, study)
        verify_command.require(verify_command.check_study(folder, definition))
    else:
        folder, settings = table_command.existing(results, profile)
        verify_command.require(verify_command.check_with_claims(folder.parent, settings))
    Terminal().say(f"{folder}: every output is what runs/ give, to the byte")


def diff(
    base: Annotated[str, typer.Option(help="git revision, or a saved table.csv")] = "",
    profile: ProfileOption = "auto",
    results: PublishedOption = PUBLISHED,
    accept: Annotated[
        str, typer.Option(help="why a change is intended: recorded in accepted.json")
    ] = "",
    format: Annotated[str, typer.Option(help=f"one of {', '.join(FORMATS)}")] = "terminal",
) -> None:
    """Accuracies now against BASE: exit 1 if one moved by more than its tolerance, or is lost.

    Old and new are means over the seeds that both sides have done: seeds added since change no
    mean. A cell of both without such a seed, or with a done run without an accuracy, is no pass.

    Example: python -m harness diff --base main --profile quick
    """
    if format not in FORMATS:
        raise BadInput(f"FORMAT {format}: unknown; use {', '.join(FORMATS)}")
    folder, settings = table_command.existing(results, profile)
    found, before = diff_command.against(folder, settings, base)
    if accept:
        with only_one(folder):
            found = diff_command.accept(folder, settings, found, before, accept)
    if format == "terminal":
        Terminal().table(f"{folder} against {base}", diff_module.COLUMNS, diff_module.texts(found))
        Terminal().say(diff_module.COLUMNS_ARE)
    else:
        print(FORMATS[format](found), end="")
    if not found.holds:
        raise CheckFailed("; ".join(found.failures))


def publish(
    reason: Annotated[str, typer.Option(help="why: recorded with the results")] = "",
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    published: PublishedOption = PUBLISHED,
    study: Annotated[str, typer.Option(help="publish that study instead of a profile")] = "",
) -> None:
    """Make what was measured here the evidence that the repository keeps.

    Verifies the folder, shows how it differs from what is published, and copies runs and outputs
    with where they come from. Failed, stale and incomparable runs are no evidence. The pages of
    claims that are made from them (see study) are written again there.

    Example: python -m harness publish --profile quick --reason "five seeds of one source"
    """
    if study in claims_files.names():
        raise BadInput(
            f"STUDY {study}: its page is published with the comparison that it is made from; "
            f"publish PROFILE={claims_files.load(study).profile}"
        )
    if study:
        publish_study.publish_study(
            publish_study.StudyPublication(study, results, published, reason), Terminal()
        )
        return
    asked = publish_command.Publication(profile, results, published, reason)
    publish_command.publish(asked, Terminal())


def check_accuracy(
    base: Annotated[str, typer.Option(help="git revision, or a saved table.csv")] = "HEAD",
    profile: ProfileOption = "quick",
    results: PublishedOption = PUBLISHED,
    labels: Annotated[str, typer.Option(help="of the fresh comparison; else all there are")] = "",
    seeds: Annotated[str, typer.Option(help="of the fresh comparison; else the first")] = "",
    iterations: Annotated[str, typer.Option(help="of the fresh comparison")] = "",
    data_dir: Annotated[str, typer.Option(help="as for compare")] = "",
    out: Annotated[Path, typer.Option(help="folder for the summary and the fresh runs")] = Path(
        ".cache/accuracy-check"
    ),
) -> None:
    """What CI runs: verify, diff against BASE, and a fresh comparison within tolerance."""
    check = accuracy_check.AccuracyQuestion(
        base=base,
        profile=profile,
        results=results,
        out=out,
        labels=arguments.whole_numbers("LABELS", labels) if labels else None,
        seeds=arguments.whole_numbers("SEEDS", seeds) if seeds else None,
        iterations=arguments.iterations(iterations),
        data_dir=Path(data_dir) if data_dir else None,
    )
    accuracy_check.run(check, Terminal())
