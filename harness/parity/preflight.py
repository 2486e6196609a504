"""Before time is spent on training: both sides open each run, and rungs 1-4 are climbed.

A side that declares itself opens a run as it would for training, says what it would use, and
trains nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.errors import Incomplete
from harness.implementations import interface
from harness.implementations.interface import Command, Implementation, Request
from harness.implementations.reported import Evidence
from harness.parity import terms
from harness.parity.terms import Difference
from harness.runs import inputs
from harness.runs.execution import child
from harness.runs.folder import Planned

Side = tuple[Implementation, Request]
Say = Callable[[str], None]


def check(
    todo: Sequence[Planned], done: Sequence[tuple[tuple[int, int], Evidence]], say: Say
) -> Iterator[tuple[Planned, Difference]]:
    """The runs of `todo` that could not be compared, with the rung that each breaks.

    `done` are the finished runs' keys (labels, seed) and evidence. An implementation that cannot
    declare itself, or fails at it, is judged by what it records when it trains.
    """
    by_key: dict[tuple[int, int], list[Planned]] = {}
    for planned in todo:
        by_key.setdefault((planned.request.labels, planned.request.seed), []).append(planned)
    for key, together in by_key.items():
        others = [evidence for of, evidence in done if of == key]
        yield from _check(together, others, say)


def _check(
    together: Sequence[Planned], done: Sequence[Evidence], say: Say
) -> Iterator[tuple[Planned, Difference]]:
    """Of the runs of one label count and seed."""
    able = [p for p in together if p.side.declares and p.side.unavailable() is None]
    if not able:
        return
    labels, seed = able[0].request.labels, able[0].request.seed
    say(f"{labels} labels, seed {seed}: checking that both sides start alike ...")
    try:
        with tempfile.TemporaryDirectory(prefix="preflight-") as place:
            draw_weights(able[0].side, able[0].request, Path(place))
            declared = declare([(p.side, p.request) for p in able], Path(place))
    except Incomplete as error:
        say(f"Notice: could not be checked beforehand: {error}")
        return
    for evidence in declared:
        if evidence.failure:
            text = f"could not be checked beforehand: {evidence.failure}"
            say(f"Notice: {evidence.implementation} {text}")
    known = {e.implementation: e for e in declared if e.facts is not None}
    for planned in together:
        if difference := _difference(planned, known, done):
            yield planned, difference


def _difference(
    planned: Planned, declared: Mapping[str, Evidence], done: Sequence[Evidence]
) -> Difference | None:
    name, request = planned.side.name, planned.request
    if name not in declared:
        return None
    peers = [e for e in (*declared.values(), *done) if e.implementation != name]
    asked = inputs.request_settings(request) | {"labels": request.labels, "seed": request.seed}
    return terms.first_difference(declared[name], asked, peers)


def draw_weights(side: Implementation, request: Request, place: Path) -> None:
    """Draw the initial weights of `request` into `place`. Raises Incomplete."""
    name, command = inputs.initial_weights(side, request)
    if failure := _run(command, place):
        raise Incomplete(f"{name} drew no initial weights: {failure}")


def declare(sides: Sequence[Side], place: Path) -> list[Evidence]:
    """Each side opens its run in a folder of `place`, and trains nothing.

    The initial weights are there already. The evidence of a side that fails says why.
    """
    folders = [place / f"{side.name}-declared" for side, _ in sides]
    for (_, request), folder in zip(sides, folders, strict=True):
        folder.mkdir()
        inputs.data_and_split(request, folder)
        (folder / interface.INITIAL_WEIGHTS).symlink_to(place / interface.INITIAL_WEIGHTS)
    commands = [
        side.declare_command(request, folder)
        for (side, request), folder in zip(sides, folders, strict=True)
    ]
    failures = in_parallel(commands, folders)
    return [
        Evidence(
            side.name,
            side.facts(folder),
            side.settings(folder),
            failure,
            side.departs,
            algorithm=side.contender.algorithm,
        )
        for (side, _), folder, failure in zip(sides, folders, failures, strict=True)
    ]


def in_parallel(commands: Sequence[Command | None], folders: Sequence[Path]) -> list[str]:
    """Run all commands at once, one thread each; why each failed, '' for one that did not."""
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(_run, commands, folders))


def _run(command: Command | None, folder: Path) -> str:
    if command is None:
        return "it has no way to answer"
    environment = {"OMP_NUM_THREADS": "1", **command.environment}
    ended = child.run(Command(command.argv, environment, command.files), folder)
    return "" if ended.code == 0 else ended.last_line
