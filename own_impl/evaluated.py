"""The network as it is evaluated and exported, for as long as that takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from own_impl.data import Data
from own_impl.step import FixMatch
from own_impl.views.views import normalise


@contextmanager
def evaluated(model: FixMatch, data: Data) -> Iterator[nn.Module]:
    """The network with the weights and batch-norm statistics that count; as it was afterwards.

    Averaged weights with `use_ema`. With `precise_bn`, the statistics of just these weights over
    all training images (Wu and Johnson 2021, arXiv 2105.07576, section 3); else the averages that
    training left, which trail behind weights that move fast.
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
    """Statistics over images (N, 3, H, W) uint8: the mean of those of its batches."""
    own = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        update_bn((normalise(part) for part in torch.split(images, batch_size)), network)
        yield
    finally:
        for name, buffer in network.named_buffers():
            buffer.copy_(own[name])
