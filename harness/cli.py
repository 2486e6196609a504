"""Commands and exit codes. `make <verb>` calls `python -m harness <verb>`."""

from __future__ import annotations

import csv
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from harness import accuracy_check, arguments, bench, logs, markdown, outputs, pipeline, proof
from harness import diff as diff_module
from harness import profile as profile_module
from harness import status as status_module
from harness import tensorboard as tensorboard_module
from harness import verify as verify_module
from harness.attempt import Limits
from harness.errors import BadInput, CheckFailed, HarnessError, NoRuns
from harness.execution import slurm
from harness.execution.hold import only_one
from harness.implementations import base
from harness.logs import recognise
from harness.records import Point
from harness.selection import RULES
from harness.settings_file import CONFIGS
from harness.studies import definition as studies
from harness.studies import files as study_files
from harness.studies import run as study_run
from harness.terminal import Terminal

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Shows whether a FixMatch implementation is as good as TorchSSL's.\n\n"
    "Exit codes: 0 done; 1 a check found a difference; 2 bad input; 3 incomplete.",
)

FORMATS: dict[str, Callable[[diff_module.Diff], str]] = {
    "terminal": diff_module.markdown,
    "markdown": diff_module.markdown,
    "json": diff_module.to_json,
}
EXECUTORS = ("local", "slurm")
INTERRUPTED = 130  # what Typer makes of Ctrl-C

ProfileOption = Annotated[
    str,
    typer.Option(help=f"auto (cifar10 with CUDA, else quick), {', '.join(profile_module.names())}"),
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
    jobs: Annotated[
        int, typer.Option(min=1, help="runs at once: one to a GPU, or to a share of the cores")
    ] = 1,
    retries: Annotated[
        int, typer.Option(min=0, help="further tries of a run that fails and gets no further")
    ] = Limits.retries,
    patience: Annotated[
        float, typer.Option(min=1, help="seconds of silence after which a run is tried again")
    ] = Limits.patience,
    executor: Annotated[str, typer.Option(help="local, or slurm: an array job")] = "local",
    slurm_config: Annotated[Path, typer.Option(help="what is asked of the cluster")] = CONFIGS
    / "slurm.yaml",
) -> None:
    """Train all implementations on identical terms, then write table and figure.

    Runs that are done are kept: the same command again only does what is missing, and goes on
    with what was stopped half way.

    Example: python -m harness compare --labels "40 250 4000" --seeds "0 1 2"
    """
    if executor not in EXECUTORS:
        raise BadInput(f"EXECUTOR {executor}: unknown; use {', '.join(EXECUTORS)}")
    question = pipeline.Question(
        labels=arguments.whole_numbers("LABELS", labels),
        seeds=arguments.whole_numbers("SEEDS", seeds),
        implementations=list(dict.fromkeys(implementations.split())),
        profile=profile,
        results=results,
        iterations=arguments.iterations(iterations),
        data_dir=Path(data_dir) if data_dir else None,
        jobs=jobs,
        limits=Limits(retries=retries, patience=patience),
        slurm=slurm.read_settings(slurm_config) if executor == "slurm" else None,
    )
    if not question.implementations:
        raise BadInput(f"IMPLEMENTATIONS: none named; use {' '.join(base.names())}")
    pipeline.compare(question, Terminal())


@app.command()
def table(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    selection: Annotated[
        str, typer.Option(help=f"only show, under another rule: {', '.join(RULES)}")
    ] = "",
) -> None:
    """Write all tables and figures again from the runs that are there, and show the table."""
    if not selection:
        pipeline.rebuild(results, profile, Terminal())
    elif selection in RULES:
        folder, settings = _existing(results, profile)
        Terminal().markdown(markdown.render(outputs.under(folder, settings, selection)))
    else:
        raise BadInput(f"SELECTION {selection}: unknown; use {', '.join(RULES)}")


@app.command()
def parity(
    profile: ProfileOption = "auto",
    labels: Annotated[str, typer.Option(help="labelled images of the run that is opened")] = "40",
    seed: Annotated[str, typer.Option(help="its seed")] = "0",
    data_dir: Annotated[
        str, typer.Option(help="folder that holds cifar-10-batches-py, instead of the profile's")
    ] = "",
    results: ResultsOption = Path("results"),
) -> None:
    """Climb the ladder: prove that our FixMatch and TorchSSL are comparable, rung by rung.

    Runs on the CPU in minutes and writes parity.json; exit code 1 if a rung does not hold.

    Example: python -m harness parity --profile quick
    """
    asked = proof.Climb(
        profile=profile,
        labels=arguments.one_number("LABELS", labels),
        seed=arguments.one_number("SEED", seed),
        data_dir=Path(data_dir) if data_dir else None,
        results=results,
    )
    proof.climb(asked, Terminal())


@app.command()
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


@app.command()
def report(profile: ProfileOption = "auto", results: ResultsOption = Path("results")) -> None:
    """Write report.html (and all else that the runs give) again, and say where it is."""
    pipeline.rebuild(results, profile, Terminal())


@app.command()
def verify(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    study: Annotated[str, typer.Option(help="verify that study instead of a profile")] = "",
) -> None:
    """Build every output again from the runs; exit 1 names the first file and line that differ."""
    if study:
        folder = study_files.require(results, study)
        Terminal().say(f"{folder}: every output is what runs/ give, to the byte")
        return
    folder, settings = _existing(results, profile)
    verify_module.require(folder, settings)
    Terminal().say(f"{folder}: every output is what runs/ give, to the byte")


