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

from harness.analysis import diff as diff_module
from harness.analysis.selection import RULES
from harness.commands import accuracy_check
from harness.commands import bench as bench_command
from harness.commands import compare as compare_command
from harness.commands import diff as diff_command
from harness.commands import gpu_check as gpu_check_command
from harness.commands import parity as parity_command
from harness.commands import publish as publish_command
from harness.commands import status as status_command
from harness.commands import study as study_command
from harness.commands import tensorboard as tensorboard_command
from harness.commands import try_ as try_command
from harness.commands import verify as verify_command
from harness.commands.console import arguments
from harness.commands.console.streams import prepare
from harness.commands.console.terminal import Terminal
from harness.commands.console.unexpected import report as report_unexpected
from harness.commands.results import import_ as import_command
from harness.commands.results import table as table_command
from harness.errors import BadInput, CheckFailed, HarnessError
from harness.experiment import profile as profiles
from harness.experiment import study as studies
from harness.experiment.algorithms import DEFAULT as DEFAULT_ALGORITHM
from harness.experiment.algorithms import names as known_algorithms
from harness.experiment.settings_file import CONFIGS
from harness.implementations import logs, registry
from harness.implementations.logs import recognise
from harness.implementations.logs.options import OWN_FORMATS
from harness.implementations.reported import Point
from harness.runs.attempt import Limits
from harness.runs.execution import slurm
from harness.runs.execution.lock import only_one

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Shows whether a FixMatch implementation is as good as TorchSSL's.\n\n"
    "Exit codes: 0 done; 1 a check found a difference; 2 bad input; 3 incomplete; "
    "70 unexpected, a defect of this program.",
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
    typer.Option(help=f"auto (cifar10 with CUDA, else quick), {', '.join(profiles.names())}"),
]
ResultsOption = Annotated[Path, typer.Option(help="folder; a folder <profile> is made in it")]
PublishedOption = Annotated[Path, typer.Option(help="folder that holds <profile>: the evidence")]
PUBLISHED = compare_command.PUBLISHED


@app.command()
def compare(
    labels: Annotated[str, typer.Option(help='labelled images, as "40 250 4000"')] = "40",
    profile: ProfileOption = "auto",
    seeds: Annotated[str, typer.Option(help='seeds, as "0 1 2"')] = "0",
    iterations: Annotated[str, typer.Option(help="train this many instead of the profile's")] = "",
    implementations: Annotated[
        str,
        typer.Option(help=f"any of {' '.join(registry.names())}; or files that describe yours"),
    ] = "own torchssl",
    algorithms: Annotated[
        str, typer.Option(help=f"with which each is trained: any of {' '.join(known_algorithms())}")
    ] = DEFAULT_ALGORITHM,
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
    reference: Annotated[
        str, typer.Option(help="results folder whose finished runs of the reference are taken")
    ] = "",
    executor: Annotated[str, typer.Option(help="local, or slurm: an array job")] = "local",
    slurm_config: Annotated[Path, typer.Option(help="what is asked of the cluster")] = CONFIGS
    / "slurm.yaml",
    precision: Annotated[
        str, typer.Option(help="of ours: fp32, tf32 or bf16; empty: the reference's own")
    ] = "",
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="torch.compile ours")
    ] = False,
) -> None:
    """Train all implementations on identical terms, then write table and figure.

    Runs that are done are kept: the same command again only does what is missing, and goes on
    with what was stopped half way.

    Example: python -m harness compare --labels "40 250 4000" --seeds "0 1 2"
    """
    if executor not in EXECUTORS:
        raise BadInput(f"EXECUTOR {executor}: unknown; use {', '.join(EXECUTORS)}")
    question = compare_command.CompareQuestion(
        labels=arguments.whole_numbers("LABELS", labels),
        seeds=arguments.whole_numbers("SEEDS", seeds),
        implementations=[registry.enter(word) for word in arguments.names(implementations)],
        profile=profile,
        results=results,
        iterations=arguments.iterations(iterations),
        data_dir=Path(data_dir) if data_dir else None,
        jobs=jobs,
        limits=Limits(retries=retries, patience=patience),
        slurm=slurm.read_settings(slurm_config) if executor == "slurm" else None,
        precision=precision,
        compiled=compiled,
        reference=Path(reference) if reference else None,
        algorithms=arguments.names(algorithms),
    )
    if not question.implementations:
        raise BadInput(f"IMPLEMENTATIONS: none named; use {' '.join(registry.names())}")
    if not question.algorithms:
        raise BadInput(f"ALGORITHMS: none named; use {' '.join(known_algorithms())}")
    compare_command.compare(question, Terminal())


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
        table_command.rebuild(results, profile, Terminal())
    elif selection in RULES:
        table_command.show_under(results, profile, selection, Terminal())
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
    table_command.rebuild(results, profile, Terminal())


