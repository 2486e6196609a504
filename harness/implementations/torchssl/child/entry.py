"""Runs inside TorchSSL's process: TorchSSL's own code, with a witness and, if needed, shims.

`train` runs the unmodified script of an algorithm, `fixmatch.py` for one. A *witness* writes down
what TorchSSL really used (images, initial weights, arguments) just before its training loop starts,
and which iteration it has reached, and between two iterations now and then has TorchSSL's own
`save_model` write a checkpoint (its own come every 10,000 iterations, and not whole when it is
killed); it changes nothing. A *shim* replaces something that this machine or data set lacks, or
that would keep a short run from being judged, and is applied only if asked for:

- `cuda-on-cpu`: TorchSSL's CUDA calls do their work on the CPU (TorchSSL refuses to train there).
- `data-sums`: torchvision reads a CIFAR-10 layout whose md5 sums are not CIFAR-10's, and whose
  labels may be whole numbers of any NumPy type, where CIFAR-10's are Python's.
- `resume-ends-on-time`: a resumed run ends after as many updates as one that was not stopped;
  TorchSSL by itself makes one more.
- `saves-early`: `save_model` saves; that of some algorithms returns before iteration 1,000,000.

`weights` writes the initial weights that TorchSSL's own network builder draws for a seed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import runpy
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from harness.experiment.fingerprints import data_sha256, weights_sha256
from harness.implementations.torchssl.child import loop as loops
from harness.implementations.torchssl.child.resolved import resolved

SAVE_NAME = "torchssl"  # its save_name in the folder that it works in
SHIMS = ("cuda-on-cpu", "data-sums", "resume-ends-on-time", "saves-early")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchssl", type=Path, required=True, help="a checkout of TorchSSL")
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train")
    train.add_argument("--script", required=True, help="the algorithm's, as fixmatch.py")
    train.add_argument("--loop", required=True, help="its class, as models.fixmatch.fixmatch:...")
    train.add_argument("--config", type=Path, required=True)
    train.add_argument("--facts", type=Path, required=True)
    train.add_argument("--progress", type=Path, required=True)
    train.add_argument("--final", type=Path, required=True, help="final weights, safetensors")
    train.add_argument("--keep", type=Path, required=True, help="checkpoint, written whole")
    train.add_argument("--keep-seconds", type=float, required=True)
    train.add_argument("--times", type=Path, help="write when each iteration's update was made")
    train.add_argument("--shim", action="append", choices=SHIMS, default=[])
    train.add_argument("--stop", action="store_true", help="just before the training loop")
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
        run_cuda_calls_on_the_cpu()
    if "data-sums" in arguments.shim:
        _read_cifar10_without_sums()
    loop = loops.find(arguments.loop)
    if "saves-early" in arguments.shim:
        loops.save_early(loop)
    _witness_training(loop, arguments)
    if arguments.times is not None:
        _time_updates(loop, arguments.times)
    script = str(arguments.torchssl / arguments.script)
    sys.argv = [script, "--c", str(arguments.config)]
    runpy.run_path(script, run_name="__main__")
    export_final_weights(Path(SAVE_NAME) / "latest_model.pth", arguments.final)


def _write_initial_weights(arguments: argparse.Namespace) -> None:
    import torch
    from safetensors.torch import save_file

    build = network_builder(arguments.depth, arguments.widen_factor)
    torch.manual_seed(arguments.seed)
    save_file(dict(build(num_classes=10).state_dict()), arguments.out)


def network_builder(depth: int, widen_factor: int) -> Any:
    """TorchSSL's builder of a Wide ResNet, as its fixmatch.py makes it for 32 x 32 images."""
    from utils import net_builder  # type: ignore[import-not-found]  # TorchSSL's, from sys.path

    network = {"first_stride": 1, "depth": depth, "widen_factor": widen_factor}
    rest = {"leaky_slope": 0.1, "bn_momentum": 0.001, "dropRate": 0.0}
    return net_builder(
        "WideResNet", False, network | rest | {"use_embed": False, "is_remix": False}
    )


