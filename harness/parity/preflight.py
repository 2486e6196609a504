"""Before time is spent on training: both sides open each run, and rungs 1-4 are climbed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.commands.terminal import Terminal
from harness.errors import Incomplete
from harness.implementations.interface import Implementation, Request
from harness.parity import terms as comparability
from harness.parity.declare import declare, hand_out_weights
from harness.parity.terms import Difference, Evidence
from harness.runs import inputs as hand_out

Pair = tuple[Implementation, Request]


def check(
    todo: Sequence[Pair], done: Sequence[tuple[tuple[int, int], Evidence]], terminal: Terminal
) -> Iterator[tuple[Pair, Difference]]:
    """The runs of `todo` that could not be compared, with the rung that each breaks.

    `done` are the finished runs' keys (labels, seed) and evidence. An implementation that cannot
    declare itself, or fails at it, is judged by what it records when it trains.
    """
    keys = dict.fromkeys((request.labels, request.seed) for _, request in todo)
    for labels, seed in keys:
        pairs = [p for p in todo if (p[1].labels, p[1].seed) == (labels, seed)]
        able = [p for p in pairs if p[0].declares and p[0].unavailable() is None]
        if not able:
            continue
        terminal.say(f"{labels} labels, seed {seed}: checking that both sides start alike ...")
        try:
            with tempfile.TemporaryDirectory(prefix="preflight-") as place:
                hand_out_weights(*able[0], Path(place))
                declared = declare(able, Path(place))
        except Incomplete as error:
            terminal.say(f"Notice: could not be checked beforehand: {error}")
            continue
        for evidence in declared:
            if evidence.failure:
                text = f"could not be checked beforehand: {evidence.failure}"
                terminal.say(f"Notice: {evidence.implementation} {text}")
        known = [evidence for evidence in declared if evidence.facts is not None]
        others = [evidence for key, evidence in done if key == (labels, seed)]
        for side, own_request in pairs:
            mine = next((e for e in known if e.implementation == side.name), None)
            if mine is None:
                continue
            peers = [e for e in (*known, *others) if e.implementation != side.name]
            asked = hand_out.request_settings(own_request) | {"labels": labels, "seed": seed}
            if difference := comparability.first_difference(mine, asked, peers):
                yield (side, own_request), difference
