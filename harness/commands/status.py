"""status: how the runs of results folders stand, while something runs in them or later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis import published, status
from harness.analysis.status import COMPARE, State, study_again
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput, NoRuns
from harness.report.status import COLUMNS, rows, summary
from harness.runs.execution import lock, slurm
from harness.runs.execution.slurm import Queued


def show(
    results: Path, profiles: Sequence[str], studies: Sequence[Path], terminal: Terminal
) -> None:
    """A table for each of `profiles`, and for each of `studies`' folders, that has runs.

    Raises BadInput where none has.
    """
    folders = [results / name for name in profiles]
    compared = [path for path in folders if (path / "runs").is_dir() or slurm.uses(path)]
    studied = [path for path in studies if (path / "runs").is_dir()]
    if not compared and not studied:
        raise NoRuns(results, COMPARE if profiles else study_again(studies[0]))
    for folder in compared:
        _show(folder, status.read(folder), terminal, COMPARE)
    for folder in studied:
        _show(folder, status.read_study(folder), terminal, study_again(folder))


def _show(folder: Path, states: Sequence[State], terminal: Terminal, again: str) -> None:
    holder = lock.holder(folder)
    by = f", run by {holder}" if holder is not None and holder.lives else ""
    shown = rows(states, _queue(folder, terminal), published.load())
    terminal.table(f"{folder}{by}", COLUMNS, shown)
    terminal.say(summary(states, again))


def _queue(folder: Path, terminal: Terminal) -> dict[str, Queued]:
    """What Slurm says of runs that were submitted; nothing where none was."""
    try:
        return slurm.queue(folder)
    except BadInput as error:
        terminal.say(str(error))
        return {}
