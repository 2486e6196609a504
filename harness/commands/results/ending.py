"""The end of `compare` on the terminal: what was found, where it is, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.analysis.comparison import Comparison, Pairing
from harness.analysis.results import Results
from harness.analysis.statistics import Verdict
from harness.commands import diff as diff_command
from harness.commands.console.terminal import Terminal
from harness.experiment import algorithms
from harness.experiment.profile import Profile
from harness.report import ending, outputs
from harness.runs.manifest import Status

FIRST_SEEDS = 3  # a spread needs two; a third says whether to believe it
AGAIN = (Status.FAILED, Status.MISSING, Status.RUNNING, Status.STALE)


def show(
    found: Results, profile: Profile, published: Path, asked: Mapping[str, str], terminal: Terminal
) -> None:
    """Say it on one screen; all else is in the report.

    `published` is the folder that holds what is published, `asked` the variables of the command
    that ended, as make takes them.
    """
    compared = outputs.compare(found, profile)
    target = published / profile.name
    rows = diff_command.to_published(found.folder, profile, target, all_seeds=False)
    terminal.say()
    for line in ending.lines(compared, rows, str(target)):
        terminal.say(line)
    terminal.say(f"Report  {found.folder / outputs.REPORT} (in text: {outputs.MARKDOWN} beside it)")
    terminal.say(f"Next    {next_command(compared, asked)}")


def next_command(compared: Comparison, asked: Mapping[str, str]) -> str:
    """The one command that tells most now, with the reason for it."""
    statuses = {run.status for run in compared.runs}
    if statuses & set(AGAIN):
        return f"{_make('compare', asked)}  # goes on with what is not done"
    said = [(pair, pair.result.verdict) for pair in compared.pairings if pair.result]
    said = [(pair, verdict) for pair, verdict in said if not pair.lacking and not pair.near_chance]
    parity = _only(asked, "PROFILE", "DATA_DIR", "RESULTS")
    if Status.INCOMPARABLE in statuses:
        broken = [
            r.manifest.implementation for r in compared.runs if r.status is Status.INCOMPARABLE
        ]
        return f"{_make('parity', parity | _algorithm(compared, broken))}  # which rung breaks"
    if apart := [pair.implementation for pair, verdict in said if _part(pair, verdict)]:
        return f"{_make('parity', parity | _algorithm(compared, apart))}  # where the two part"
    unsettled = sorted({p.labels for p, verdict in said if verdict is Verdict.INCONCLUSIVE})
    if unsettled:
        more = {"LABELS": _joined(unsettled), "SEEDS": _joined(range(_more_seeds(compared)))}
        return f"{_make('compare', {**asked, **more})}  # more seeds: inconclusive"
    others = sorted(set(compared.profile.margin) - set(compared.labels))
    if not compared.pairings:
        both = {name: value for name, value in asked.items() if name != "IMPLEMENTATIONS"}
        return f"{_make('compare', both)}  # against the reference"
    if others:
        return f"{_make('compare', {**asked, 'LABELS': _joined(others)})}  # not compared yet"
    return _make("publish", {**_only(asked, "PROFILE", "RESULTS"), "REASON": "..."})


def _part(pair: Pairing, verdict: Verdict) -> bool:
    """Whether they differ, or their only seed lies outside the margin: look, then train more."""
    alone = pair.sample is not None and pair.sample.n == 1
    outside = alone and any(abs(value) > pair.margin for value in pair.differences.values())
    return verdict is Verdict.DIFFERENT or outside


def _algorithm(compared: Comparison, names: Sequence[str]) -> dict[str, str]:
    """ALGORITHM of the first of those contenders, where it is not the default."""
    known = compared.contenders
    found = known[names[0]].algorithm if names[0] in known else algorithms.DEFAULT
    return {} if found == algorithms.DEFAULT else {"ALGORITHM": found}


def _more_seeds(compared: Comparison) -> int:
    """Seeds in all: a few at first, then about twice as many."""
    done = max((pair.sample.n for pair in compared.pairings if pair.sample), default=0)
    return max(FIRST_SEEDS, 2 * done - 1)


def _make(verb: str, variables: Mapping[str, str]) -> str:
    return f"make {verb} {_variables(variables)}".rstrip()


def _variables(variables: Mapping[str, str]) -> str:
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())


def _only(variables: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name in names}


def _joined(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))
