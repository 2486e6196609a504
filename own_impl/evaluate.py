"""Accuracy on the test set."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from own_impl.augment import normalise
from own_impl.data import Images, Labels


@dataclass(frozen=True)
class Evaluation:
    """Top-1 and top-5 accuracy in percent, and the mean cross-entropy."""

    top1: float
    top5: float
    loss: float


@torch.no_grad()
def evaluate(
    network: nn.Module, images: Images, labels: Labels, batch_size: int, device: torch.device
) -> Evaluation:
    """Evaluate in evaluation mode on images (N, H, W, 3) uint8 and labels (N,)."""
    was_training = network.training
    network.eval()
    top1, top5, loss = (torch.zeros((), device=device, dtype=torch.float64) for _ in range(3))
    for start in range(0, len(images), batch_size):
        target = torch.from_numpy(labels[start : start + batch_size]).to(device)
        logits = network(normalise(images[start : start + batch_size], device)).float()
        hits = logits.topk(min(5, logits.shape[1]), dim=-1).indices.eq(target[:, None])
        top1 += hits[:, 0].sum()
        top5 += hits.sum()
        loss += functional.cross_entropy(logits, target, reduction="sum")
    network.train(was_training)
    n = len(images)
    return Evaluation(100 * top1.item() / n, 100 * top5.item() / n, loss.item() / n)
