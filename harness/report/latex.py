"""table.tex: the accuracies and verdicts as a LaTeX table (packages booktabs and graphicx)."""

from __future__ import annotations

from harness.analysis import frames
from harness.analysis.comparison import Cell, Comparison, Pairing
from harness.analysis.published import Citation
from harness.analysis.statistics import Sample
from harness.report import wording

# No wider than the text, whatever the document's font and margins.
FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def render(comparison: Comparison) -> str:
    """A table environment: a row an implementation, a column a label count."""
    labels = comparison.labels
    seeds = _seeds(comparison)
    lines = [
        f"% schema: {frames.SCHEMA}; needs \\usepackage{{booktabs,graphicx}}",
        r"\begin{table}",
        r"  \centering",
        "  \\caption{Top-1 accuracy (\\%) on "
        f"{escape(comparison.data)}; {escape(wording.selection_rule(comparison))}. "
        f"Mean $\\pm$ sample standard deviation over $n{f' = {seeds}' if seeds else ''}$ seeds."
        f"{_notes(comparison)}}}",
        f"  {FIT}",
        f"  \\begin{{tabular}}{{l{'r' * len(labels)}}}",
        r"    \toprule",
        _row(["labelled images", *map(str, labels)]),
        r"    \midrule",
    ]
    for name in comparison.implementations:
        cells = [_cell(comparison.cell(name, count), told=seeds) for count in labels]
        lines.append(_row([escape(comparison.titles[name]), *cells]))
    lines += [*_pairings(comparison), *_gains(comparison)]
    if comparison.published_beside:
        lines.append(r"    \midrule")
    for row in comparison.published_beside:
        lines.append(_row([escape(row.source), *(_published(row, count) for count in labels)]))
    lines += [r"    \bottomrule", r"  \end{tabular}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Any text as LaTeX that prints it, on one line."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def _row(cells: list[str]) -> str:
    return "    " + " & ".join(cells) + r" \\"


def _seeds(comparison: Comparison) -> int | None:
    """How many seeds every mean is over, for the caption; None: not all are over as many."""
    cells = [
        comparison.cell(name, n) for name in comparison.implementations for n in comparison.labels
    ]
    counts = {cell.sample.n for cell in cells if cell.sample is not None}
    return counts.pop() if len(counts) == 1 else None


def _cell(cell: Cell, told: int | None) -> str:
    sample = cell.sample
    if sample is None:
        return escape(wording.cell(cell))
    spread = "" if sample.deviation is None else f" \\pm {sample.deviation:.2f}"
    n = f" ($n={sample.n}$)" if sample.n != told else ""
    return f"${sample.mean:.2f}{spread}${n}{escape(wording.lost(cell))}"


def _published(row: Citation, labels: int) -> str:
    if labels not in row.accuracy:
        return ""
    spread = f" \\pm {row.deviation[labels]:.2f}" if labels in row.deviation else ""
    return f"${row.accuracy[labels]:.2f}{spread}$ ($n={row.n}$)"


def _pairings(comparison: Comparison) -> list[str]:
    lines = []
    for name in dict.fromkeys(pairing.implementation for pairing in comparison.pairings):
        here = [p for p in comparison.pairings if p.implementation == name]
        reference = comparison.titles[here[0].reference]
        lines += [
            r"    \midrule",
            _row([f"difference to {escape(reference)}", *(_difference(p) for p in here)]),
            _row(
                [
                    "verdict (TOST)",
                    *(f"{wording.verdict_word(p)}, $\\pm{p.margin:g}$" for p in here),
                ]
            ),
        ]
    return lines


def _gains(comparison: Comparison) -> list[str]:
    lines = []
    for name in comparison.baselines:
        here = [gain for gain in comparison.gains if gain.reference == name]
        what = wording.gain_difference(here[0], comparison.titles)
        lines += [
            r"    \midrule",
            _row([escape(what), *(_sample(gain.sample) for gain in here)]),
            _row([escape(wording.GAIN), *(wording.gain_word(gain) for gain in here)]),
        ]
    return lines


def _notes(comparison: Comparison) -> str:
    return "".join(f" {escape(note)}" for note in wording.gain_notes(comparison))


def _difference(pairing: Pairing) -> str:
    return "" if pairing.result is None else _sample(pairing.result.differences)


def _sample(sample: Sample | None) -> str:
    if sample is None:
        return ""
    if sample.interval is None:
        return f"${sample.mean:+.2f}$"
    return f"${sample.mean:+.2f}$ ${wording.interval(sample.interval)}$"
