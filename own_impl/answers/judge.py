"""What given weights say of images: the one evaluator of all implementations.

    python -m own_impl.answers.judge --weights W.safetensors --images I.npy --depth 28 \\
        --widen-factor 2 --device cpu --out logits.npy
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from own_impl.evaluate import logits
from own_impl.network.wideresnet import WideResNet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m own_impl.answers.judge", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="safetensors")
    parser.add_argument("--images", type=Path, required=True, help="(N, 32, 32, 3) uint8, .npy")
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--widen-factor", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, help="(N, classes) float32, .npy")
    arguments = parser.parse_args()
    weights = load_file(arguments.weights)
    device = torch.device(arguments.device)
    network = WideResNet(arguments.depth, arguments.widen_factor, len(weights["fc.bias"]))
    network.load_state_dict(weights)
    np.save(arguments.out, logits(network.to(device), np.load(arguments.images), 512, device))


if __name__ == "__main__":
    main()
