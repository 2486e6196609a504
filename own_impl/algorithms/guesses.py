"""How good the labels are that an algorithm guesses for unlabelled images.

Statistics alone: the true labels of the unlabelled images are used here and nowhere else, and
nothing here reaches a loss or a weight. All of it stays on the device until an evaluation asks.
"""

from __future__ import annotations

import torch

_MEANS = ("guess_entropy", "guess_accuracy", "guess_confidence")


def measure(probabilities: torch.Tensor, truth: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Sums over the guesses that count: their number, entropies, hits in percent, confidences.

    Args: `probabilities` (N, classes) that say what is guessed, without a gradient; the true
    labels (N,) int64; and `counts` (N,), 1 where a guess moves a weight and 0 where not.
    Returns (4,) float64; an entropy is in nats, a confidence is the largest probability.
    """
    confidence, guessed = probabilities.max(dim=-1)
    entropy = torch.special.entr(probabilities).sum(dim=-1)
    hits = 100.0 * guessed.eq(truth)
    each = torch.stack((torch.ones_like(confidence), entropy, hits, confidence))
    return (each.double() * counts).sum(dim=1)


class Guesses:
    """Adds up what the steps measured since the last evaluation."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(4, dtype=torch.float64, device=device)

    def add(self, measured: torch.Tensor) -> None:
        self.sums += measured

    def take(self) -> dict[str, float | None]:
        """Means over the guesses since the last call, None if none counted; waits for the device.

        `guess_entropy` in nats, `guess_accuracy` in percent, `guess_confidence` from 0 to 1.
        """
        number, *sums = self.sums.tolist()
        self.sums.zero_()
        return {name: s / number if number else None for name, s in zip(_MEANS, sums, strict=True)}
