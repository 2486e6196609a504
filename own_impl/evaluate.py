"""Accuracy on the test set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from own_impl.data import Images, Labels, channels_first
from own_impl.views.views import normalise


@dataclass(frozen=True)
class Evaluation:
    """Top-1 and top-5 accuracy in percent, and the mean cross-entropy."""

    top1: float
    top5: float
    loss: float


def evaluate(
    network: nn.Module, images: Images, labels: Labels, batch_size: int, device: torch.device
) -> Evaluation:
    """Evaluate in evaluation mode on images (N, H, W, 3) uint8 and labels (N,)."""
    return Evaluator(images, labels, device).evaluate(network, batch_size)


class Evaluator:
    """Holds test images (N, H, W, 3) uint8 and labels (N,): normalised once, on the device."""

    def __init__(self, images: Images, labels: Labels, device: torch.device) -> None:
        self.inputs = normalise(channels_first(images).to(device))
        self.labels = torch.from_numpy(labels).to(device)

    @torch.no_grad()
    def evaluate(self, network: nn.Module, batch_size: int) -> Evaluation:
        """Evaluate in evaluation mode, `batch_size` images at a time."""
        was_training = network.training
        network.eval()
        top1, top5, loss = (self.inputs.new_zeros((), dtype=torch.float64) for _ in range(3))
        parts = (torch.split(whole, batch_size) for whole in (self.inputs, self.labels))
        for inputs, target in zip(*parts, strict=True):
            logits = network(inputs).float()
            hits = logits.topk(min(5, logits.shape[1]), dim=-1).indices.eq(target[:, None])
            top1 += hits[:, 0].sum()
            top5 += hits.sum()
            loss += functional.cross_entropy(logits, target, reduction="sum")
        network.train(was_training)
        n = len(self.labels)
        return Evaluation(100 * top1.item() / n, 100 * top5.item() / n, loss.item() / n)


@torch.no_grad()
def logits(
    network: nn.Module, images: Images, batch_size: int, device: torch.device
) -> NDArray[np.float32]:
    """What the network says of each image (N, H, W, 3) uint8; shape (N, classes)."""
    network.eval()
    inputs = torch.split(normalise(channels_first(images).to(device)), batch_size)
    return np.asarray(torch.cat([network(x).float().cpu() for x in inputs]).numpy())
