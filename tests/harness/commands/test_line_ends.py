"""A clone whose git is set to change line ends has the committed bytes all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands.results import table as rebuilt
from harness.experiment import profile
from tests.conftest import REPOSITORY
from tests.helpers import made

WHO = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


def git(folder: Path, *words: str) -> str:
    environment = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *WHO, *words], cwd=folder, env=environment, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository: our attributes, a profile's results, and what shells and make read."""
    folder = tmp_path_factory.mktemp("origin")
    made.results(folder / "results/published/quick", seeds=(0, 1))
    rebuilt.write(folder / "results/published/quick", profile.load("quick"))
    for name in (".gitattributes", "Makefile", ".ci/run", "harness/commands/verify.py",
                 "tests/golden", "tests/logs"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, folder / name)
    (folder / "tests/logs/windows.txt").write_bytes(b"a log with its own ends\r\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "results")
    return folder


@pytest.fixture(params=["core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf"])
def clone(origin: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    git(tmp_path, "clone", "-q", "-c", request.param, str(origin), "clone")
    return tmp_path / "clone"


def test_every_file_has_its_bytes(origin: Path, clone: Path) -> None:
    names = git(origin, "ls-files", "-z").split("\0")[:-1]
    assert len(names) > 30
    for name in names:
        assert (clone / name).read_bytes() == (origin / name).read_bytes(), name
    assert git(clone, "status", "--porcelain") == ""


def test_verify_and_diff_hold(clone: Path) -> None:
    for words in (["verify"], ["diff", "--base", "HEAD"]):
        done = subprocess.run(
            [sys.executable, "-m", "harness", *words, "--profile", "quick"],
            cwd=clone,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
