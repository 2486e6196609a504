"""What every algorithm deals in.

An algorithm is a module with three functions, which training calls in this order:

    draw(data, config, iteration) -> Draw            all that is random in a batch, on the host
    make(data, draw, device) -> Batch                the inputs that the draw describes
    losses(forward, batch, config, iteration) -> Losses

`Draw` and `Batch` are dataclasses of the algorithm's own. Every array of a draw has the same number
of rows in each iteration, and so has every tensor of a batch: `Batches` joins the draws of several
iterations, has them made at once and splits the rows again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

Forward = Callable[[torch.Tensor], torch.Tensor]
"""The network in training mode: inputs (N, 3, H, W) -> logits (N, classes)."""


@dataclass(frozen=True)
class Losses:
    """What a step minimises and measured; scalars on the device, only `total` with a gradient.

    `labelled` is l_s and `unlabelled` l_u of the paper; `mask` is the share of unlabelled images
    that count.
    """

    total: torch.Tensor
    labelled: torch.Tensor
    unlabelled: torch.Tensor
    mask: torch.Tensor
