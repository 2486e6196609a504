"""Training ends where the loss is no longer finite, and says in which iteration that was."""

from __future__ import annotations

import torch

from own_impl.algorithms.parts import Losses

MOST_UNCHECKED = 10_000  # losses kept on the device; a progress line checks them far sooner


class NonFiniteLoss(Exception):
    """The loss is NaN or infinite; the message carries iteration, both losses, learning rate."""


class FiniteCheck:
    """Looks at the losses of each step on a CPU, and at those of many steps at once elsewhere.

    To look at a loss is to wait until the device has computed it: free on a CPU, costly on a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.each_step = device.type == "cpu"
        self._unchecked: list[tuple[int, float, Losses]] = []

    def add(self, iteration: int, lr: float, losses: Losses) -> None:
        """Take the losses of a step, without their graph. Raises NonFiniteLoss if it looks."""
        self._unchecked.append((iteration, lr, losses))
        if self.each_step or len(self._unchecked) >= MOST_UNCHECKED:
            self.check()

    def check(self) -> None:
        """Look at all losses since the last check. Raises NonFiniteLoss.

        To be called before anything of the model is kept.
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
