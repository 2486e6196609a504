"""What of a comparison is proven well enough for a verdict, and how the methods differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.comparison import Comparison, Pairing
from harness.parity.levels import NAMES, Levels


def hold(comparison: Comparison, levels: Sequence[Levels]) -> Comparison:
    """The comparison with its levels of proof; a pair that lacks what a verdict needs has none."""
    if not levels:
        return comparison
    by_name = {one.contender: one for one in levels}
    pairings = [_held(pairing, by_name, comparison) for pairing in comparison.pairings]
    return replace(comparison, pairings=pairings, levels=tuple(levels))


def _held(pairing: Pairing, levels: dict[str, Levels], comparison: Comparison) -> Pairing:
    lacking, departs = [], []
    for name in (pairing.implementation, pairing.reference):
        found, title = levels.get(name), comparison.titles[name]
        if found is None:
            continue
        lacking += [f"{NAMES[one.rung]} is {one.level} of {title}" for one in found.lacking]
        if found.departures:
            departs.append(f"{title}: {'; '.join(found.departures)}")
    return replace(pairing, lacking=", ".join(lacking), departs=". ".join(departs))
