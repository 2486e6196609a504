"""bench: both implementations on one machine, block by block in turn, into bench.json and .md.

A block is a fresh child that trains for some iterations; those at its start do not count. Ours is
timed by `own_impl.answers.bench`, TorchSSL by the clock after each of its updates while its own
script, `fixmatch.py` for one, runs, and one that a file describes likewise while its own script
runs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.commands.bench import asked, inputs, result
from harness.commands.bench.asked import BenchQuestion, Timed
from harness.commands.bench.result import LostBlock
from harness.commands.console.terminal import Terminal
from harness.errors import HarnessError, Incomplete
from harness.experiment import algorithms
from harness.experiment.opening import chosen_device, open_experiment
from harness.implementations.interface import Request
from harness.report import bench
from harness.runs.execution import child
from harness.runs.files import write_text

LABELS = 40  # what the labelled images are makes no step slower


def run(question: BenchQuestion, terminal: Terminal) -> None:
    """Time all of them in turn, then write and show the table.

    Raises BadInput, and Incomplete after all that could be timed is written.
    """
    algorithms.of(question.algorithm, "ALGORITHM")
    device = chosen_device(question.device)
    experiment = open_experiment(question.profile, data_dir=question.data_dir, device=device)
    request = Request(experiment.profile, experiment.dataset, LABELS, 0, device)
    request = request.under(question.algorithm)
    profile = request.profile
    timed, lacking = asked.to_be_timed(question, device)
    terminal.say(
        f"Profile {profile.name} ({experiment.why}), data {experiment.dataset.name}, {device}"
    )
    lost = [f"{name}: {why}" for name, why in lacking.items()]
    for line in lost:
        terminal.say(f"{line}; going on without it")
    blocks, failed = _blocks(question, timed, request, terminal)
    lost += map(str, failed)
    if not blocks:
        raise Incomplete("nothing could be timed: " + "; ".join(lost))
    found = result.of_blocks(question, request, blocks)
    found["not_timed"] = result.not_timed(timed, blocks, lacking, failed)
    folder = question.results / profile.name
    write_text(folder / f"{question.file}.json", json.dumps(found, indent=1) + "\n")
    markdown = bench.markdown(found, profile)
    write_text(folder / f"{question.file}.md", markdown)
    terminal.say()
    terminal.markdown(markdown)
    terminal.say(f"  {folder / question.file}.md\n  {folder / question.file}.json")
    if lost:
        raise Incomplete("not all could be timed: " + "; ".join(lost))


def _blocks(
    question: BenchQuestion, timed: Sequence[Timed], request: Request, terminal: Terminal
) -> tuple[dict[Timed, list[dict[str, Any]]], list[LostBlock]]:
    """What each block measured, and those that failed."""
    blocks: dict[Timed, list[dict[str, Any]]] = {}
    lost = []
    for number in range(1, question.blocks + 1):
        for one in timed:
            title = f"block {number}/{question.blocks}, {one}"
            terminal.say(f"{title}: timing {question.iterations} iterations ...")
            with tempfile.TemporaryDirectory(prefix="bench-") as workplace:
                try:
                    measured = _block(one, request, Path(workplace))
                except HarnessError as error:
                    lost.append(LostBlock(one, title, str(error)))
                    terminal.say(f"{title}: failed: {error}")
                    continue
            blocks.setdefault(one, []).append(measured)
            terminal.say(f"{title}: {1 / measured['seconds_per_iteration']:.2f} iterations/s")
    return blocks, lost


def _block(one: Timed, request: Request, folder: Path) -> dict[str, Any]:
    """Train in a fresh folder; what it measured. Raises HarnessError."""
    request = one.side.asked(request)
    with inputs.given(one.side, request, folder):
        command = one.side.benchmark_command(request, folder, one.timing)
        if command is None:
            raise HarnessError(f"{one.side.name} cannot be timed")
        ended = child.run(command, folder)
    if ended.code != 0:
        raise HarnessError(f"exit code {ended.code}: {ended.last_line}")
    return one.side.timed(folder, one.timing)
