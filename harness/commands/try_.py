"""try: a described implementation, a short run on the quick data, and what its file lacks.

new-spec: a commented file to begin with.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.analysis import trial
from harness.analysis.trial import Item
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput, CheckFailed, HarnessError, Incomplete
from harness.experiment import opening
from harness.experiment.settings_file import CONFIGS
from harness.implementations import registry
from harness.implementations.interface import Implementation, Request
from harness.parity import judge
from harness.runs import train
from harness.runs.attempt import Limits
from harness.runs.files import write_text
from harness.runs.folder import Planned, Run, RunsFolder, attempt_folder, read_run
from harness.runs.manifest import Status, read_manifest

TEMPLATE = CONFIGS / "new-spec.yaml"
PROFILE, ITERATIONS, EVALUATIONS = "quick", 20, 2


@dataclass(frozen=True)
class TryQuestion:
    """Which file, and on which labelled set; `keep` is a folder for the run, None: none is kept."""

    spec: str
    labels: int = 40
    seed: int = 0
    iterations: int = ITERATIONS
    data_dir: Path | None = None
    keep: Path | None = None
    patience: float = Limits.patience


def run(question: TryQuestion, terminal: Terminal) -> None:
    """Train as long as two evaluations need, and show the checklist.

    Raises BadInput for a file that cannot be used, Incomplete where the run failed, CheckFailed
    where something is not shown that a verdict needs.
    """
    if not question.spec:
        raise BadInput("SPEC: empty; name the file of your implementation, as SPEC=compare.yaml")
    side = registry.create(registry.enter(question.spec))
    request = _request(question)
    if reason := side.unavailable():
        raise BadInput(f"{question.spec}: {reason}")
    iterations = request.profile.iterations
    terminal.say(f"{side.title}: {iterations} iterations on {request.dataset.name} ...")
    with tempfile.TemporaryDirectory(prefix="try-") as place:
        runs = RunsFolder(question.keep or Path(place))
        planned = runs.planned(side, side.asked(request))
        limits = Limits(retries=0, patience=question.patience)
        train.train(planned, terminal, limits)
        judge.judge(planned, terminal.say)
        found, items = _checked(planned)
    terminal.table("What it shows", ("", "found", "to show it, in the file"), _rows(items))
    _require(found, items, question.spec)


def write_new(path: Path, terminal: Terminal) -> None:
    """A commented file to begin with, at `path`. Raises BadInput where there is one."""
    if path.exists():
        raise BadInput(f"SPEC {path}: is there already; name another, or move it away")
    write_text(path, TEMPLATE.read_text(encoding="utf-8"))
    terminal.say(f"{path}: written; fill it in, and 'make try SPEC={path}' says what it lacks")


def _request(question: TryQuestion) -> Request:
    experiment = opening.open_experiment(
        PROFILE, question.iterations, question.data_dir, [question.labels]
    )
    every = -(-question.iterations // EVALUATIONS)
    profile = experiment.profile.model_copy(update={"eval_every": every})
    return Request(profile, experiment.dataset, question.labels, question.seed, experiment.device)


def _checked(planned: Planned) -> tuple[Run, list[Item]]:
    """The run, and the checklist of what it left."""
    manifest = read_manifest(planned.folder)
    assert manifest is not None  # `train` has written it
    found, _ = read_run(planned.folder, manifest)
    log = _log(planned.side, attempt_folder(planned.folder, manifest.attempt))
    return found, trial.check(found, log, trial.stray(found))


def _log(side: Implementation, attempt: Path) -> str:
    try:
        files = side.logs(attempt)
    except HarnessError:
        files = []
    return ", ".join(path.relative_to(attempt).as_posix() for path in files) or "none found"


def _rows(items: list[Item]) -> list[tuple[str, str, str]]:
    return [(item.name, item.found, item.key) for item in items]


def _require(found: Run, items: list[Item], spec: str) -> None:
    if found.status is not Status.DONE:
        raise Incomplete(f"{spec}: the run {found.status.value}: {found.reason}")
    if lacking := trial.lacking(items):
        raise CheckFailed(
            f"{spec}: no verdict could be given: {', '.join(lacking)}; the table has the keys"
        )
