"""Accuracy on the test set, and with which weights and batch-norm statistics it is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

from own_impl.data import Data, Images, Labels, channels_first
from own_impl.step import Model
from own_impl.views.views import normalise


@dataclass(frozen=True)
class Evaluation:
    """Top-1 and top-5 accuracy in percent, and the mean cross-entropy."""

    top1: float
    top5: float
    loss: float


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
) -> NDArray[np.floating]:
    """What the network says of each image (N, H, W, 3) uint8, in its own type; (N, classes)."""
    network.eval()
    dtype = next(network.parameters()).dtype
    inputs = torch.split(normalise(channels_first(images).to(device)), batch_size)
    return np.asarray(torch.cat([network(x.to(dtype)).cpu() for x in inputs]).numpy())


@contextmanager
def network_to_evaluate(model: Model, data: Data) -> Iterator[nn.Module]:
    """The network as it is evaluated and exported; its training state is put back afterwards.

    Its weights are the averaged ones with `use_ema`, else those of the last step. Its batch-norm
    statistics are the running averages that training left, which trail behind weights that move
    fast; with `precise_bn` they are the statistics that these very weights give on all training
    images (Wu and Johnson 2021, arXiv 2105.07576, section 3).
    """
    with ExitStack() as stack:
        if model.config.use_ema:
            stack.enter_context(model.ema.applied())
        if model.config.precise_bn:
            images = data.on(next(model.network.parameters()).device).images
            stack.enter_context(_precise_bn(model.network, images, model.config.eval_batch_size))
        yield model.network


@contextmanager
def _precise_bn(network: nn.Module, images: torch.Tensor, batch_size: int) -> Iterator[None]:
    """Batch-norm statistics over images (N, 3, H, W) uint8: the mean of those of its batches."""
    own = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        update_bn((normalise(part) for part in torch.split(images, batch_size)), network)
        yield
    finally:
        for name, buffer in network.named_buffers():
            buffer.copy_(own[name])
