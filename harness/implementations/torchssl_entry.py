"""Runs inside TorchSSL's process: TorchSSL's own code, with a witness and, if needed, shims.

`train` runs the unmodified `fixmatch.py`. A *witness* writes down what TorchSSL really used
(images, initial weights, arguments) just before its training loop starts, and which iteration it
has reached; it changes nothing. A *shim* replaces something that this machine or data set lacks,
and is applied only if asked for:

- `cuda-on-cpu`: TorchSSL's CUDA calls do their work on the CPU (TorchSSL refuses to train there).
- `data-sums`: torchvision reads a CIFAR-10 layout whose md5 sums are not CIFAR-10's.

`weights` writes the initial weights that TorchSSL's own network builder draws for a seed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import runpy
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from harness.fingerprints import data_sha256, weights_sha256

SHIMS = ("cuda-on-cpu", "data-sums")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchssl", type=Path, required=True, help="a checkout of TorchSSL")
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train")
    train.add_argument("--config", type=Path, required=True)
    train.add_argument("--facts", type=Path, required=True)
    train.add_argument("--progress", type=Path, required=True)
    train.add_argument("--times", type=Path, help="write when each iteration's update was made")
    train.add_argument("--shim", action="append", choices=SHIMS, default=[])
    weights = verbs.add_parser("weights")
    weights.add_argument("--seed", type=int, required=True)
    weights.add_argument("--depth", type=int, required=True)
    weights.add_argument("--widen-factor", type=int, required=True)
    weights.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    sys.path.insert(0, str(arguments.torchssl))
    if arguments.verb == "train":
        _train(arguments)
    else:
        _write_initial_weights(arguments)


def _train(arguments: argparse.Namespace) -> None:
    # Its warnings (deprecated AMP names, undefined precision) are TorchSSL's, not the user's.
    warnings.filterwarnings("ignore")
    if "cuda-on-cpu" in arguments.shim:
        _run_cuda_calls_on_the_cpu()
    if "data-sums" in arguments.shim:
        _read_cifar10_without_sums()
    _witness_training(arguments.facts, arguments.progress, arguments.shim)
    if arguments.times is not None:
        _time_updates(arguments.times)
    script = str(arguments.torchssl / "fixmatch.py")
    sys.argv = [script, "--c", str(arguments.config)]
    runpy.run_path(script, run_name="__main__")


def _write_initial_weights(arguments: argparse.Namespace) -> None:
    import torch
    from safetensors.torch import save_file
    from utils import net_builder  # type: ignore[import-not-found]  # TorchSSL's, from sys.path

    network = {"first_stride": 1, "depth": arguments.depth, "widen_factor": arguments.widen_factor}
    rest = {"leaky_slope": 0.1, "bn_momentum": 0.001, "dropRate": 0.0}
    builder = net_builder(
        "WideResNet", False, network | rest | {"use_embed": False, "is_remix": False}
    )
    torch.manual_seed(arguments.seed)
    save_file(dict(builder(num_classes=10).state_dict()), arguments.out)


def _witness_training(facts: Path, progress: Path, shims: list[str]) -> None:
    import torch
    from models.fixmatch.fixmatch import FixMatch  # type: ignore[import-not-found]

    train = FixMatch.train

    def witnessed_train(self: Any, args: Any, logger: Any = None) -> Any:
        unlabelled, test = self.ulb_dset, self.loader_dict["eval"].dataset
        weights = {name: t.detach().cpu().numpy() for name, t in self.model.state_dict().items()}
        _write_json(
            facts,
            {
                "schema": 1,
                "data_sha256": data_sha256(
                    unlabelled.data,
                    np.asarray(unlabelled.targets),
                    test.data,
                    np.asarray(test.targets),
                ),
                "initial_weights_sha256": weights_sha256(weights),
                "parameters": sum(p.numel() for p in self.model.parameters()),
                "arguments": vars(args),
                "shims": shims,
                "device": "cpu" if "cuda-on-cpu" in shims else torch.cuda.get_device_name(),
                "torch_version": str(torch.__version__),
            },
        )
        threading.Thread(target=_report_progress, args=(self, args, progress), daemon=True).start()
        return train(self, args, logger=logger)

    FixMatch.train = witnessed_train


def _report_progress(model: Any, args: Any, progress: Path) -> None:
    """Once a second, read the loop's own counter; TorchSSL logs nothing between evaluations."""
    started = time.time()
    while True:
        _write_json(
            progress,
            {
                "iteration": model.it,
                "iterations": args.num_train_iter,
                "seconds": time.time() - started,
            },
        )
        time.sleep(1.0)


def _time_updates(path: Path) -> None:
    """Note the clock after each update, and the peak of memory; written when training ends."""
    import torch
    from models.fixmatch.fixmatch import FixMatch

    train = FixMatch.train

    def timed_train(self: Any, args: Any, logger: Any = None) -> Any:
        times: list[float] = []
        self.optimizer.register_step_post_hook(lambda *_: times.append(time.perf_counter()))
        result = train(self, args, logger=logger)
        cuda: Any = torch.cuda
        on_gpu = cuda.is_initialized()
        _write_json(
            path,
            {
                "schema": 1,
                "times": times,
                "peak_host_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                "peak_device_bytes": cuda.max_memory_allocated() if on_gpu else None,
                "threads": torch.get_num_threads(),
                "torch_version": str(torch.__version__),
            },
        )
        return result

    FixMatch.train = timed_train


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _run_cuda_calls_on_the_cpu() -> None:
    import torch

    class ClockEvent:
        """Stands in for torch.cuda.Event: the CPU works in step with its clock."""

        def __init__(self, *_: Any, **__: Any) -> None:
            self.time = time.perf_counter()

        def record(self, *_: Any) -> None:
            self.time = time.perf_counter()

        def elapsed_time(self, end: ClockEvent) -> float:
            return (end.time - self.time) * 1000.0

    def stay(self: Any, *_: Any, **__: Any) -> Any:
        return self

    cuda: Any = torch.cuda
    cuda.is_available = lambda: True
    cuda.device_count = lambda: 1
    cuda.set_device = lambda *_: None
    cuda.synchronize = lambda *_: None
    cuda.Event = ClockEvent
    tensor: Any = torch.Tensor
    module: Any = torch.nn.Module
    tensor.cuda = stay
    module.cuda = stay


def _read_cifar10_without_sums() -> None:
    from torchvision.datasets import CIFAR10

    cifar10: Any = CIFAR10
    cifar10.train_list = [[name, None] for name, _ in CIFAR10.train_list]
    cifar10.test_list = [[name, None] for name, _ in CIFAR10.test_list]
    cifar10.meta = CIFAR10.meta | {"md5": None}


if __name__ == "__main__":
    main()
