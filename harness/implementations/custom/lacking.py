"""What yours needs and its interpreter lacks, asked before anything is trained."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.implementations.custom import interpreter
from harness.implementations.custom.child import imports
from harness.implementations.custom.spec import Spec

SECONDS = 300.0  # torch from a slow disk
THIS = "the python that compares"
SHOWN = 160  # characters of what an import says


def why(spec: Spec, source: Path) -> str:
    """Why its training could not begin, with the remedy; '' where nothing tells so.

    Raises BadInput where there is no such interpreter.
    """
    if spec.run.command:  # what that starts is not known
        return ""
    python = interpreter.find(spec.python, source)
    shown = spec.python or THIS  # the reason stands in tables, which paths of a machine do not
    if broken := _broken(python):
        name, said = next(iter(broken.items()))
        return f"{shown} cannot import {name} ({said[:SHOWN]}); mend its environment"
    script = str(source / spec.run.script) if spec.run.script else ""
    missing = _missing(python, script, spec.run.module, str(source), spec.run.stubs)
    if not missing:
        return ""
    named = ", ".join(f"{name} ({where})" for name, where in missing.items())
    return f"{shown} has no {named}; install it there, or name in run.stubs what is not needed"


@cache
def _broken(python: str) -> Mapping[str, str]:
    """Of what the witness needs, what cannot be imported, and what is said of it."""
    return _ask(python, {"modules": list(reversed(interpreter.NEEDS))})


@cache
def _missing(
    python: str, script: str, module: str, source: str, stubs: tuple[str, ...]
) -> Mapping[str, str]:
    """Modules that its script imports and that there are not, with where it does."""
    asked = {"script": script, "module": module, "source": source, "stubs": stubs}
    return _ask(python, asked)


def _ask(python: str, asked: Mapping[str, Any]) -> Mapping[str, str]:
    """The answer of `child.imports`; {} where it gives none: then the run itself will tell."""
    command = [python, "-B", str(Path(imports.__file__)), json.dumps(asked)]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, cwd=Path("/")
        )
        answer: dict[str, str] = json.loads(ended.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return {}
    return answer
