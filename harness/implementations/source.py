"""Which source a number comes from: commits, and sums of the code that trained."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from harness.implementations import git_command
from harness.implementations.git_command import GitRefused
from harness.implementations.interface import REPOSITORY


def commit_of(folder: Path, only: Sequence[str] = ()) -> str:
    """The commit checked out in `folder`; '' if there is none, or git refuses to tell.

    '-dirty' follows where tracked files differ from it (those under the paths `only`, if given).
    """
    try:
        return _commit(folder, only)
    except GitRefused:
        return ""


def why_no_commit(folder: Path) -> str:
    """Why `commit_of` has none of `folder`, in git's own words; '' where it has one."""
    try:
        _commit(folder)
    except GitRefused as error:
        return str(error)
    return ""


def commit_here() -> str:
    """The commit of this checkout, `-dirty` where what compares and trains differs from it."""
    return commit_of(REPOSITORY, only=("harness", "own_impl", "configs"))


def source_sha256(folder: Path) -> str:
    """SHA-256 over path and content of every Python file under `folder`, sorted by path."""
    return files_sha256(folder, folder.rglob("*.py"))


def installed_torch() -> str | None:
    """The version of torch in this environment; None without one. Loads nothing."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None


def files_sha256(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 over path (below `root`) and content of the files, sorted by path.

    CR LF counts as LF: git's core.autocrlf changes no program.
    """
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        content = path.read_bytes()
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(content.replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def imported_files(root: Path, *modules: str, without: Collection[str] = ()) -> set[Path]:
    """The files of `modules` and of all modules under `root` that they import, however deep.

    Found from the import statements, wherever in a module they stand; nothing is run. A module of
    a package brings the package's `__init__`. What lies outside `root` is left out, and so are the
    modules `without` with what they alone import.
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in without:
            continue
        for path in _files_of(root, module):
            if path not in found:
                found.add(path)
                waiting += _imports(path.read_bytes(), path.relative_to(root).parent.parts)
    return found


def _files_of(root: Path, module: str) -> Iterator[Path]:
    """The file of a module under `root`, and the `__init__` of each package that it lies in."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:depth])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path


@cache
def _imports(content: bytes, package: tuple[str, ...]) -> tuple[str, ...]:
    """What the import statements of a file name: modules, and names that may be modules."""
    named = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            named += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            named += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(named)


def _commit(folder: Path, only: Sequence[str] = ()) -> str:
    if git_command.root(folder) != folder.resolve():  # a clone further up is not this source's
        raise GitRefused(f"{folder} is no git clone of its own")
    head = git_command.ask(folder, "log", "-1", "--no-show-signature", "--format=%H")
    differ = ("diff", "--name-only", "--ignore-submodules", "HEAD", "--", *only)
    return head.decode().strip() + "-dirty" * bool(git_command.ask(folder, *differ))
