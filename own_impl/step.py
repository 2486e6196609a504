"""The model in training: network, optimiser and moving average, and the update of all three."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from own_impl.algorithms.choice import algorithm
from own_impl.algorithms.guesses import Guesses
from own_impl.algorithms.parts import Losses
from own_impl.algorithms.schedule import learning_rate
from own_impl.config import Config
from own_impl.finite import FiniteCheck
from own_impl.network.compiled import compiled
from own_impl.network.ema import Ema
from own_impl.network.forward import ForwardPass
from own_impl.network.memory_format import memory_format


def make_optimizer(network: nn.Module, config: Config) -> torch.optim.SGD:
    """SGD; no weight decay on biases and batch norm (section 2.4 decays the rest)."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        (free if "bias" in name or "bn" in name else decayed).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD(
        groups,
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
        fused=True,
    )


class Model:
    """All that training changes, and all that a checkpoint keeps.

    `forward` is the network at the run's precision; `losses` makes the algorithm's losses with it,
    and `update` takes them from there. Where the settings ask for it the losses are compiled, the
    network in them; or the network alone, where the algorithm calls it several times.
    """

    def __init__(self, network: nn.Module, config: Config) -> None:
        device = next(network.parameters()).device
        self.network = network.to(memory_format=memory_format(device))
        self.config = config
        self._algorithm = algorithm(config)
        whole = config.compile and self._algorithm.ONE_GRAPH
        self.forward = ForwardPass(self.network, config, compile=config.compile and not whole)
        self._losses = compiled(self._algorithm.losses) if whole else self._algorithm.losses
        self.optimizer = make_optimizer(self.network, config)
        self.ema = Ema(self.network, config.ema_decay)
        self.finite = FiniteCheck(device)
        self.guesses = Guesses(device)
        self.iteration = 0

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        c = self.config
        return learning_rate(c.lr, self.iteration, c.total_iterations, c.warmup)

    def losses(self, batch: Any) -> Losses:
        """The algorithm's losses of a batch for the next update. Raises CompileError."""
        losses: Losses = self._losses(self.forward, batch, self.config, self.iteration)
        return losses

    def update(self, losses: Losses) -> Losses:
        """Move weights, momentum and average along the gradient of `losses.total`.

        Returns the losses without their graph. Raises NonFiniteLoss: on a CPU before a weight is
        touched, elsewhere from a later update or from `finite.check`.
        """
        lr = self.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        measured = replace(losses, total=losses.total.detach())
        self.finite.add(self.iteration, lr, measured)
        self.guesses.add(losses.guesses)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses.total)
        self.optimizer.step()
        self.ema.update()
        self.iteration += 1
        return measured
