"""Both sides open a run as they would for training, say what they would use, and train nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.errors import Incomplete
from harness.implementations import interface
from harness.implementations.interface import Implementation, Request
from harness.parity.terms import Evidence
from harness.runs import inputs as hand_out
from harness.runs.execution import child as local
from harness.runs.execution.job import Command


def hand_out_weights(side: Implementation, request: Request, place: Path) -> None:
    """Draw the initial weights of `request` into `place`. Raises Incomplete."""
    name, command = hand_out.initial_weights(side, request)
    if failure := _run(command, place):
        raise Incomplete(f"{name} drew no initial weights: {failure}")


def declare(pairs: Sequence[tuple[Implementation, Request]], place: Path) -> list[Evidence]:
    """Each side opens its run in a folder of `place`, and trains nothing.

    The initial weights are there already. The evidence of a side that fails says why.
    """
    sides = [side for side, _ in pairs]
    folders = [place / f"{side.name}-declared" for side in sides]
    for (_, request), folder in zip(pairs, folders, strict=True):
        folder.mkdir()
        hand_out.data_and_split(request, folder)
        (folder / interface.INITIAL_WEIGHTS).symlink_to(place / interface.INITIAL_WEIGHTS)
    commands = [
        side.declare_command(request, folder)
        for (side, request), folder in zip(pairs, folders, strict=True)
    ]
    failures = in_parallel(commands, folders)
    return [
        Evidence(side.name, side.facts(folder), side.settings(folder), failure, side.departs)
        for side, folder, failure in zip(sides, folders, failures, strict=True)
    ]


def in_parallel(commands: Sequence[Command | None], folders: Sequence[Path]) -> list[str]:
    """Run all commands at once, one thread each; why each failed, '' for one that did not."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(_run, commands, folders))


def _run(command: Command | None, folder: Path) -> str:
    if command is None:
        return "it has no way to answer"
    calm = Command(command.argv, {"OMP_NUM_THREADS": "1", **command.environment})
    ended = local.run(calm, folder)
    return "" if ended.code == 0 else ended.last_line
