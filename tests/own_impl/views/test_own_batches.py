from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import torch

from own_impl.algorithms.fixmatch import draw, make
from own_impl.config import Config
from own_impl.data import load
from own_impl.views.batches import Batches

Tiny = Callable[..., Config]
CPU = torch.device("cpu")


def test_batches_made_together_are_those_made_alone(tiny: Tiny) -> None:
    config = tiny(iterations=70)
    data = load(config)
    batches = Batches(data, config, CPU, draw, make)
    assert batches.together == 64
    for k in (0, 1, 63, 64, 69, 3):
        together, alone = batches[k], make(data, draw(data, config, k), CPU)
        for field in fields(alone):
            assert torch.equal(getattr(together, field.name), getattr(alone, field.name))
