"""Which source a number comes from: commits, and whether a tree is what it claims to be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from harness import git_command
from harness.git_command import GitRefused


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


def source_sha256(folder: Path) -> str:
    """SHA-256 over path and content of every Python file under `folder`, sorted by path."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _commit(folder: Path, only: Sequence[str] = ()) -> str:
    if git_command.root(folder) != folder.resolve():  # a clone further up is not this source's
        raise GitRefused(f"{folder} is no git clone of its own")
    head = git_command.ask(folder, "log", "-1", "--no-show-signature", "--format=%H")
    differ = ("diff", "--name-only", "--ignore-submodules", "HEAD", "--", *only)
    return head.decode().strip() + "-dirty" * bool(git_command.ask(folder, *differ))
