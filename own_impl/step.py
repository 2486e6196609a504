"""One FixMatch step: the two losses (equations 3 and 4 of the paper) and the update."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from own_impl.config import Config
from own_impl.network.ema import Ema
from own_impl.network.memory_format import memory_format
from own_impl.schedule import learning_rate

MOST_UNCHECKED = 10_000  # losses kept on the device; a progress line looks at them far sooner


class NonFiniteLoss(Exception):
    """The loss is NaN or infinite; the message carries iteration, both losses, learning rate."""


class CompileError(Exception):
    """The network could not be compiled; the message says why, and the remedy."""


@dataclass(frozen=True)
class Batch:
    """Network inputs of one step: B labelled images, and two views of mu * B unlabelled ones."""

    labelled: torch.Tensor  # (B, 3, H, W)
    targets: torch.Tensor  # (B,) int64
    weak: torch.Tensor  # (mu * B, 3, H, W)
    strong: torch.Tensor  # (mu * B, 3, H, W)


@dataclass(frozen=True)
class Losses:
    """What a step measured; scalars on the device.

    `labelled` is l_s and `unlabelled` l_u of the paper; `mask` is the share of unlabelled images
    whose pseudo-label is above the threshold.
    """

    total: torch.Tensor
    labelled: torch.Tensor
    unlabelled: torch.Tensor
    mask: torch.Tensor


def pseudo_labels(weak_logits: torch.Tensor, threshold: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Hard pseudo-labels and which of them count: argmax(q) and max(q) >= tau; (N,) each.

    Args: logits (N, classes) of the weak views; no gradient flows back through them.
    """
    confidence, labels = weak_logits.detach().softmax(dim=-1).max(dim=-1)
    return labels, confidence.ge(threshold).to(weak_logits.dtype)


def unlabelled_loss(
    strong_logits: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Equation 4: cross-entropy of the strong views, mean over all, zero where masked out."""
    return (functional.cross_entropy(strong_logits, labels, reduction="none") * mask).mean()


def interleave(x: torch.Tensor, groups: int) -> torch.Tensor:
    """Deal the N rows out to `groups` groups, so that every slice of the batch mixes all kinds."""
    return x.reshape(-1, groups, *x.shape[1:]).transpose(0, 1).flatten(0, 1)


def deinterleave(x: torch.Tensor, groups: int) -> torch.Tensor:
    """Undo `interleave`."""
    return x.reshape(groups, -1, *x.shape[1:]).transpose(0, 1).flatten(0, 1)


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


class FixMatch:
    """Network, optimiser and moving average, and the step that moves them."""

    def __init__(self, network: nn.Module, config: Config) -> None:
        self.network = network.to(memory_format=memory_format(next(network.parameters()).device))
        self.config = config
        self.optimizer = make_optimizer(network, config)
        self.ema = Ema(network, config.ema_decay)
        self.iteration = 0
        # To look at a loss is to wait for the device, which costs nothing on a CPU only.
        self.checks_each_step = next(network.parameters()).device.type == "cpu"
        self._unchecked: list[tuple[int, float, Losses]] = []
        self._compiled = torch.compile(network) if config.compile else None

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        c = self.config
        return learning_rate(c.lr, self.iteration, c.total_iterations, c.warmup)

    def losses(self, batch: Batch) -> Losses:
        """Forward pass of all three batches at once, so that batch norm sees their mixture."""
        inputs = torch.cat((batch.labelled, batch.weak, batch.strong))
        groups = 2 * self.config.mu + 1
        if self.config.interleave:
            logits = deinterleave(self.logits(interleave(inputs, groups)), groups)
        else:
            logits = self.logits(inputs)
        n, n_unlabelled = len(batch.labelled), len(batch.weak)
        labelled, weak, strong = torch.split(logits, [n, n_unlabelled, n_unlabelled])

        loss_x = functional.cross_entropy(labelled, batch.targets)
        labels, mask = pseudo_labels(weak, self.config.threshold)
        loss_u = unlabelled_loss(strong, labels, mask)
        total = loss_x + self.config.lambda_u * loss_u
        return Losses(total, loss_x.detach(), loss_u.detach(), mask.mean())

    def step(self, batch: Batch) -> Losses:
        """One update of weights, batch-norm statistics and moving average.

        Raises NonFiniteLoss: before the weights are touched on a CPU, from a later step or from
        `check_finite` elsewhere. Raises CompileError.
        """
        lr = self.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        losses = self.losses(batch)
        measured = replace(losses, total=losses.total.detach())
        self._unchecked.append((self.iteration, lr, measured))
        if self.checks_each_step or len(self._unchecked) >= MOST_UNCHECKED:
            self.check_finite()
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses.total)
        self.optimizer.step()
        self.ema.update()
        self.iteration += 1
        return measured

    def check_finite(self) -> None:
        """Raise NonFiniteLoss if a loss since the last check was not finite.

        Waits for the device. To be called before anything of the model is kept.
        """
        unchecked, self._unchecked = self._unchecked, []
        if not unchecked:
            return
        finite = torch.isfinite(torch.stack([losses.total for _, _, losses in unchecked]))
        if finite.all():
            return
        iteration, lr, losses = unchecked[finite.tolist().index(False)]
        raise NonFiniteLoss(
            f"the loss is {losses.total.item()} at iteration {iteration}: "
            f"labelled {losses.labelled.item()}, unlabelled {losses.unlabelled.item()}, "
            f"learning rate {lr:.6g}; a smaller --lr, a --warmup or --precision fp32 may help"
        )

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) in float32, computed at the run's precision."""
        bf16 = self.config.precision == "bf16"
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bf16):
            logits = self.network(inputs) if self._compiled is None else self._run_compiled(inputs)
        return logits.float() if bf16 else logits

    def _run_compiled(self, inputs: torch.Tensor) -> torch.Tensor:
        assert self._compiled is not None
        try:
            logits: torch.Tensor = self._compiled(inputs)
        except Exception as error:
            from torch._dynamo.exc import TorchDynamoException  # takes seconds to load

            if not isinstance(error, TorchDynamoException):
                raise
            reason = next(line for line in str(error).splitlines() if line.strip())
            raise CompileError(
                f"--compile: torch cannot compile the network here ({reason.strip()}); "
                "put a C++ compiler on the PATH or name it in CXX, or use --no-compile"
            ) from error
        return logits
