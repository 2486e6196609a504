from __future__ import annotations

import torch
from torch import nn

from own_impl.answers import flops


def test_a_convolution_and_a_product_are_counted_forward_and_backward() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 8 * 8, 10))
    convolution = 2 * 5 * (8 * 8) * 4 * (3 * 3 * 3)
    product = 2 * 5 * (4 * 8 * 8) * 10
    # Backward, each for its weights, and the product for its input too: that of the first layer
    # has no gradient.
    assert flops.of_passes(network, torch.zeros(5, 3, 8, 8)) == 2 * convolution + 3 * product
    further = flops.of_passes(network, torch.zeros(5, 3, 8, 8), torch.zeros(10, 3, 8, 8))
    assert further == 2 * convolution + 3 * product + 2 * (convolution + product)
