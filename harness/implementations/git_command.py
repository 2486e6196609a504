"""Asks git; where git refuses, its own words are the error."""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness.errors import BadInput

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # else it cannot be imported without git
import git

# Nobody is there to type a password for a partial clone that wants to fetch what it lacks.
ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0"}
SAYS_NOTHING = "fatal: Needed a single revision"
ALL_BRANCHES = "origin '+refs/heads/*:refs/remotes/origin/*'"  # a clone of depth 1 knows but one


class GitRefused(BadInput):
    """git did not do what it was asked to; `said` is what it said of that, in one line."""

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said


class NoRevision(GitRefused):
    """A name of which git says no more than that it is no commit; the message is why, or ''."""


def ask(folder: Path, *words: str) -> bytes:
    """What `git <words>`, run in `folder`, writes to standard output. Raises GitRefused."""
    try:
        status, output, errors = git.Git(str(folder)).execute(
            ["git", *words], with_extended_output=True, with_exceptions=False,
            stdout_as_string=False, strip_newline_in_stdout=False, env=ENVIRONMENT,
        )  # fmt: skip
    except git.GitCommandNotFound as error:
        raise GitRefused("git cannot be found; install it, or add its folder to PATH") from error
    except OSError as error:
        raise GitRefused(f"git cannot be started ({error.strerror})") from error
    if status:
        said = " ".join(line.strip() for line in errors.splitlines() if line.strip())
        raise GitRefused(f"git says: {said or f'nothing, and ended with {status}'}", said)
    return output


def root(folder: Path) -> Path:
    """The top of the clone that `folder` lies in. Raises GitRefused."""
    if not folder.is_dir():
        raise GitRefused(f"{folder} is no folder")
    try:  # not by asking git: under a hook's GIT_DIR it would take `folder` for the top
        with git.Repo(folder.resolve(), search_parent_directories=True) as repository:
            top = repository.working_tree_dir
    except (git.GitError, ValueError, OSError):
        top = None
    if top is None:
        ask(folder, "rev-parse", "--show-toplevel")
        raise GitRefused(f"{folder} lies in no work tree")
    return Path(top).resolve()


def commit(spec: str, top: Path) -> str:
    """The commit that `spec` names in the clone at `top`. Raises NoRevision, GitRefused."""
    shallow = ask(top, "rev-parse", "--is-shallow-repository").strip() == b"true"
    try:
        return _resolved(spec, top)
    except GitRefused as error:
        if said := error.said.replace(SAYS_NOTHING, "").strip():
            raise GitRefused(f"git says: {said}", said) from error
    begins = re.split(r"[~^@:]", spec)[0] or "HEAD"
    known = _is_commit(begins, top)
    if known and ":" in spec:
        raise GitRefused(f"a file of a revision; name the revision alone: {begins}")
    if shallow:
        deeper = known or re.fullmatch("[0-9a-f]{4,64}", begins)
        fetch = "git fetch --unshallow" + ("" if deeper else f" {ALL_BRANCHES}")
        raise NoRevision(f"not in this shallow clone; {fetch}")
    raise NoRevision("")


def _resolved(spec: str, top: Path) -> str:
    if spec.startswith(("-", "^")):  # an option of git's, or all that a revision does not reach
        raise NoRevision("")
    words = ("rev-parse", "--verify", f"{spec}^{{commit}}")
    return ask(top, *words).decode().strip()


def _is_commit(spec: str, top: Path) -> bool:
    try:
        _resolved(spec, top)
    except GitRefused:
        return False
    return True
