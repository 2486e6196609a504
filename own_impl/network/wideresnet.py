"""Wide ResNet (Zagoruyko and Komodakis 2016, arXiv 1605.07146), pre-activation, for 32 x 32 images.

Details follow TorchSSL where the paper is silent: biases in the convolutions, LeakyReLU 0.1, batch
norm with momentum and eps 0.001, and in the first group the activation before the shortcut splits
off. Modules bear TorchSSL's names and are made in its order: equal seeds draw equal weights, and a
checkpoint of one loads into the other.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=0.001, eps=0.001)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


def _activation() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.1, inplace=True)


class Block(nn.Module):
    """Two 3 x 3 convolutions, each after batch norm and activation, around a shortcut.

    The shortcut is the identity, or a 1 x 1 convolution where the width changes; then it starts at
    the block's raw input, or at the activated one if `activate_shortcut`.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, activate_shortcut: bool) -> None:
        super().__init__()
        self.bn1 = _batch_norm(inputs)
        self.relu1 = _activation()
        self.conv1 = _convolution(inputs, outputs, 3, stride)
        self.bn2 = _batch_norm(outputs)
        self.relu2 = _activation()
        self.conv2 = _convolution(outputs, outputs, 3)
        self.widens = inputs != outputs
        if self.widens:
            self.convShortcut = _convolution(inputs, outputs, 1, stride)
        self.activate_shortcut = activate_shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        if self.widens and not self.activate_shortcut:
            # TorchSSL feeds the raw input to the first convolution of its widening blocks too,
            # though bn1 still sees the batch.
            if self.training and self.bn1.track_running_stats:
                with torch.no_grad():
                    self.bn1(x)
            residual, shortcut = x, self.convShortcut(x)
        else:
            residual = self.relu1(self.bn1(x))
            shortcut = self.convShortcut(residual) if self.widens else x
        out = self.conv2(self.relu2(self.bn2(self.conv1(residual))))
        return torch.add(shortcut, out)


class Group(nn.Module):
    """`blocks` blocks of one width; the first of them may halve the resolution."""

    def __init__(
        self, blocks: int, inputs: int, outputs: int, stride: int, activate_shortcut: bool = False
    ) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            Block(inputs, outputs, stride, activate_shortcut),
            *(Block(outputs, outputs, 1, activate_shortcut) for _ in range(blocks - 1)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(x)
        return out


class WideResNet(nn.Module):
    """WRN-`depth`-`widen_factor`: (N, 3, 32, 32) float -> logits (N, classes)."""

    def __init__(self, depth: int = 28, widen_factor: int = 2, classes: int = 10) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        stem, *widths = 16, 16 * widen_factor, 32 * widen_factor, 64 * widen_factor
        self.conv1 = _convolution(3, stem, 3)
        self.block1 = Group(blocks, stem, widths[0], 1, activate_shortcut=True)
        self.block2 = Group(blocks, widths[0], widths[1], 2)
        self.block3 = Group(blocks, widths[1], widths[2], 2)
        self.bn1 = _batch_norm(widths[2])
        self.relu = _activation()
        self.fc = nn.Linear(widths[2], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="leaky_relu")
            elif isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        pooled = functional.adaptive_avg_pool2d(self.relu(self.bn1(x)), 1).flatten(1)
        logits: torch.Tensor = self.fc(pooled)
        return logits
