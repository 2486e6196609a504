"""Which algorithm a run trains."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from own_impl.algorithms import fixmatch, mixmatch
from own_impl.algorithms.parts import Forward, Losses
from own_impl.config import Config
from own_impl.data import Data


class Algorithm(Protocol):
    """An algorithm's module; see `parts`."""

    ONE_GRAPH: bool

    def draw(self, data: Data, config: Config, iteration: int) -> Any: ...

    def make(self, data: Data, drawn: Any, device: torch.device) -> Any: ...

    def losses(self, forward: Forward, batch: Any, config: Config, iteration: int) -> Losses: ...

    def forwarded(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor | None]: ...


_ALGORITHMS: dict[str, Algorithm] = {"fixmatch": fixmatch, "mixmatch": mixmatch}


def algorithm(config: Config) -> Algorithm:
    """The module of the algorithm that the settings name."""
    return _ALGORITHMS[config.algorithm]
