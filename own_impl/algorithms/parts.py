"""What every algorithm deals in.

An algorithm is a module with three functions, which training calls in this order:

    draw(data, config, iteration) -> Draw            all that is random in a batch, on the host
    make(data, draw, device) -> Batch                the inputs that the draw describes
    losses(forward, batch, config, iteration) -> Losses

and a fourth that only a benchmark calls:

    forwarded(batch) -> (with, without gradient)     the inputs of a step's passes

`ONE_GRAPH` says whether `losses` calls the network once only, so that torch can compile both
together. `choice.py` finds the module that a run's settings name.

`Draw` and `Batch` are dataclasses of the algorithm's own. Every array of a draw has the same number
of rows in each iteration, and so has every tensor of a batch: `Batches` joins the draws of several
iterations, has them made at once and splits the rows again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


class Forward(Protocol):
    """The network in training mode: inputs (N, 3, H, W) -> logits (N, classes).

    Batch norm normalises by the batch in any case. With `frozen_averages` it leaves its running
    averages, which evaluation uses, as they are.
    """

    def __call__(self, inputs: torch.Tensor, *, frozen_averages: bool = False) -> torch.Tensor: ...


@dataclass(frozen=True)
class Losses:
    """What a step minimises and measured; scalars on the device, only `total` with a gradient.

    `labelled` and `unlabelled` are the two terms of the paper's loss; `mask` is the share of
    unlabelled images that count. `guesses` (4,) is what `guesses.measure` says of their labels.
    """

    total: torch.Tensor
    labelled: torch.Tensor
    unlabelled: torch.Tensor
    mask: torch.Tensor
    guesses: torch.Tensor
