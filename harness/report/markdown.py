"""table.md: the comparison as the report shows it, for reading on a forge or a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence

from harness.analysis import frames, selection
from harness.analysis.algorithms.contrast import Contrast
from harness.analysis.comparison import Comparison, Paired
from harness.analysis.statistics import Sample
from harness.report import contrasts, proof, wording
from harness.runs.folder import Run, folder_name
from harness.runs.manifest import Status

BEFORE = (
    "The code that trained has changed since; the runs before it are kept in `runs/earlier/`, each "
    "under the sum of its source."
)


def render(comparison: Comparison) -> str:
    """Accuracies under one rule, differences, published rows, runs and their sums."""
    parts = [
        f"<!-- schema: {frames.SCHEMA} -->",
        f"# {comparison.profile.name}: top-1 accuracy on {comparison.data}, percent",
        "\n".join(_accuracies(comparison)),
        f"Selection: {wording.selection_rule(comparison)}. {wording.SPREAD}",
        *comparison.notes,
        *_before(comparison),
        *_differences(comparison),
        *_gains(comparison),
        *_contrasts(comparison),
        *_levels(comparison),
        *_published(comparison),
        "## Runs",
        "\n".join(_runs(comparison)),
        "Runs of one label count and seed had the same images, labelled images and initial weights "
        "by each side's own sums:",
        "\n".join(_sums(comparison.runs)),
    ]
    return "\n\n".join(parts) + "\n"


def text(value: str) -> str:
    """Any text as one cell of a table, shown as it is: no markup, no link."""
    line = html.escape(" ".join(value.split()), quote=False)
    return re.sub(r"([\\|`\[\]])", r"\\\1", line)


def line(cells: Sequence[str]) -> str:
    """A row of a table."""
    return "| " + " | ".join(cells) + " |"


def _accuracies(comparison: Comparison) -> list[str]:
    labels = comparison.labels
    lines = [
        line(["labelled", *map(str, labels)]),
        "| --- |" + " ---: |" * len(labels),
    ]
    for name in comparison.implementations:
        cells = [wording.cell(comparison.cell(name, count)) for count in labels]
        lines.append(line([comparison.titles[name], *cells]))
    for row in comparison.published_beside:
        cells = [wording.published(row, count) for count in labels]
        lines.append(line([f"published: {text(row.source)}", *cells]))
    return lines


def _before(comparison: Comparison) -> list[str]:
    if not comparison.before:
        return []
    lines = [
        "| labelled | contender | now | before | by seed | mean ± SD | 95% interval |",
        "| ---: | --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for one in comparison.before:
        cells = [
            str(one.paired.labels),
            f"{one.paired.implementation} {one.sources[0]}, before {one.sources[1]}",
            wording.value(one.now),
            wording.value(one.then),
            *sample_cells(one.paired.differences, one.paired.sample),
        ]
        lines.append(line(cells))
    return ["## Against the version before", "\n".join(lines), BEFORE]


def _differences(comparison: Comparison) -> list[str]:
    if not comparison.pairings:
        return []
    lines = [
        "| labelled | difference of | by seed | mean ± SD | 95% interval | margin | verdict |",
        "| ---: | --- | --- | ---: | ---: | ---: | --- |",
    ]
    for pairing in comparison.pairings:
        result = pairing.result
        cells = [
            str(pairing.labels),
            f"{pairing.implementation} - {pairing.reference}",
            *sample_cells(pairing.differences, result.differences if result else None),
            f"±{pairing.margin:.2f}",
            wording.verdict_word(pairing),
        ]
        lines.append(line(cells))
    sentences = [
        f"- {pairing.labels} labels, **{wording.verdict_word(pairing)}**: "
        + wording.verdict(pairing, comparison.titles)
        for pairing in comparison.pairings
    ]
    notes = [wording.TEST, *wording.floor(comparison)]
    return ["## Differences", "\n".join(lines), "\n".join(sentences), *notes]


def _gains(comparison: Comparison) -> list[str]:
    if not comparison.gains:
        return []
    notes = [*wording.gain_notes(comparison), wording.GAIN_TEST]
    shown = _pairs(comparison.gains, comparison.titles, wording.gain_word, wording.gain)
    return [f"## {wording.GAIN}", *shown, *notes]


def _contrasts(comparison: Comparison) -> list[str]:
    if not comparison.contrasts:
        return []
    pairs, titles = comparison.contrasts, comparison.titles
    shown = _pairs(pairs, titles, wording.contrast_word, contrasts.sentence)
    told = [part for one in contrasts.of_settings(comparison) for part in _told(one)]
    return [f"## {contrasts.TITLE}", *shown, contrasts.TEST, *told]


def _pairs(
    pairs: Sequence[Paired],
    titles: Mapping[str, str],
    word: Callable[[Paired], str],
    sentence: Callable[[Paired, Mapping[str, str]], str],
) -> list[str]:
    """A table of differences that are held against no margin, and a sentence for each."""
    lines = [
        "| labelled | difference of | by seed | mean ± SD | 95% interval | |",
        "| ---: | --- | --- | ---: | ---: | --- |",
    ]
    for pair in pairs:
        cells = [
            str(pair.labels),
            f"{pair.implementation} - {pair.reference}",
            *sample_cells(pair.differences, pair.sample),
            word(pair),
        ]
        lines.append(line(cells))
    said = [f"- {pair.labels} labels, **{word(pair)}**: {sentence(pair, titles)}" for pair in pairs]
    return ["\n".join(lines), "\n".join(said)]


def _told(told: Contrast) -> list[str]:
    lines = [line(["setting", *told.titles]), "| --- | --- | --- |"]
    lines += [line([name, *values]) for name, values in told.different.items()]
    return ["\n".join(lines), contrasts.alike(told)]


def sample_cells(differences: Mapping[int, float], sample: Sample | None) -> list[str]:
    """Differences by seed, their mean and deviation, and the interval."""
    spread = f" ± {sample.deviation:.2f}" if sample and sample.deviation is not None else ""
    return [
        ", ".join(f"{seed}: {value:+.2f}" for seed, value in differences.items()),
        f"{sample.mean:+.2f}{spread}" if sample else "",
        wording.interval(sample.interval) if sample and sample.interval else "",
    ]


def _levels(comparison: Comparison) -> list[str]:
    if not comparison.levels:
        return []
    lines = [line(["contender", *proof.heads()]), "| --- |" + " --- |" * len(proof.heads())]
    lines += [
        line([text(comparison.titles[one.contender]), *proof.words(one)])
        for one in comparison.levels
    ]
    said = [f"- {text(sentence)}" for sentence in proof.sentences(comparison)]
    return [f"## {proof.HEADING}", "\n".join(lines), proof.ABOUT, "\n".join(said)]


def _published(comparison: Comparison) -> list[str]:
    rows = comparison.published_apart
    if not rows:
        return []
    labels = sorted({count for row in rows for count in row.accuracy})
    lines = [
        line([f"source ({comparison.published_data})", "rule", *map(str, labels), "caveat"]),
        "| --- | --- |" + " ---: |" * len(labels) + " --- |",
    ]
    for row in rows:
        rule = selection.DESCRIPTIONS.get(row.selection, row.selection)
        cells = [wording.published(row, count) for count in labels]
        lines.append(line([text(row.source), rule, *cells, text(row.caveat)]))
    return [
        "## Published, by other rules or on other data",
        "Not to be set against the accuracies above: each has its own rule, and ± is the standard "
        "deviation that its source gives.",
        "\n".join(lines),
    ]


def _runs(comparison: Comparison) -> list[str]:
    return [
        f"| run | status | iterations | evaluations | {selection.SHORT[comparison.rule]} | "
        "minutes | images/s |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(_run(run, comparison.rule) for run in comparison.runs),
    ]


def _run(run: Run, rule: str) -> str:
    row = frames.run_row(run)

    def number(key: str, form: str, scale: float = 1.0) -> str:
        value = row.get(key)
        return "" if value is None else format(value * scale, form)

    manifest = run.manifest
    cells = [
        folder_name(manifest.labels, manifest.seed, manifest.implementation),
        text(run.status.value + (f": {run.reason}" if run.reason else "")),
        number("iterations", ".0f"),
        number("evaluations", ".0f"),
        number(f"{rule}_top1", ".2f"),
        number("wall_seconds", ".1f", 1 / 60),
        number("images_per_second", ".0f"),
    ]
    return line(cells)


def _sums(runs: Sequence[Run]) -> list[str]:
    lines = {}
    for run in runs:
        facts = run.manifest.facts
        if facts is not None and facts.data_sha256 and run.status is Status.DONE:
            sums = (facts.data_sha256, facts.split_sha256, facts.initial_weights_sha256)
            if not run.evidence.is_peer and run.key in lines:
                continue  # of a network of its own the weights have another sum, or none
            lines[run.key] = line(
                [*map(str, run.key), *(f"`{value[:12]}`" if value else "-" for value in sums)]
            )
    return [
        "| labelled | seed | images | labelled images | initial weights |",
        "| ---: | ---: | --- | --- | --- |",
        *lines.values(),
    ]
