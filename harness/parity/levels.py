"""How well each rung is known to hold of each contender: the levels of proof.

Ours and the reference answer for all eight. One that a file describes is seen from inside its
process, believed in what it declares, and shown to depart where it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.experiment.algorithms import DEFAULT, FIELDS
from harness.implementations.reported import Level, Proof
from harness.parity.checklist import Ladder
from harness.runs.folder import Run
from harness.runs.manifest import Status

BUDGET = 0  # beside the rungs: labels, iterations, batch, mu
NAMES = {
    1: "same images",
    2: "same labelled images",
    3: "same initial weights",
    4: "same hyper-parameters",
    5: "same network",
    6: "same step",
    7: "same augmentation",
    8: "same judge",
    BUDGET: "same budget",
}
REQUIRED = (1, 2, 8, BUDGET)  # without which there is no verdict
BUDGET_FIELDS = ("labels", "iterations", "batch_size", "mu")
WITNESS = "witness"
# Departures that an owner declares, by the rung that they belong to; others are of rung 4.
OF_RUNG = {
    5: ("conv_bias", "bn_eps", "bn_momentum", "activation", "network"),
    6: ("ema_buffers", "loss", "step"),
    7: ("strong_operations", "order", "input", "cutout", "padding", "magnitudes", "augmentation"),
}
_WEAKER = list(Level)
NONE: Mapping[str, Ladder | None] = {}


@dataclass(frozen=True)
class Levels:
    """Those of one contender: of each rung the weakest of its runs; `departures` in words."""

    contender: str
    proofs: Mapping[int, Proof]
    departures: tuple[str, ...] = ()
    is_peer: bool = True

    @property
    def lacking(self) -> list[Proof]:
        """What of that which a verdict needs is not shown; nothing of ours and the reference."""
        needed = [self.proofs[rung] for rung in REQUIRED]
        return [] if self.is_peer else [one for one in needed if one.level is not Level.SHOWN]


def of_contenders(
    runs: Sequence[Run], ladder: Ladder | None, further: Mapping[str, Ladder | None] = NONE
) -> list[Levels]:
    """Of all contenders with done runs, by name; [] where each is held to every sum.

    `further` are the ladders of algorithms beside the default one, by name.
    """
    done = [run for run in runs if run.status is Status.DONE]
    if all(run.evidence.is_peer for run in done):
        return []
    found = []
    for name in sorted({run.manifest.implementation for run in done}):
        here = [run for run in done if run.manifest.implementation == name]
        proofs = [of_run(run, ladder, further) for run in here]
        weakest = {
            rung: max((one[rung] for one in proofs), key=lambda proof: _WEAKER.index(proof.level))
            for rung in NAMES
        }
        departures = dict.fromkeys(text for run in here for text in _departures(run))
        is_peer = all(run.evidence.is_peer for run in here)
        found.append(Levels(name, weakest, tuple(departures), is_peer))
    return found


def of_run(
    run: Run, ladder: Ladder | None, further: Mapping[str, Ladder | None] = NONE
) -> dict[int, Proof]:
    """How each rung, and the budget, is known to hold of a run."""
    if run.evidence.is_peer:
        algorithm = run.evidence.algorithm
        return _of_peer(run, further.get(algorithm) if algorithm != DEFAULT else ladder)
    facts = run.manifest.facts
    own = {proof.rung: proof for proof in (facts.proof if facts else ())}
    found = {rung: own.get(rung, _proof(rung, Level.NOT_SHOWN)) for rung in NAMES}
    found[4] = _settings(run, own.get(4))
    for rung, keys in OF_RUNG.items():
        if declared := [key for key in keys if key in run.differs]:
            text = "; ".join(filter(None, (", ".join(declared), found[rung].text)))
            found[rung] = _proof(rung, Level.DEPARTS, text)
    return found | {8: _judged(run), BUDGET: _budget(run)}


def _of_peer(run: Run, ladder: Ladder | None) -> dict[int, Proof]:
    has_facts, climbed = run.manifest.facts is not None, {}
    if ladder is not None:
        climbed = {rung.number: rung.holds for rung in ladder.rungs}
    found = {
        rung: _proof(rung, Level.SHOWN if has_facts else Level.NOT_SHOWN) for rung in (1, 2, 3)
    }
    found[4] = _proof(4, Level.SHOWN if run.settings else Level.NOT_SHOWN)
    if run.evidence.departs and run.settings:
        found[4] = _proof(4, Level.SHOWN, "with what it declares to change")
    for rung in (5, 6, 7):
        is_shown = bool(climbed.get(rung))
        text = "" if is_shown else "'make parity' climbs it"
        found[rung] = _proof(rung, Level.SHOWN if is_shown else Level.NOT_SHOWN, text)
    has_budget = all(field in run.settings for field in BUDGET_FIELDS)
    budget = _proof(BUDGET, Level.SHOWN if has_budget else Level.NOT_SHOWN)
    return found | {8: _judged(run), BUDGET: budget}


def _settings(run: Run, rates: Proof | None) -> Proof:
    """Rung 4: what the witness saw, what is declared, what nobody says."""
    asked = [f for f in FIELDS if f in run.manifest.settings and f not in BUDGET_FIELDS]
    seen = [f for f in asked if f in run.settings and run.settings[f].source == WITNESS]
    declared = [f for f in asked if f in run.settings and f not in seen]
    unknown = [f for f in asked if f not in run.settings]
    others = {key for keys in OF_RUNG.values() for key in keys}
    departs = [key for key in run.differs if key not in others]
    parts = {"departs in": departs, "seen": seen, "declared": declared, "not known": unknown}
    text = "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)
    if rates is not None:
        text = f"{rates.text}; {text}"
    if departs or (rates is not None and rates.level is Level.DEPARTS):
        return _proof(4, Level.DEPARTS, text)
    if unknown:
        return _proof(4, Level.NOT_SHOWN, text)
    return _proof(4, Level.DECLARED if declared else Level.SHOWN, text)


def _budget(run: Run) -> Proof:
    sources = {f: run.settings[f].source for f in BUDGET_FIELDS if f in run.settings}
    if unknown := [field for field in BUDGET_FIELDS if field not in sources]:
        return _proof(BUDGET, Level.NOT_SHOWN, f"not seen: {', '.join(unknown)}")
    if declared := [field for field, source in sources.items() if source != WITNESS]:
        return _proof(BUDGET, Level.DECLARED, ", ".join(declared))
    return _proof(BUDGET, Level.SHOWN, "steps counted, batches and pools of its loaders")


def _judged(run: Run) -> Proof:
    judged = run.manifest.judged_top1
    if judged is None:
        return _proof(8, Level.NOT_SHOWN, "not judged")
    return _proof(8, Level.SHOWN, f"judged {judged:.2f}, logged {run.points[-1].top1:.2f}")


def _departures(run: Run) -> list[str]:
    facts = run.manifest.facts
    seen = [p.text for p in (facts.proof if facts else ()) if p.level is Level.DEPARTS]
    return [*(f"{key}: {value}" for key, value in run.differs.items()), *seen]


def _proof(rung: int, level: Level, text: str = "") -> Proof:
    return Proof(rung=rung, level=level, text=text)
