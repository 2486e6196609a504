"""compare, study: what trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import compare as compare_command
from harness.commands import study as study_command
from harness.commands.cli.options import ProfileOption, ResultsOption
from harness.commands.console import arguments
from harness.commands.console.terminal import Terminal
from harness.commands.results import claims as claims_command
from harness.errors import BadInput
from harness.experiment import claims as claims_files
from harness.experiment import study as studies
from harness.experiment.algorithms import DEFAULT as DEFAULT_ALGORITHM
from harness.experiment.algorithms import names as known_algorithms
from harness.experiment.settings_file import CONFIGS
from harness.implementations import registry
from harness.runs.attempt import Limits
from harness.runs.execution import slurm

EXECUTORS = ("local", "slurm")


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


def study(
    name: Annotated[
        str,
        typer.Option(
            help=f"one of {', '.join([*studies.names(), *claims_files.names()])}; "
            "without it, lists them"
        ),
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
    reference: Annotated[
        str, typer.Option(help="results folder of another machine, for a study that holds one so")
    ] = "",
) -> None:
    """Vary one recipe of our FixMatch and judge each variant against a baseline, seed by seed.

    What is varied stands in configs/studies/<name>.yaml. Leaves in results/studies/<name>/:
    README.md with the conclusion, tables, one figure, and the runs. A run whose loss is not finite
    is a result and is shown as one; a run that failed otherwise makes the exit code 3. The same
    command again keeps what is finished. Runs of other settings never mix: for a short look name
    another folder.

    One of configs/claims/<name>.yaml trains nothing: its page takes what somebody says of two
    algorithms claim by claim, each true, false or not shown by the runs of the comparison in
    results/<profile>. Exit code 3 where a cell of that has no run, with the command that makes it.

    Example: python -m harness study --name ema --iterations 40 --seeds 0 --results /tmp/look
    """
    if not name:
        study_command.describe(Terminal())
        return
    if name in claims_files.names():
        arguments.none_given(
            {
                "LABELS": labels,
                "SEEDS": seeds,
                "ITERATIONS": iterations,
                "DATA_DIR": data_dir,
                "REFERENCE": reference,
            },
            f"{name} trains nothing and takes the runs that are there",
        )
        claims_command.weigh(name, results, Terminal())
        return
    if name not in studies.names():
        known = ", ".join([*studies.names(), *claims_files.names()])
        raise BadInput(f"NAME {name}: unknown; use {known}")
    question = study_command.StudyQuestion(
        name=name,
        results=results,
        labels=arguments.whole_numbers("LABELS", labels) if labels else None,
        seeds=arguments.whole_numbers("SEEDS", seeds) if seeds else None,
        iterations=arguments.iterations(iterations),
        data_dir=Path(data_dir) if data_dir else None,
        jobs=jobs,
        limits=Limits(retries=retries, patience=patience),
        elsewhere=Path(reference) if reference else None,
    )
    study_command.study(question, Terminal())
