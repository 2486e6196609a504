"""How the findings of a study are said: words for a column, and the one sentence of conclusion."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis import selection
from harness.analysis.statistics import Equivalence, Sample, Verdict
from harness.analysis.study import Apart, Finding, Findings, Time, loss_message
from harness.report import wording

NOTHING = "no run of it is here"


def verdict_word(finding: Finding) -> str:
    """`equivalent`, `better`, `worse`, `inconclusive`, `near chance`, `not finite`, ..."""
    pairing = finding.pairing
    if pairing is None:
        return "baseline"
    if pairing.result is None:
        return "not finite" if finding.diverged else "no pair"
    if pairing.result.verdict is Verdict.DIFFERENT and not pairing.near_chance:
        return "better" if pairing.result.differences.mean > 0 else "worse"
    return wording.verdict_word(pairing)


def accuracy(finding: Finding) -> str:
    """The cell of the table: mean, spread, interval and n, or what became of the runs."""
    lost = f"loss not finite in {_of(finding)}" if finding.diverged else ""
    if finding.cell.sample is None:
        return lost or (wording.value(finding.cell) if finding.runs else NOTHING)
    return wording.cell(finding.cell) + (f": {lost}" if lost else "")


def ratio(sample: Sample) -> str:
    """`0.71 [0.68, 0.74]`."""
    between = f" {wording.interval(sample.interval)}" if sample.interval is not None else ""
    return f"{sample.mean:.2f}{between}"


def apart(value: float) -> str:
    """A distance of losses: `0` only where they are the very same number."""
    return "0" if value == 0 else f"{value:.1e}"


def conclusion(findings: Findings) -> str:
    """One sentence, from the statistics alone."""
    if not findings.rows:
        return "No run is here, so nothing can be said."
    parts = [_at(findings, labels) for labels in findings.labels]
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def _at(findings: Findings, labels: int) -> str:
    rows = findings.at(labels)
    baseline = next(row for row in rows if row.pairing is None)
    sample = baseline.cell.sample
    rule = selection.DESCRIPTIONS[findings.rule]
    measured = f"{sample.mean:.2f}% top-1, {rule}" if sample else accuracy(baseline)
    told = "; ".join(_told(row) for row in rows if row.pairing is not None)
    return f"at {labels} labels, against `{baseline.variant}` ({measured}): {told}"


def _told(finding: Finding) -> str:
    """What one variant is, in a clause."""
    pairing, name = finding.pairing, f"`{finding.variant}`"
    assert pairing is not None
    result = pairing.result
    if result is None:
        if finding.diverged:
            return (
                f"{name} has no accuracy, its loss was not finite in {_of(finding)}{_when(finding)}"
            )
        return f"{name} has no accuracy to compare ({accuracy(finding)})"
    clause = f"{name} {_judged(finding, result)}"
    if finding.diverged:
        clause += f", its loss not finite in {_of(finding)}{_when(finding)}"
    return clause + _trained(finding.apart) + _took(finding.time)


def _judged(finding: Finding, result: Equivalence) -> str:
    sample = result.differences
    between = f", 95% interval {wording.interval(sample.interval)}" if sample.interval else ""
    numbers = f"({sample.mean:+.2f} points{between}, n={sample.n})"
    word = verdict_word(finding)
    if word == "near chance":
        return f"cannot be judged, both being near chance {numbers}"
    if word in ("better", "worse"):
        return f"is {word} {numbers}"
    margin = f"±{result.margin:.2f} points"
    if result.verdict is Verdict.EQUIVALENT:
        small = ", small but not zero" if result.nonzero else ""
        return f"is equivalent within {margin}{small} {numbers}"
    if sample.n == 1:
        return f"is inconclusive at {margin}, one seed having no spread {numbers}"
    needed = result.seeds_needed
    many = "more than 1,000" if needed is None else f"about {needed}"
    return f"is inconclusive at {margin}, where {many} seeds would decide {numbers}"


def _trained(apart: Apart | None) -> str:
    return ", with every logged training loss the same number" if apart and apart.equal else ""


def _took(time: Time | None) -> str:
    if time is None or time.ratios is None:
        return ""
    between = f" {wording.interval(time.ratios.interval)}" if time.ratios.interval else ""
    return f", in {time.ratios.mean:.2f}{between} times the time"


def _of(finding: Finding) -> str:
    return f"{len(finding.diverged)} of {finding.runs} runs"


def _when(finding: Finding) -> str:
    """` (at iteration 12, 13, 12)`, by the message of each run, in the order of seeds."""
    said = [_iteration(loss_message(run)) for run in finding.diverged]
    known = [str(at) for at in said if at is not None]
    return f" (at iteration {', '.join(known)})" if known else ""


def _iteration(message: str) -> int | None:
    words: Sequence[str] = message.replace(":", " ").split()
    if "iteration" not in words[:-1]:
        return None
    number = words[words.index("iteration") + 1]
    return int(number) if number.isdigit() else None
