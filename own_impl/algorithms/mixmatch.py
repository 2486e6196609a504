"""MixMatch (Berthelot et al. 2019, arXiv 1905.02249): its batches and its two losses.

Where the paper is silent, as TorchSSL: images are sampled with replacement, the labelled ones are
among the unlabelled ones unless the settings say otherwise, and batch norm learns its running
averages from one slice of the mixed batch alone. It departs from the paper as TorchSSL does in one
coefficient of MixUp for a whole batch; `mixup` "paper" draws one for each example.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch.nn import functional

from own_impl.algorithms import guesses
from own_impl.algorithms.parts import Forward, Losses
from own_impl.config import Config
from own_impl.data import Data
from own_impl.network.memory_format import memory_format
from own_impl.views.operations import Floats, Integers
from own_impl.views.transfer import constant, send
from own_impl.views.views import WeakDraw, draw_weak, normalise, weak_views

ONE_GRAPH = False
VIEWS = 2  # of each unlabelled image (the paper's K)


@dataclass(frozen=True)
class Draw:
    """All that is random in a batch: indices (B,) and (mu * B,), their views, and the mixture."""

    labelled: Integers
    unlabelled: Integers
    labelled_views: WeakDraw
    weak_views: WeakDraw
    weak_views_2: WeakDraw
    lambdas: Floats
    partners: Integers


@dataclass(frozen=True)
class Batch:
    """B labelled images, two views of mu * B unlabelled ones, and how all N views are mixed.

    N = B + 2 * mu * B, in the order labelled, `weak`, `weak_2`. View i is mixed with view
    `partners[i]`, `lambdas[i]` and 1 - `lambdas[i]` of each; the larger share is the view's own.
    """

    labelled: torch.Tensor  # (B, 3, H, W)
    targets: torch.Tensor  # (B,) int64
    weak: torch.Tensor  # (mu * B, 3, H, W)
    weak_2: torch.Tensor  # (mu * B, 3, H, W)
    lambdas: torch.Tensor  # (N,) float64
    partners: torch.Tensor  # (N,) int64, a permutation
    truth: torch.Tensor  # (mu * B,) int64: labels that no loss sees, for the statistics alone


def draw(data: Data, config: Config, iteration: int) -> Draw:
    """What is random in the batch of iteration `iteration` (from 0)."""
    random = np.random.default_rng((config.seed, iteration))
    n, m = config.batch_size, config.mu * config.batch_size
    views = n + VIEWS * m
    return Draw(
        labelled=data.labelled[random.integers(0, len(data.labelled), n)],
        unlabelled=data.unlabelled[random.integers(0, len(data.unlabelled), m)],
        labelled_views=draw_weak(n, random),
        weak_views=draw_weak(m, random),
        weak_views_2=draw_weak(m, random),
        lambdas=draw_lambdas(views, config, random),
        partners=random.permutation(views),
    )


def draw_lambdas(n: int, config: Config, random: np.random.Generator) -> Floats:
    """Equation 8, for n views: one coefficient for all of them, or one for each."""
    drawn = 1 if config.mixup == "batch" else n
    return random.beta(config.alpha, config.alpha, drawn).repeat(n // drawn)


def make(data: Data, drawn: Draw, device: torch.device) -> Batch:
    """The inputs that a draw describes, on `device`."""
    resident = data.on(device)
    arrays = [drawn.labelled, drawn.unlabelled, drawn.lambdas, drawn.partners]
    labelled, unlabelled, lambdas, partners = send(arrays, device)
    originals = resident.images.index_select(0, unlabelled)
    return Batch(
        labelled=normalise(
            weak_views(resident.images.index_select(0, labelled), drawn.labelled_views)
        ),
        targets=resident.labels.index_select(0, labelled),
        weak=normalise(weak_views(originals, drawn.weak_views)),
        weak_2=normalise(weak_views(originals, drawn.weak_views_2)),
        lambdas=lambdas,
        partners=partners,
        truth=resident.labels.index_select(0, unlabelled),
    )


def losses(forward: Forward, batch: Batch, config: Config, iteration: int) -> Losses:
    """Algorithm 1, and its loss: equation 5, the second term weighted by the ramped lambda_u."""
    n, views = len(batch.labelled), (batch.weak, batch.weak_2)
    guess = guess_labels(forward, views, config.temperature)
    classes = constant(np.arange(guess.shape[1]), guess.device)
    labels = batch.targets[:, None].eq(classes).to(guess.dtype)

    shares = own_shares(batch.lambdas)
    inputs = mix(torch.cat((batch.labelled, *views)), shares, batch.partners)
    targets = mix(torch.cat((labels, *[guess] * VIEWS)), shares, batch.partners)
    logits = forward_in_slices(forward, inputs, n)

    loss_x = labelled_loss(logits[:n], targets[:n])
    loss_u = unlabelled_loss(logits[n:], targets[n:])
    total = loss_x + config.lambda_u * ramp(iteration, config) * loss_u
    every = torch.ones_like(guess[:, 0])
    told = guesses.measure(guess, batch.truth, every)
    return Losses(total, loss_x.detach(), loss_u.detach(), every.mean(), told)


def forwarded(batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What a step forwards with gradient, and what without."""
    views = (batch.weak, batch.weak_2)
    return torch.cat((batch.labelled, *views)), torch.cat(views)


