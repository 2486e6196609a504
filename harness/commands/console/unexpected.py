"""What nobody thought of: one line, an exit code of its own, and the traceback in a file."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
FOLDER = Path(".cache")  # in the working directory
LONGEST = 300  # characters of the error's own text


def report(error: BaseException) -> int:
    """Say so on standard error, keep the traceback, and return the exit code."""
    text = "".join(traceback.format_exception(error))
    about = f"{shlex.join(sys.argv)}\nPython {platform.python_version()}, {platform.platform()}\n\n"
    path = _keep(about + text)
    if path is None:
        print(text, file=sys.stderr)
    where = f"in {path}" if path else "above, for no file could be written"
    print(
        f"error: unexpected: {_one_line(error)}; the traceback is {where}; please report it",
        file=sys.stderr,
    )
    return EXIT_CODE


def _one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    said = said if len(said) <= LONGEST else said[: LONGEST - 3] + "..."
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _keep(text: str) -> Path | None:
    """Where it is written: the first folder that can be; None: there is none."""
    for in_working_directory in (True, False):
        try:
            folder = FOLDER if in_working_directory else Path(tempfile.gettempdir())
            folder.mkdir(exist_ok=True)
            number, name = tempfile.mkstemp(".txt", "unexpected-", folder)
            with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:  # the temporary folder itself may not be found
            continue
        return folder / Path(name).name
    return None
