"""How two algorithms of one implementation are set side by side: a difference, no equivalence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.analysis.algorithms import contrast
from harness.analysis.algorithms.contrast import Contrast
from harness.analysis.comparison import Comparison, Paired
from harness.report import wording

TITLE = "One algorithm against another"
TEST = (
    "Differences are paired by seed; [ ] is the 95% interval of the mean difference (Student's t). "
    "Higher, or lower: it lies above, or below, 0. There is no margin and no equivalence: two "
    "algorithms need not be as good as each other. What holds for these images need not hold for "
    "others."
)


def sentence(pair: Paired, titles: Mapping[str, str]) -> str:
    """`FixMatch (own) minus MixMatch (own): -3.20 points [-5.10, -1.30], 5 seeds: lower.`"""
    sample = pair.sample
    if sample is None:
        ours, theirs = titles[pair.implementation], titles[pair.reference]
        return f"No seed is done by both {ours} and {theirs}: nothing can be said."
    between = f" {wording.interval(sample.interval)}" if sample.interval is not None else ""
    seeds = f"{sample.n} seed{'s' if sample.n > 1 else ''}"
    text = f"{wording.gain_difference(pair, titles)}: {sample.mean:+.2f} points{between}, {seeds}"
    if pair.near_chance:
        return f"{text}: both are near chance, nothing is learnt yet, so nothing can be said."
    if sample.interval is None:
        of_one = wording.final_weights(pair, titles)
        return f"{text}, whose spread is unknown: at least two are needed. {of_one}"
    return f"{text}: {wording.contrast_word(pair)}."


def of_settings(comparison: Comparison) -> Sequence[Contrast]:
    """What the algorithms that are set side by side were told; none where there are no pairs."""
    names = {name for p in comparison.contrasts for name in (p.implementation, p.reference)}
    return contrast.settings([r for r in comparison.runs if r.manifest.implementation in names])


def alike(told: Contrast) -> str:
    """`Equal of FixMatch and MixMatch: labels, ...`: the settings of both that have one value."""
    return f"Equal of {' and '.join(told.titles)}: {', '.join(told.equal)}."