def processor() -> str:
    """The name of the CPU, as the kernel has it; '' where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "")


def export_final_weights(checkpoint: Path, out: Path) -> None:
    """The weights that TorchSSL evaluates: moving average and batch-norm statistics."""
    import torch
    from safetensors.torch import save_file

    weights = torch.load(checkpoint, map_location="cpu", weights_only=True)["ema_model"]
    save_file({name: t.contiguous() for name, t in weights.items()}, out)


def _witness_training(loop: Any, arguments: argparse.Namespace) -> None:
    import torch

    train = loop.train
    shims = arguments.shim

    def witnessed_train(self: Any, args: Any, logger: Any = None) -> Any:
        unlabelled, test = (self.loader_dict[key].dataset for key in ("train_ulb", "eval"))
        weights = {name: t.detach().cpu().numpy() for name, t in self.model.state_dict().items()}
        used = {
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
            "resolved": resolved(self, args),
            "shims": shims,
            "device": "cpu" if "cuda-on-cpu" in shims else torch.cuda.get_device_name(),
            "torch_version": str(torch.__version__),
            "threads": torch.get_num_threads(),
            "processor": processor(),
        }
        if args.resume:
            used = _facts_of_resumption(arguments.facts, used, self.it)
        _write_json(arguments.facts, used)
        if arguments.stop:
            _save_index_streams(self.loader_dict, arguments.facts.with_name("streams.npz"))
            sys.exit(0)
        reporter = threading.Thread(
            target=_report_progress, args=(self, args, arguments.progress), daemon=True
        )
        reporter.start()
        loaders = dict(self.loader_dict)
        loaders["train_lb"] = _Batches(loaders["train_lb"], self, args, arguments)
        self.loader_dict = loaders
        return train(self, args, logger=logger)

    loop.train = witnessed_train


def _save_index_streams(loaders: dict[str, Any], path: Path, draws: int = 20_000) -> None:
    """The first indices that the training loaders would draw, into the sets that they draw from."""
    streams: dict[str, Any] = {}
    for name, loader in (("labelled", "train_lb"), ("unlabelled", "train_ulb")):
        sampler = loaders[loader].batch_sampler.sampler
        streams[name] = np.fromiter(itertools.islice(iter(sampler), draws), dtype=np.int64)
    np.savez(path, **streams)


def _facts_of_resumption(facts: Path, used: dict[str, Any], iteration: int) -> dict[str, Any]:
    """What the first start used, checked against what this one uses, and that it was resumed."""
    first: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
    if first["data_sha256"] != used["data_sha256"]:
        sys.exit(f"the data changed: was {first['data_sha256']}, is {used['data_sha256']}")
    resumed = [*first.get("resumed", []), iteration]
    return first | {"shims": used["shims"], "resumed": resumed}


class _Batches:
    """TorchSSL's labelled batches as they are; asking for the next one ends an iteration."""

    def __init__(self, batches: Any, model: Any, args: Any, arguments: argparse.Namespace) -> None:
        self.batches, self.model, self.args = batches, model, args
        self.keep, self.seconds = arguments.keep, arguments.keep_seconds
        self.ends_on_time = "resume-ends-on-time" in arguments.shim
        self.kept = time.monotonic()

    def __iter__(self) -> Any:
        return self._watched(iter(self.batches))  # begun at once: that draws random numbers

    def _watched(self, batches: Any) -> Any:
        started_at = self.model.it
        for batch in batches:
            if self.ends_on_time and self.model.it >= self.args.num_train_iter:
                return
            if self.model.it > started_at and self._is_due():
                _keep(self.model, self.keep)
                self.kept = time.monotonic()
            yield batch

    def _is_due(self) -> bool:
        """Not where a resumption would evaluate at once: TorchSSL might do so or might not."""
        evaluates = self.model.it % self.args.num_eval_iter == 0 or self.model.it % 1000 == 0
        return not evaluates and time.monotonic() - self.kept >= self.seconds


def _keep(model: Any, path: Path) -> None:
    """Have TorchSSL save its state between two iterations; whole, or the last one stays.

    Its `save_model` counts the iteration that it is called in as made, and logs.
    """
    temporary = path.with_name(path.name + ".tmp")
    said = model.print_fn
    model.it -= 1
    model.print_fn = lambda *_: None
    try:
        model.save_model(temporary.name, str(temporary.parent))
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch raises both where the disk is full
        print(f"no checkpoint could be kept: {error}", file=sys.stderr)
        temporary.unlink(missing_ok=True)
    finally:
        model.it += 1
        model.print_fn = said


def _report_progress(model: Any, args: Any, progress: Path) -> None:
    """Once a second, read the loop's own counter; TorchSSL logs nothing between evaluations."""
    started, first = time.monotonic(), model.it
    while True:
        state = {
            "iteration": min(model.it, args.num_train_iter),
            "iterations": args.num_train_iter,
            "seconds": time.monotonic() - started,
            "first": first,
        }
        with suppress(OSError):  # a full disk, perhaps not for long
            _write_json(progress, state)
        time.sleep(1.0)


def _time_updates(loop: Any, path: Path) -> None:
    """Note the clock after each update, and the peak of memory; written when training ends."""
    import torch

    train = loop.train

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

    loop.train = timed_train


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def run_cuda_calls_on_the_cpu() -> None:
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
    read = CIFAR10.__init__

    def read_with_plain_labels(self: Any, *arguments: Any, **named: Any) -> None:
        read(self, *arguments, **named)
        self.targets = [int(label) for label in self.targets]  # torch's losses take no int32

    cifar10.__init__ = read_with_plain_labels


if __name__ == "__main__":
    main()
