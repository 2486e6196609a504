"""Which source a number comes from: commits, and whether a tree is what it claims to be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import git


def commit_of(folder: Path, only: Sequence[str] = ()) -> str:
    """The commit checked out in `folder`; '' if there is none.

    '-dirty' follows where tracked files differ from it (those under the paths `only`, if given).
    """
    try:
        repository = git.Repo(folder)
        commit: str = repository.head.commit.hexsha
        dirty = any(repository.is_dirty(path=path, submodules=False) for path in only or (None,))
        return commit + "-dirty" * dirty
    except (git.GitError, ValueError, OSError):  # git itself may refuse: 'safe.directory'
        return ""


def source_sha256(folder: Path) -> str:
    """SHA-256 over path and content of every Python file under `folder`, sorted by path.

    CR LF counts as LF: git's core.autocrlf changes no program.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()
