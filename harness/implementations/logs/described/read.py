"""Reads logs as their owner describes them, of whatever format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import BadInput
from harness.implementations.logs import READERS, torchssl
from harness.implementations.logs.described import csv_table, event_files, json_lines, pattern
from harness.implementations.logs.described.options import LogOptions
from harness.implementations.reported import Point

_OF_ONE_FILE = {"text": pattern.read, "csv": csv_table.read, "jsonl": json_lines.read}


def read(
    paths: Sequence[Path], options: LogOptions, class_counts: Sequence[int] | None = None
) -> list[Point]:
    """The evaluations in the files of one run, by strictly increasing iteration.

    Only TensorBoard spreads a run over several files. `class_counts`: the test set's, for
    TorchSSL's. Raises BadInput for no file or more than one, and LogError as its reader does.
    """
    if options.reader == "tensorboard":
        return event_files.read(paths, options)
    if len(paths) != 1:
        named = ", ".join(path.name for path in paths) or "none"
        raise BadInput(f"a log of reader {options.reader} is one file, and there are: {named}")
    if options.reader == "torchssl":
        return torchssl.read(paths[0], class_counts)
    if options.reader in READERS:
        return READERS[options.reader](paths[0])
    return _OF_ONE_FILE[options.reader](paths[0], options)
