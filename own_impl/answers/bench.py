"""python -m own_impl.answers.bench: how fast this machine trains; prints one JSON object.

Takes the options of `python -m own_impl` too, and leaves no run behind.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn import functional

from own_impl import machine
from own_impl.algorithms.choice import algorithm
from own_impl.answers import flops
from own_impl.config import Config, parse
from own_impl.data import Data, DataError, load
from own_impl.evaluate import Evaluator, network_to_evaluate
from own_impl.network.compiled import CompileError
from own_impl.network.forward import ForwardPass
from own_impl.network.initial_weights import draw
from own_impl.step import Model
from own_impl.views.batches import Batches

SCHEMA = 2
SIDE = {"cpu": 1024, "cuda": 8192}  # of the matrices whose product is the machine's rate
PRODUCTS = 10  # the fastest counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 2 for input that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=False, allow_abbrev=False)
    parser.add_argument("--discard", type=int, default=20)
    parser.add_argument("--timed", type=int, default=100)
    parser.add_argument("--json", type=Path, help="write the object there, and print nothing")
    given, options = parser.parse_known_args(arguments)
    config = parse(options)
    try:
        measured = json.dumps(Benchmark(config).run(given.discard, given.timed), indent=1)
    except (DataError, CompileError) as error:
        print(f"own_impl: {error}", file=sys.stderr)
        return 2
    if given.json is None:
        print(measured)
    else:
        given.json.write_text(measured + "\n", encoding="utf-8")
    return 0


class Benchmark:
    """Times the steps of a run, their parts, and what the network alone would take."""

    def __init__(self, config: Config) -> None:
        data = load(config)
        self.config, self.algorithm = config, algorithm(config)
        self.device = machine.prepare(config)
        network = draw(config.depth, config.widen_factor, data.classes, config.seed)
        self.model = Model(network.to(self.device), config)
        self.batches = self._new_batches(data)
        self.evaluator = Evaluator(data.test_images, data.test_labels, self.device)

    def run(self, discard: int, timed: int) -> dict[str, Any]:
        """Seconds, from `timed` repetitions of each after `discard` steps that do not count."""
        # Batches are made several at a time: whole sets, so that each step bears its share of one.
        timed = -(-timed // self.batches.together) * self.batches.together
        for _ in range(discard):
            self._step()
        step = self._mean(self._step, timed)
        host, on_device = machine.peak_memory(self.device)
        self.model.finite.check()
        return {
            "schema": SCHEMA,
            "seconds_per_iteration": step,
            "seconds_per_bare_iteration": self._bare(timed),
            "seconds_per_evaluation": self._evaluation(),
            "parts": self._parts(timed),
            "arithmetic": self._arithmetic(),
            "peak_host_bytes": host,
            "peak_device_bytes": on_device,
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
            "threads": torch.get_num_threads(),
            "torch_version": str(torch.__version__),
        }

    def _step(self) -> None:
        self.model.update(self.model.losses(self.batches[self.model.iteration]))

    def _new_batches(self, data: Data) -> Batches[Any]:
        return Batches(data, self.config, self.device, self.algorithm.draw, self.algorithm.make)

    def _bare(self, timed: int) -> float:
        """Forward and backward pass on data in place: what no step can be faster than."""
        inputs, forward_only = self._inputs()
        targets = torch.zeros(len(inputs), dtype=torch.int64, device=self.device)
        forward = ForwardPass(self.model.network, self.config, compile=self.config.compile)

        def bare() -> None:
            self.model.optimizer.zero_grad(set_to_none=True)
            if forward_only is not None:
                with torch.no_grad():
                    forward(forward_only)
            torch.autograd.backward(functional.cross_entropy(forward(inputs), targets))

        bare()
        return self._mean(bare, timed)

    def _arithmetic(self) -> dict[str, float]:
        """What the bare passes have to compute, and what this device computes in a second.

        A product in the arithmetic of the run's convolutions.
        """
        counted = flops.of_passes(self.model.network, *self._inputs())
        dtype = torch.bfloat16 if self.config.precision == "bf16" else torch.float32
        side = SIDE[self.device.type]
        left, right = (torch.randn(side, side, device=self.device).to(dtype) for _ in range(2))
        product = partial(torch.mm, left, right)
        with machine.products_as_convolutions(self.config):
            fastest = min(self._mean(product, 1) for _ in range(PRODUCTS))
        return {"flops": float(counted), "matmul_flops_per_second": 2 * side**3 / fastest}

    def _inputs(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What one step puts through the network: with gradient, and without."""
        return self.algorithm.forwarded(self.batches[self.model.iteration])

    def _evaluation(self) -> float:
        def evaluate() -> None:
            with network_to_evaluate(self.model, self.batches.data) as network:
                self.evaluator.evaluate(network, self.config.eval_batch_size)

        evaluate()
        return self._mean(evaluate, 3)

    def _parts(self, timed: int) -> dict[str, float]:
        """Median seconds of the parts of a step, each waited for; augmentation: the mean."""
        model, fresh = self.model, self._new_batches(self.batches.data)
        iterations = iter(range(timed))
        augmentation = self._mean(lambda: fresh[next(iterations)], timed)
        parts: dict[str, list[float]] = {}
        for _ in range(timed):
            batch = self.batches[model.iteration]
            model.optimizer.zero_grad(set_to_none=True)
            measured: list[torch.Tensor] = []
            work: dict[str, Callable[[], Any]] = {
                "forward": partial(self._keep_total, batch, measured),
                "backward": partial(torch.autograd.backward, measured),
                "optimiser": model.optimizer.step,
                "ema": model.ema.update,
            }
            for part, does in work.items():
                parts.setdefault(part, []).append(self._mean(does, 1))
            model.iteration += 1
        return {"augmentation": augmentation} | {name: median(s) for name, s in parts.items()}

    def _keep_total(self, batch: Any, kept: list[torch.Tensor]) -> None:
        kept.append(self.model.losses(batch).total)

    def _mean(self, work: Callable[[], Any], times: int) -> float:
        """Seconds that `work` takes until the device has done it."""
        self._wait()
        began = time.perf_counter()
        for _ in range(times):
            work()
        self._wait()
        return (time.perf_counter() - began) / times

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
