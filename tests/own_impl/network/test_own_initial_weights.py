from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from own_impl.network import initial_weights
from own_impl.network.wideresnet import WideResNet


def test_the_file_holds_the_weights_that_the_seed_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "w.safetensors"
    options = f"own --seed 5 --depth 10 --widen-factor 1 --out {file}".split()
    monkeypatch.setattr(sys, "argv", options)
    initial_weights.main()
    torch.manual_seed(5)
    expected, written = WideResNet(10, 1).state_dict(), load_file(file)
    assert set(written) == set(expected)
    assert all(torch.equal(written[name], expected[name]) for name in expected)
