"""Where your code is, whether it is there, and the sum of what of it trains."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInput
from harness.implementations.custom.spec import Spec
from harness.implementations.git_command import GitRefused, ask
from harness.implementations.interface import REPOSITORY
from harness.implementations.source import files_sha256, imported_files

ENTRY = "harness.implementations.custom.child.entry"
KINDS = (".py", ".yaml", ".yml", ".toml", ".cfg", ".json", ".ini", ".conf", ".gin", ".sh")


def place(spec: Spec, file: Path) -> Path:
    """The folder of its source: <NAME>_DIR of the environment, or `source.path` from its file."""
    named = os.environ.get(variable(spec))
    return Path(named).resolve() if named else (file.parent / spec.source.path).resolve()


def variable(spec: Spec) -> str:
    """The environment variable that may name another checkout."""
    return f"{spec.name.upper()}_DIR"


def check(spec: Spec, source: Path) -> None:
    """Raise BadInput, without the file's name, where the source is not there."""
    if not source.is_dir():
        raise BadInput(
            f"source.path: {source} is no folder; correct the key, or set {variable(spec)} to a "
            "checkout"
        )
    if spec.run.script and not (source / spec.run.script).is_file():
        raise BadInput(f"run.script: no {spec.run.script} in {source}; correct the key")


def sha256(spec: Spec, source: Path, file: Path) -> str:
    """Over its files, what in `file` trains, and what runs beside it in its process."""
    beside = files_sha256(REPOSITORY, imported_files(REPOSITORY, ENTRY))
    trains = json.dumps(spec.trains, sort_keys=True)
    own = files_sha256(source, (path for path in files(source) if path != file))
    return hashlib.sha256(f"{own} {trains} {beside}".encode()).hexdigest()


def files(source: Path) -> Iterator[Path]:
    """Its code and configuration: what git tracks, submodules too, and code that it does not yet.

    Where git tracks nothing of it (no clone, or a folder that the clone around it ignores), all
    there is, but for what hidden folders and environments hold.
    """
    try:
        tracked = _listed(source, "--cached", "--recurse-submodules")
        further = _listed(source, "--others", "--exclude-standard", "--", "*.py")
    except GitRefused:
        tracked, further = [], []
    if not tracked and not further:
        yield from _walk(source)
        return
    yield from (*(path for path in tracked if path.suffix in KINDS), *further)


def _listed(source: Path, *words: str) -> list[Path]:
    names = ask(source, "ls-files", "-z", *words).decode().split("\0")
    return [path for name in names if name and (path := source / name).is_file()]


def _walk(source: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(source):
        here = Path(folder)
        inner[:] = [n for n in inner if not n.startswith(".") and n != "__pycache__"]
        inner[:] = [n for n in inner if not (here / n / "pyvenv.cfg").exists()]
        yield from (path for n in names if (path := here / n).suffix in KINDS and path.is_file())
