"""What given weights say of images: the one evaluator of all implementations.

    python -m own_impl.answers.judge --weights W.safetensors --images I.npy --depth 28 \\
        --widen-factor 2 --device cpu --precision fp32 --out logits.npy --noise noise.txt

It computes in the arithmetic of the run whose weights they are, and says how far that is from
float64: what is closer than that another evaluation in it may see the other way round.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

from own_impl import machine
from own_impl.config import Config
from own_impl.evaluate import logits
from own_impl.network.wideresnet import WideResNet

BATCH = 512


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m own_impl.answers.judge", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="safetensors")
    parser.add_argument("--images", type=Path, required=True, help="(N, 32, 32, 3) uint8, .npy")
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--widen-factor", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", help="of the run: fp32, tf32 or bf16")
    parser.add_argument("--out", type=Path, required=True, help="(N, classes) float32, .npy")
    parser.add_argument("--noise", type=Path, help="a text file with one number: see `noise_of`")
    arguments = parser.parse_args()
    weights, images = load_file(arguments.weights), np.load(arguments.images)
    asked = {"device": arguments.device, "precision": arguments.precision}
    device = machine.prepare(Config.model_validate(asked))
    network = WideResNet(arguments.depth, arguments.widen_factor, len(weights["fc.bias"]))
    network.load_state_dict(weights)
    network.to(device)
    said = logits(network, images, BATCH, device)
    np.save(arguments.out, said)
    if arguments.noise is not None:
        exact = logits(network.double(), images, BATCH, device)
        arguments.noise.write_text(f"{noise_of(said, exact)!r}\n", encoding="ascii")


def noise_of(said: NDArray[np.floating], exact: NDArray[np.floating]) -> float:
    """How far apart two logits of an image may be in truth that are equal here: twice the error."""
    return 2 * float(np.abs(said - exact).max(initial=0.0))


if __name__ == "__main__":
    main()
