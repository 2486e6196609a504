"""The committed tables, figures and reports are what the committed runs give, to the byte."""

from __future__ import annotations

import pytest

from harness import profile, verify
from harness.studies import files
from tests.conftest import REPOSITORY

COMMITTED = sorted(path.parent.name for path in (REPOSITORY / "results").glob("*/table.csv"))


@pytest.mark.parametrize("name", COMMITTED)
def test_rebuilding_gives_the_committed_bytes(name: str) -> None:
    verify.require(REPOSITORY / "results" / name, profile.load(name))


def test_rebuilding_gives_the_bytes_of_each_committed_study() -> None:
    for path in sorted((REPOSITORY / "results" / "studies").glob("*/table.csv")):
        files.require(REPOSITORY / "results", path.parent.name)
