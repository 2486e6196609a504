"""FixMatch (Sohn et al. 2020, arXiv 2001.07685): its batches and its two losses.

Where the paper is silent, as TorchSSL: images are sampled with replacement, and the labelled ones
are among the unlabelled ones unless the settings say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from own_impl.algorithms import guesses
from own_impl.algorithms.parts import Forward, Losses
from own_impl.config import Config
from own_impl.data import Data
from own_impl.views.operations import Integers
from own_impl.views.transfer import send
from own_impl.views.views import (
    POLICIES,
    StrongDraw,
    WeakDraw,
    draw_strong,
    draw_weak,
    normalise,
    strong_views,
    weak_views,
)

ONE_GRAPH = True


@dataclass(frozen=True)
class Draw:
    """All that is random in a batch: indices (B,) and (mu * B,), and what their views do."""

    labelled: Integers
    unlabelled: Integers
    labelled_views: WeakDraw
    weak_views: WeakDraw
    strong_views: StrongDraw


@dataclass(frozen=True)
class Batch:
    """Network inputs of one step: B labelled images, and two views of mu * B unlabelled ones."""

    labelled: torch.Tensor  # (B, 3, H, W)
    targets: torch.Tensor  # (B,) int64
    weak: torch.Tensor  # (mu * B, 3, H, W)
    strong: torch.Tensor  # (mu * B, 3, H, W)
    truth: torch.Tensor  # (mu * B,) int64: labels that no loss sees, for the statistics alone


def draw(data: Data, config: Config, iteration: int) -> Draw:
    """What is random in the batch of iteration `iteration` (from 0)."""
    random = np.random.default_rng((config.seed, iteration))
    n, m = config.batch_size, config.mu * config.batch_size
    height, width = data.train_images.shape[1:3]
    return Draw(
        labelled=data.labelled[random.integers(0, len(data.labelled), n)],
        unlabelled=data.unlabelled[random.integers(0, len(data.unlabelled), m)],
        labelled_views=draw_weak(n, random),
        weak_views=draw_weak(m, random),
        strong_views=draw_strong(m, (height, width), POLICIES[config.strong], random),
    )


def make(data: Data, drawn: Draw, device: torch.device) -> Batch:
    """The inputs that a draw describes, on `device`."""
    resident = data.on(device)
    labelled, unlabelled = send([drawn.labelled, drawn.unlabelled], device)
    originals = resident.images.index_select(0, unlabelled)
    return Batch(
        labelled=normalise(
            weak_views(resident.images.index_select(0, labelled), drawn.labelled_views)
        ),
        targets=resident.labels.index_select(0, labelled),
        weak=normalise(weak_views(originals, drawn.weak_views)),
        strong=normalise(strong_views(originals, drawn.strong_views)),
        truth=resident.labels.index_select(0, unlabelled),
    )


def losses(forward: Forward, batch: Batch, config: Config, iteration: int) -> Losses:
    """Labelled loss (equation 3) plus lambda_u times unlabelled loss (equation 4).

    All three kinds of images pass through the network at once, so that batch norm sees their
    mixture. The weight of the unlabelled loss is the same in every iteration.
    """
    inputs = torch.cat((batch.labelled, batch.weak, batch.strong))
    groups = 2 * config.mu + 1
    if config.interleave:
        logits = deinterleave(forward(interleave(inputs, groups)), groups)
    else:
        logits = forward(inputs)
    n, n_unlabelled = len(batch.labelled), len(batch.weak)
    labelled, weak, strong = torch.split(logits, [n, n_unlabelled, n_unlabelled])

    loss_x = functional.cross_entropy(labelled, batch.targets)
    labels, mask = pseudo_labels(weak, config.threshold)
    loss_u = unlabelled_loss(strong, labels, mask)
    total = loss_x + config.lambda_u * loss_u
    told = guesses.measure(weak.detach().softmax(dim=-1), batch.truth, mask)
    return Losses(total, loss_x.detach(), loss_u.detach(), mask.mean(), told)


def forwarded(batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What a step forwards with gradient, and what without."""
    return torch.cat((batch.labelled, batch.weak, batch.strong)), None


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
