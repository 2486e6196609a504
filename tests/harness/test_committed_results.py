"""The committed tables and figures are what the committed runs give, to the byte."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from harness import pipeline
from harness.terminal import Terminal
from tests.conftest import REPOSITORY

COMMITTED = sorted(path.parent.name for path in (REPOSITORY / "results").glob("*/table.csv"))


@pytest.mark.parametrize("profile", COMMITTED)
def test_rebuilding_gives_the_committed_bytes(profile: str, tmp_path: Path) -> None:
    committed = REPOSITORY / "results" / profile
    shutil.copytree(committed / "runs", tmp_path / profile / "runs", symlinks=True)
    pipeline.rebuild(tmp_path, profile, Terminal(Console(file=io.StringIO())))
    names = {path.name for path in committed.iterdir() if path.is_file() and path.name != ".lock"}
    assert names == {p.name for p in (tmp_path / profile).iterdir() if p.is_file()} - {".lock"}
    for name in sorted(names):
        assert (tmp_path / profile / name).read_bytes() == (committed / name).read_bytes(), name