@app.command("import")
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


@app.command()
def verify(
    profile: ProfileOption = "auto",
    results: PublishedOption = PUBLISHED,
    study: Annotated[str, typer.Option(help="verify that study instead of a profile")] = "",
) -> None:
    """Build every output again from the runs; exit 1 names the first file and line that differ."""
    if study:
        definition = studies.load(study)
        folder = studies.place(results, study)
        verify_command.require(verify_command.check_study(folder, definition))
    else:
        folder, settings = table_command.existing(results, profile)
        verify_command.require(verify_command.check(folder, settings))
    Terminal().say(f"{folder}: every output is what runs/ give, to the byte")


@app.command()
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


@app.command()
def publish(
    reason: Annotated[str, typer.Option(help="why: recorded with the results")] = "",
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    published: PublishedOption = PUBLISHED,
) -> None:
    """Make what was measured here the evidence that the repository keeps.

    Verifies the folder, shows how it differs from what is published, and copies runs and outputs
    with where they come from. Failed, stale and incomparable runs are no evidence.

    Example: python -m harness publish --profile quick --reason "five seeds of one source"
    """
    asked = publish_command.Publication(profile, results, published, reason)
    publish_command.publish(asked, Terminal())


@app.command("accuracy-check")
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
        shown, names = [], [studies.load(study).name]
    elif profile == "auto":
        shown, names = profiles.names(), studies.names()
    else:
        shown, names = [profiles.load(profile).name], []
    folders = [studies.place(results, name) for name in names]
    status_command.show(results, shown, folders, Terminal())


@app.command()
def tensorboard(
    profile: ProfileOption = "auto",
    results: ResultsOption = Path("results"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="where to serve")] = 6006,
    serve: Annotated[bool, typer.Option(help="or only write the event files")] = True,
) -> None:
    """Show both implementations' curves in TensorBoard, under the same names."""
    folder, _ = table_command.existing(results, profile)
    tensorboard_command.show(folder, Terminal(), serve, port)


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
    question = bench_command.BenchQuestion(
        profile=profile,
        device=device,
        variants=tuple(arguments.names(variants)),
        blocks=blocks,
        iterations=iterations,
        discard=discard,
        results=results,
        data_dir=Path(data_dir) if data_dir else None,
    )
    bench_command.run(question, Terminal())


@app.command("gpu-check")
def check_gpu(
    profile: ProfileOption = "auto",
    data_dir: Annotated[str, typer.Option(help="as for compare")] = "",
    results: ResultsOption = Path("results"),
    parts: Annotated[
        str, typer.Option(help=f"any of {' '.join(gpu_check_command.LIMITS)}; empty: all")
    ] = "",
    variants: Annotated[str, typer.Option(help="as for bench")] = "",
    seconds: Annotated[
        float, typer.Option(min=1, help="in which all of it ends")
    ] = gpu_check_command.SECONDS,
) -> None:
    """The first minutes on a GPU: does all of it work there, and how fast.

    Versions, the tests of a GPU, the ladder on it, some iterations of both sides, a resumption of
    each, a short benchmark. Writes gpu-check.md; needs no network; exit code 3 without a GPU.

    Example: python -m harness gpu-check
    """
    named = tuple(arguments.names(parts)) or tuple(gpu_check_command.LIMITS)
    if unknown := [name for name in named if name not in gpu_check_command.LIMITS]:
        raise BadInput(f"PARTS {unknown[0]}: unknown; use {' '.join(gpu_check_command.LIMITS)}")
    question = gpu_check_command.GpuQuestion(
        profile=profile,
        results=results,
        data_dir=Path(data_dir) if data_dir else None,
        parts=named,
        variants=tuple(arguments.names(variants)),
        seconds=seconds,
    )
    gpu_check_command.run(question, Terminal())


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
        study_command.describe(Terminal())
        return
    question = study_command.StudyQuestion(
        name=name,
        results=results,
        labels=arguments.whole_numbers("LABELS", labels) if labels else None,
        seeds=arguments.whole_numbers("SEEDS", seeds) if seeds else None,
        iterations=arguments.iterations(iterations),
        data_dir=Path(data_dir) if data_dir else None,
        jobs=jobs,
        limits=Limits(retries=retries, patience=patience),
    )
    study_command.study(question, Terminal())


@app.command(name="try")
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


@app.command("new-spec")
def new_spec(
    spec: Annotated[Path, typer.Option(help="where to write it")] = Path("compare.yaml"),
) -> None:
    """Write a commented file that describes an implementation, to begin with."""
    try_command.write_new(spec, Terminal())


def main() -> int:
    """Run a command; every expected error is one line on stderr and an exit code."""
    prepare()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        # Click's own complaints about options; anything else is a defect, and kept for us.
        if not hasattr(error, "format_message"):
            return report_unexpected(error)
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
