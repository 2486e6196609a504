"""Our side's processes, as forks of one that has torch loaded: each saves most of its seconds.

For tests that start many of them. `run` stands in for `harness.runs.execution.child.run`, where a
command is a module of Python that ends by itself.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.implementations.interface import Command
from harness.runs.execution.child import Ended
from tests.faults.comparison import start_fork


def run(command: Command, folder: Path, **_: Any) -> Ended:
    """`python -m module words` in `folder`, with the environment and files of the command."""
    _, option, *words = command.argv
    assert option == "-m"
    for name, text in command.files.items():
        (folder / name).write_text(text)
    environment = {**os.environ, **command.environment}
    with tempfile.NamedTemporaryFile() as output:
        process = start_fork(_run_module, words, environment, folder, Path(output.name))
        process.join()
        lines = Path(output.name).read_text().splitlines()
    assert process.exitcode is not None
    return Ended(process.exitcode, tuple(lines))


def _run_module(words: list[str], environment: dict[str, str], folder: Path, output: Path) -> None:
    import torch

    assert not any(name.partition(".")[0] == "own_impl" for name in sys.modules)
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if threads := environment.get("OMP_NUM_THREADS"):  # which torch has read already
        torch.set_num_threads(int(threads))
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
    sys.argv[1:] = words[1:]
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
