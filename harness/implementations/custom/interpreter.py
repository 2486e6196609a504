"""The interpreter that your file names: is it one, and does it have what the witness needs?"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from harness.errors import BadInput

OLDEST = (3, 8)
NEEDS = ("torch", "numpy")
_ASK = (
    "import sys, json, importlib.util as u; "
    "print(json.dumps([list(sys.version_info[:2]), "
    f"[n for n in {NEEDS!r} if u.find_spec(n) is None]]))"
)
SECONDS = 60.0


def find(named: str, source: Path) -> str:
    """The interpreter of that name: a path from your source's folder, a command, or '': this one.

    Raises BadInput, without the file's name.
    """
    if not named:
        return sys.executable
    if "/" in named:
        path = Path(named).expanduser()
        path = path if path.is_absolute() else source / path
        found = str(path) if path.is_file() else None
    else:
        found = shutil.which(named)
    if found is None:
        raise BadInput(
            f"python: {named}: there is none (sought from {source}); name your environment's, as "
            ".venv/bin/python, or leave the key out to use the one that compares"
        )
    return found


@cache
def check(interpreter: str) -> None:
    """Raise BadInput where it is too old, lacks torch or NumPy, or is no Python."""
    try:
        asked = subprocess.run(
            [interpreter, "-c", _ASK], capture_output=True, text=True, timeout=SECONDS, check=True
        )
        version, lacking = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = " ".join(str(error).split())[:120]
        raise BadInput(
            f"python: {interpreter} does not answer as a Python does ({said}); name another"
        ) from error
    if tuple(version) < OLDEST:
        found, oldest = (".".join(map(str, v)) for v in (version, OLDEST))
        raise BadInput(f"python: {interpreter} is {found}; name one of {oldest} or later")
    if lacking:
        raise BadInput(
            f"python: {interpreter} has no {' and no '.join(lacking)}; name the interpreter of "
            "your implementation's environment"
        )
