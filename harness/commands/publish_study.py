"""publish STUDY=: a study that was measured here becomes evidence that the repository keeps."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.analysis import study as findings
from harness.analysis.study import Findings, is_diverged
from harness.commands import publish, verify
from harness.commands import study as study_command
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput, CheckFailed
from harness.experiment import study as studies
from harness.experiment.study import Study
from harness.report.study import wording
from harness.runs.execution.lock import only_one
from harness.runs.manifest import Status
from harness.runs.origins.taking import copy_run


@dataclass(frozen=True)
class StudyPublication:
    """Which study is to be published, from where to where, and why."""

    name: str
    results: Path
    published: Path
    reason: str


def publish_study(asked: StudyPublication, terminal: Terminal) -> None:
    """Verify the study, show what is published of it and what it says now, and copy it whole.

    Unlike a comparison it is of one source and one plan: what was published gives way.
    Raises BadInput, or CheckFailed where the folder holds what may not be published; nothing is
    written then.
    """
    reason = publish.checked(asked.reason)
    study = studies.load(asked.name)
    folder = studies.place(asked.results, study.name)
    target = studies.place(asked.published, study.name)
    if target.resolve() == folder.resolve():
        raise BadInput(f"RESULTS {asked.results}: is what is published; name what was measured")
    verify.require(verify.check_study(folder, study))
    found = findings.read(folder, study)
    sources = _sources(found, folder)
    commit = publish.clean_commit()
    with only_one(target, terminal.say, what="study"):
        if (target / "runs").is_dir():
            terminal.say(f"Before: {_before(target, study)}")
        terminal.say(f"Now: {wording.conclusion(found)}")
        shutil.rmtree(target / "runs", ignore_errors=True)
        for variant, several in found.runs.items():
            (target / "runs" / variant).mkdir(parents=True)
            for run in several:
                place = Path("runs") / variant / run.name
                copy_run(folder / place, target / place)
        publish.write_provenance(target, reason, commit, sources)
        study_command.write(target, study)
    terminal.say(f"{target}: published; commit it with its reason")


def _before(target: Path, study: Study) -> str:
    """What the published one says."""
    try:
        return wording.conclusion(findings.read(target, study))
    except BadInput as error:
        return f"of another plan ({error})"


def _sources(found: Findings, folder: Path) -> dict[str, str]:
    """The source of each contender. Raises CheckFailed for a run that is no evidence."""
    for variant, several in found.runs.items():
        for run in several:
            if run.status is not Status.DONE and not is_diverged(run.manifest):
                why = f" ({run.reason})" if run.reason else ""
                raise CheckFailed(
                    f"{folder / 'runs' / variant / run.name}: {run.status.value}{why}; run "
                    f"'make study NAME={found.study.name}' again, or move it away"
                )
    return {run.manifest.implementation: run.manifest.source_sha256 for run in found.every_run}