@torch.no_grad()
def guess_labels(
    forward: Forward, views: tuple[torch.Tensor, ...], temperature: float
) -> torch.Tensor:
    """The sharpened mean prediction over the views of each image; (N, classes), no gradient.

    A mean of distributions is one already, but for rounding: it is divided by its sum as TorchSSL
    does, so that both round alike.
    """
    predictions = [forward(view, frozen_averages=True).softmax(dim=-1) for view in views]
    mean = sum(predictions[1:], predictions[0]) / len(views)  # equation 6
    return sharpen(mean / mean.sum(dim=-1, keepdim=True), temperature)


def sharpen(probabilities: torch.Tensor, temperature: float) -> torch.Tensor:
    """Equation 7: distributions (N, classes) to the power of 1 / T, and made to sum to 1 again."""
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum(dim=-1, keepdim=True)


def own_shares(lambdas: torch.Tensor) -> torch.Tensor:
    """Equation 9: a mixture is nearer to the view that it is made of than to its partner."""
    return torch.maximum(lambdas, 1 - lambdas)


def mix(x: torch.Tensor, shares: torch.Tensor, partners: torch.Tensor) -> torch.Tensor:
    """Equations 10 and 11: rows (N, ...) of `x`, `shares` (N,) float64 of each, with partners'."""
    shares = shares.view(-1, *[1] * (x.dim() - 1))
    own, others = shares.to(x.dtype), (1 - shares).to(x.dtype)
    return own * x + others * x.index_select(0, partners)


def forward_in_slices(forward: Forward, inputs: torch.Tensor, n: int) -> torch.Tensor:
    """Logits of the mixed views (N, 3, H, W), put through the network n at a time.

    The first slice holds views of every kind, and batch norm's running averages move with it
    alone; each slice normalises itself (the paper's code and TorchSSL's).
    """
    order = constant(interleaved(n, len(inputs) // n), inputs.device)
    in_order = inputs.index_select(0, order).contiguous(memory_format=memory_format(inputs.device))
    first, *others = torch.split(in_order, n)
    logits = [forward(first), *(forward(one, frozen_averages=True) for one in others)]
    return torch.cat(logits).index_select(0, order)


@cache
def interleaved(n: int, slices: int) -> Integers:
    """Row order (slices * n,) in which the first slice of n rows has some of every slice.

    Its rows are parted among the slices as equally as can be, the later ones first to get one more;
    each changes places with the row of its slice at the same position. The order is its own
    inverse.
    """
    shares = np.full(slices, n // slices)
    shares[slices - n % slices :] += 1
    slice_of, position = np.repeat(np.arange(slices), shares), np.arange(n)
    order = np.arange(slices * n).reshape(slices, n)
    order[0], order[slice_of, position] = order[slice_of, position], order[0].copy()
    return order.ravel()


def labelled_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Equation 3: cross-entropy with soft targets (B, classes), mean over the batch."""
    return (-targets * logits.log_softmax(dim=-1)).sum(dim=1).mean()


def unlabelled_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Equation 4: squared error of the probabilities, mean over all views and classes."""
    return functional.mse_loss(logits.softmax(dim=-1), targets)


def ramp(iteration: int, config: Config) -> float:
    """The part of lambda_u that iteration `iteration` (from 0) has: it rises linearly to 1."""
    rising = config.ramp_up * config.total_iterations
    return min(1.0, iteration / rising) if rising else 1.0