@app.command()
def diff(
    base: Annotated[str, typer.Option(help="git revision, or a saved table.csv")] = "",
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    accept: Annotated[
        str, typer.Option(help="why a change is intended: recorded in accepted.json")
    ] = "",
    format: Annotated[str, typer.Option(help=f"one of {', '.join(FORMATS)}")] = "terminal",
) -> None:
    """Accuracies now against BASE: exit 1 if one moved by more than its tolerance, or is lost.

    Example: python -m harness diff --base main --profile quick
    """
    if format not in FORMATS:
        raise BadInput(f"FORMAT {format}: unknown; use {', '.join(FORMATS)}")
    folder, settings = _existing(results, profile)
    found, before = diff_module.against(folder, settings, base)
    if accept:
        with only_one(folder):
            found = diff_module.accept(folder, settings, found, before, accept)
    if format == "terminal":
        Terminal().table(f"{folder} against {base}", diff_module.COLUMNS, diff_module.texts(found))
    else:
        print(FORMATS[format](found), end="")
    if not found.holds:
        raise CheckFailed("; ".join(found.failures))


@app.command("accuracy-check")
def check_accuracy(
    base: Annotated[str, typer.Option(help="git revision, or a saved table.csv")] = "HEAD",
    profile: ProfileOption = "quick",
    results: ResultsOption = Path("results"),
    labels: Annotated[str, typer.Option(help="of the fresh comparison; else all there are")] = "",
    seeds: Annotated[str, typer.Option(help="of the fresh comparison; else the first")] = "",
    iterations: Annotated[str, typer.Option(help="of the fresh comparison")] = "",
    data_dir: Annotated[str, typer.Option(help="as for compare")] = "",
    out: Annotated[Path, typer.Option(help="folder for the summary and the fresh runs")] = Path(
        ".cache/accuracy-check"
    ),
) -> None:
    """What CI runs: verify, diff against BASE, and a fresh comparison within tolerance."""
    check = accuracy_check.Check(
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


@app.command()
def status(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    study: Annotated[str, typer.Option(help="that study instead of a profile")] = "",
) -> None:
    """How each run stands: state, iteration, rate, time left, accuracy, whether it is on track.

    For any results folder, while something runs in it or later. `auto`: all profiles and studies.
    """
    if study:
        profiles, names = [], [studies.load(study).name]
    elif profile == "auto":
        profiles, names = profile_module.names(), studies.names()
    else:
        profiles, names = [profile_module.load(profile).name], []
    folders = [study_files.place(results, name) for name in names]
    status_module.show(results, profiles, folders, Terminal())


@app.command()
def tensorboard(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="where to serve")] = 6006,
    serve: Annotated[bool, typer.Option(help="or only write the event files")] = True,
) -> None:
    """Show both implementations' curves in TensorBoard, under the same names."""
    folder, _ = _existing(results, profile)
    tensorboard_module.show(folder, Terminal(), serve, port)


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


@app.command(name="study")
def study_(
    name: Annotated[
        str, typer.Option(help=f"one of {', '.join(studies.names())}; without it, lists them")
    ] = "",
    labels: Annotated[str, typer.Option(help="instead of the study's")] = "",
    seeds: Annotated[str, typer.Option(help="instead of the study's")] = "",
    iterations: Annotated[
        str, typer.Option(help="of the baseline's schedule, instead of the study's")
    ] = "",
    data_dir: Annotated[str, typer.Option(help="as for compare")] = "",
    results: Annotated[
        Path, typer.Option(help="folder; a folder studies/<name> is made in it")
    ] = Path("results"),
    jobs: Annotated[int, typer.Option(min=1, help="runs at once, as for compare")] = 1,
    retries: Annotated[int, typer.Option(min=0, help="as for compare")] = Limits.retries,
    patience: Annotated[float, typer.Option(min=1, help="as for compare")] = Limits.patience,
) -> None:
    """Vary one recipe of our FixMatch and judge each variant against a baseline, seed by seed.

    What is varied stands in configs/studies/<name>.yaml. Leaves in results/studies/<name>/:
    README.md with the conclusion, tables, one figure, and the runs. A run whose loss is not finite
    is a result and is shown as one; a run that failed otherwise makes the exit code 3. The same
    command again keeps what is finished. Runs of other settings never mix: for a short look name
    another folder.

    Example: python -m harness study --name ema --iterations 40 --seeds 0 --results /tmp/look
    """
    if not name:
        study_run.describe(Terminal())
        return
    question = study_run.Question(
        name=name,
        results=results,
        labels=arguments.whole_numbers("LABELS", labels) if labels else None,
        seeds=arguments.whole_numbers("SEEDS", seeds) if seeds else None,
        iterations=arguments.iterations(iterations),
        data_dir=Path(data_dir) if data_dir else None,
        jobs=jobs,
        limits=Limits(retries=retries, patience=patience),
    )
    study_run.study(question, Terminal())


def main() -> int:
    """Run a command; every expected error is one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        # Click's own complaints about options; anything else is a defect and shows its trace.
        if not hasattr(error, "format_message"):
            raise
        if error.__class__.__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 2
        print(f"error: {error.format_message()}; see --help", file=sys.stderr)
        return 2
    if code == INTERRUPTED:
        print("error: interrupted; the same command goes on from here", file=sys.stderr)
        return 3
    return code if isinstance(code, int) else 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _existing(results: Path, name: str) -> tuple[Path, profile_module.Profile]:
    name, _ = profile_module.resolve_auto(name)
    settings = profile_module.load(name)
    if not (results / name / "runs").is_dir():
        raise NoRuns(results / name)
    return results / name, settings
