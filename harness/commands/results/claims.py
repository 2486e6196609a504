"""study, of claims: the runs of a comparison that is there -> what each claim comes to -> page."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.claims import answers as analysis
from harness.analysis.claims.answers import Weighed
from harness.commands.console.terminal import Terminal
from harness.commands.results import table
from harness.errors import Incomplete
from harness.experiment import claims as definition
from harness.experiment import study as studies
from harness.experiment.claims import Claims
from harness.report.study import claims as page
from harness.report.study import claims_outputs as outputs
from harness.runs.execution.lock import only_one


def weigh(name: str, results: Path, terminal: Terminal) -> None:
    """Write the page of the claims `name` from the comparison in `results`; trains nothing.

    Raises BadInput where there are no runs, and Incomplete after all is written, if a cell has no
    run that counts; both name the command that makes them.
    """
    claims = definition.load(name)
    folder = studies.place(results, name)
    _require_runs(results, claims)
    with only_one(folder, terminal.say, what="study"):
        found = write(results, claims)
    terminal.say(f"Claims {name}: {claims.question}")
    terminal.say(page.conclusion(found))
    for one in found.judged:
        terminal.say(f"  {one.ruling.value:>9}  {one.claim.says}")
    for file in outputs.NAMES:
        terminal.say(f"  {folder / file}")
    if not found.lacking:
        return
    again = _again(found, results)
    terminal.say("Not all runs of a whole comparison count here:")
    for line in page.lacks(found.lacking):
        terminal.say(f"  {line}")
    if found.empty:
        cells = ", ".join(f"{contender} at {labels} labels" for labels, contender in found.empty)
        raise Incomplete(f"no run that counts of {cells}; '{again}' makes some")
    terminal.say(f"'{again}' makes them")


def write(results: Path, claims: Claims) -> Weighed:
    """Write all outputs of the claims, from the comparison in `results`. Raises BadInput."""
    found = analysis.read(results / claims.profile, claims)
    outputs.write(studies.place(results, claims.name), outputs.build(found))
    return found


def build(results: Path, claims: Claims) -> dict[str, bytes]:
    """What `write` would write. Raises BadInput."""
    _require_runs(results, claims)
    return outputs.build(analysis.read(results / claims.profile, claims))


def is_there(results: Path, claims: Claims) -> bool:
    """Whether the claims have a page in `results`."""
    return (studies.place(results, claims.name) / outputs.README).exists()


def write_again(results: Path, profile: str, terminal: Terminal) -> None:
    """The pages that the comparison of `profile` in `results` gives, where its runs have changed.

    Those that are there, and those of which it has a run in every cell.
    """
    for claims in definition.of_profile(profile):
        if is_there(results, claims) or not analysis.read(results / profile, claims).empty:
            found = write(results, claims)
            place = studies.place(results, claims.name)
            terminal.say(f"{place}: written again. {page.conclusion(found)}")


def _require_runs(results: Path, claims: Claims) -> None:
    table.require_runs(results / claims.profile, page.of_all(claims))


def _again(found: Weighed, results: Path) -> str:
    where = "" if results == Path("results") else f" RESULTS={results}"
    return page.command(found, lacking=True) + where
