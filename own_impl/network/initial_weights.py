"""python -m own_impl.network.initial_weights: write the weights that a seed draws."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from own_impl.network.wideresnet import WideResNet


def draw(depth: int, widen_factor: int, classes: int, seed: int) -> WideResNet:
    """The network with the weights that `seed` draws (equal to TorchSSL's for that seed)."""
    torch.manual_seed(seed)
    return WideResNet(depth, widen_factor, classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--widen-factor", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    network = draw(given.depth, given.widen_factor, 10, given.seed)
    save_file(dict(network.state_dict()), given.out)


if __name__ == "__main__":
    main()
