"""The committed tables, figures and reports are what the committed runs give, to the byte."""

from __future__ import annotations

import pytest

from harness import profile, verify
from tests.conftest import REPOSITORY

COMMITTED = sorted(path.parent.name for path in (REPOSITORY / "results").glob("*/table.csv"))


@pytest.mark.parametrize("name", COMMITTED)
def test_rebuilding_gives_the_committed_bytes(name: str) -> None:
    verify.require(REPOSITORY / "results" / name, profile.load(name))
