"""How a comparison ends on the terminal: one screen, 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from harness.analysis import selection
from harness.analysis.comparison import Cell, Comparison, Paired
from harness.analysis.diff import rows as diff
from harness.analysis.diff.rows import DiffRow
from harness.analysis.statistics import Sample
from harness.report import wording
from harness.report.outputs import MARKDOWN
from harness.runs.manifest import Status

WIDTH = 80
LOST = 4  # so many are named


def lines(compared: Comparison, published: Sequence[DiffRow], folder: str) -> list[str]:
    """Accuracies, a verdict for each label count, the version before, and what is published.

    `published` are the cells here against those published in `folder`, paired by seed; empty where
    nothing of them is.
    """
    parts = [
        *_accuracies(compared),
        "",
        *_verdicts(compared),
        *_proof(compared),
        *_before(compared),
        *_published(published, folder),
        *_lost(compared),
        *(line for note in compared.notes for line in _wrapped(note)),
    ]
    return [line.rstrip() for line in parts]


def _accuracies(compared: Comparison) -> list[str]:
    title = (
        f"{compared.profile.name} on {compared.data}: top-1 accuracy, "
        f"{selection.SHORT[compared.rule]} evaluation ± SD (seeds)"
    )
    rows = [["labelled", *map(str, compared.labels)]]
    for name in compared.implementations:
        rows.append([name, *(_cell(compared.cell(name, count)) for count in compared.labels)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    shown = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return [*_wrapped(title), *shown]


def _cell(cell: Cell) -> str:
    sample = cell.sample
    number = "" if sample is None else f" ({sample.n})"
    return f"{wording.value(cell)}{number}{wording.lost(cell) if sample else ''}"


def _verdicts(compared: Comparison) -> Iterable[str]:
    said: list[tuple[Paired, str]]
    said = [(pair, wording.verdict_word(pair)) for pair in compared.pairings]
    said += [(gain, wording.gain_word(gain)) for gain in compared.gains]
    said += [(pair, wording.contrast_word(pair)) for pair in compared.contrasts]
    width = max((len(str(pair.labels)) for pair, _ in said), default=0)
    for pair, word in said:
        text = f"{pair.labels:>{width}} labels: {word}: {_difference(pair)}"
        yield from _wrapped(text, indent=width + 9)


def _proof(compared: Comparison) -> Iterable[str]:
    """What a verdict lacks, and in what methods differ; all the rest is in the report."""
    for text in dict.fromkeys(pair.lacking for pair in compared.pairings if pair.lacking):
        yield from _wrapped(f"No verdict: {text}", indent=2)
    for text in dict.fromkeys(pair.departs for pair in compared.pairings if pair.departs):
        yield from _wrapped(f"Differences of method: {text}", indent=2)


def _difference(pair: Paired) -> str:
    of = f"{pair.implementation} - {pair.reference}"
    return of if pair.sample is None else f"{of} {_sample(pair.sample)}"


def _sample(sample: Sample) -> str:
    between = f" {wording.interval(sample.interval)}" if sample.interval is not None else ""
    return f"{sample.mean:+.2f}{between}, {sample.n} seed{'s' if sample.n > 1 else ''}"


def _before(compared: Comparison) -> Iterable[str]:
    for one in compared.before:
        text = (
            f"{one.paired.implementation}, {one.paired.labels} labels: {wording.value(one.now)} "
            f"now, before {wording.value(one.then)}"
        )
        sample = one.paired.sample
        yield from _wrapped(f"{text}: {_sample(sample)}" if sample else text, indent=2)


def _published(rows: Sequence[DiffRow], folder: str) -> Iterable[str]:
    if not rows:
        yield from _wrapped(f"Nothing of this is published in {folder}.")
        return
    yield from _wrapped(f"Against {folder}, by seed:")
    width = max(len(row.implementation) for row in rows)
    for name in dict.fromkeys(row.implementation for row in rows):
        said = "; ".join(_moved(row) for row in rows if row.implementation == name)
        yield from _wrapped(f"  {name.ljust(width)}  {said}", indent=width + 4)


def _moved(row: DiffRow) -> str:
    """`40: 89.00, was 85.80, within ±6.00`."""
    if row.verdict == diff.NEW:
        return f"{row.labels}: not published"
    if row.verdict == diff.SAME:
        return f"{row.labels}: the same"
    word = f"within ±{row.tolerance:.2f}" if row.verdict == diff.WITHIN else row.verdict
    note = f" ({row.note})" if row.note and not row.passes else ""
    if row.old is None or row.new is None:
        return f"{row.labels}: {word}{note}"
    return f"{row.labels}: {row.new:.2f}, was {row.old:.2f}, {word}{note}"


def _lost(compared: Comparison) -> Iterable[str]:
    """Why a run gives no number."""
    lost = [run for run in compared.runs if run.status is not Status.DONE]
    for run in lost[:LOST]:
        why = f": {run.reason}" if run.reason else ""
        yield from _wrapped(f"{run.name} {run.status.value}{why}", indent=2)
    if lost[LOST:]:
        yield f"and {len(lost) - LOST} more, in {MARKDOWN}"


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False, drop_whitespace=True,
    )  # fmt: skip
