"""Today's accuracies against those of the version of the code before, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis import comparison
from harness.analysis.comparison import Before
from harness.runs.folder import Run
from harness.runs.manifest import Status
from harness.runs.origins import origin


def runs_before(runs: Sequence[Run], earlier: Sequence[Run]) -> list[Run]:
    """Of each contender that has runs of today's code, those of the version before it.

    That is the origin whose runs were started last, among runs on the terms of today's.
    """
    terms = {_key(run): run.manifest.settings for run in runs if run.status is Status.DONE}
    same = [
        run
        for run in earlier
        if run.status is Status.DONE and terms.get(_key(run)) == run.manifest.settings
    ]
    last: dict[str, Run] = {}
    for run in sorted(same, key=lambda run: run.manifest.started):
        last[run.manifest.implementation] = run
    return [
        run
        for run in same
        if origin.of(run.manifest) == origin.of(last[run.manifest.implementation].manifest)
    ]


def compare(runs: Sequence[Run], before: Sequence[Run], rule: str) -> list[Before]:
    """By label count and contender; `before` are those of `runs_before`."""
    keys = sorted({(run.manifest.labels, run.manifest.implementation) for run in before})
    return [_before(runs, before, labels, name, rule) for labels, name in keys]


def _before(
    runs: Sequence[Run], before: Sequence[Run], labels: int, name: str, rule: str
) -> Before:
    now, then = (comparison.cell(several, name, labels, rule) for several in (runs, before))
    sources = (_source(runs, name, labels), _source(before, name, labels))
    return Before(now, then, comparison.paired(now, then), sources)


def _source(runs: Sequence[Run], name: str, labels: int) -> str:
    """The short sum of the code of the done runs of a cell."""
    found = {
        origin.of(run.manifest).source
        for run in runs
        if run.status is Status.DONE
        and (run.manifest.implementation, run.manifest.labels) == (name, labels)
    }
    return ", ".join(sorted(source[:7] or origin.UNKNOWN for source in found))


def _key(run: Run) -> tuple[int, int, str]:
    return (*run.key, run.manifest.implementation)
