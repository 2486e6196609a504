"""Predictions survive a round trip, and a damaged file is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import BadInput
from harness.runs import predictions
from harness.runs.predictions import Predictions


def test_round_trip(tmp_path: Path) -> None:
    predictions.write(tmp_path, Predictions(np.array([0, 1, 2, 3]), np.array([0, 1, 2, 9])))
    found = predictions.read(tmp_path)
    assert found is not None
    assert found.correct.tolist() == [True, True, True, False]
    assert found.top1 == 75.0
    text = (tmp_path / "predictions.csv").read_text()
    assert text.splitlines()[:2] == ["image,target,predicted", "0,0,0"]


def test_none_where_there_are_none(tmp_path: Path) -> None:
    assert predictions.read(tmp_path) is None


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "image,target,predicted\n0,x,1\n"])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "predictions.csv").write_text(content)
    with pytest.raises(BadInput, match=r"predictions\.csv"):
        predictions.read(tmp_path)
