"""What can go wrong, and the exit code that says so.

HarnessError
├── CheckFailed   exit 1   a check found a difference
├── BadInput      exit 2   one line that names the file, key or option, and the remedy
│   ├── LogError           a log line that looks like an evaluation and cannot be read
│   └── NoRuns             a results folder that has none
└── Incomplete    exit 3   a run failed, or an implementation could not be had

Any other exception is a defect of this program: exit 70, with the traceback in a file (see
`unexpected`).
"""

from __future__ import annotations

from pathlib import Path


class HarnessError(Exception):
    """Base of every error that the harness raises on purpose."""

    exit_code = 1


class CheckFailed(HarnessError):
    """A check was made, and found a difference."""

    exit_code = 1


class BadInput(HarnessError):
    """The user can put it right: the message names the thing and the remedy, in one line."""

    exit_code = 2


class LogError(BadInput):
    """A log that cannot be read as what it claims to be; the message carries file and line."""


class NoRuns(BadInput):
    """A results folder without runs; `command` makes some."""

    def __init__(self, folder: Path, command: str = "make compare") -> None:
        super().__init__(f"RESULTS {folder}: no runs in it; '{command}' makes some")


class Incomplete(HarnessError):
    """All that could be done is done and written, but something is missing."""

    exit_code = 3
