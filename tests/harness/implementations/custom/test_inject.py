"""The labelled set that is handed out takes the place of what a function returns, in its kind."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
import torch

from harness.implementations.custom.child import split

HANDED = np.array([7, 3, 5], dtype=np.int64)
OTHERS = np.arange(100)


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module whose function `draw` is to be replaced, and `get_data`, which calls it."""
    module = types.ModuleType("its_data")
    exec("def draw(found): return found\ndef get_data(found): return draw(found)", vars(module))
    monkeypatch.setitem(sys.modules, "its_data", module)
    split.inject("its_data:draw", HANDED)
    return module


@pytest.mark.parametrize(
    ("found", "given"),
    [
        (np.array([1, 2, 4], dtype=np.int32), np.array([7, 3, 5], dtype=np.int32)),
        (np.arange(6), np.array([7, 3, 5, 7, 3, 5])),  # repeated to fill its batches
        (np.arange(4), HANDED),
        ([1, 2, 4], [7, 3, 5]),
        (torch.tensor([1, 2, 4]), torch.tensor([7, 3, 5])),
    ],
)
def test_it_is_of_the_same_kind(draws: Any, found: Any, given: Any) -> None:
    for made in (draws.get_data(found), draws.get_data((found, OTHERS))[0]):
        assert type(made) is type(given)
        assert getattr(made, "dtype", None) == getattr(given, "dtype", None)
        assert list(made) == list(given)
    assert draws.get_data((found, OTHERS))[1] is OTHERS


@pytest.mark.parametrize(
    "found",
    [
        None,
        (),
        np.zeros((3, 32, 32, 3), dtype=np.uint8),
        np.array([0.5, 1.5]),
        [[1, 2], [3]],
        {"labelled": [1]},
    ],
)
def test_what_is_no_labelled_set_is_refused(draws: Any, found: Any) -> None:
    with pytest.raises(SystemExit, match=r"split\.inject: its_data:draw returns no indices"):
        draws.get_data(found)
