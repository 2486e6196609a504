"""Writes down what the other's code really does, by public means of torch; it changes nothing.

Which images are read and held, which weights training begins with, how the optimiser is set, how
many steps it makes at which learning rate, and what the network says of the test images at each
evaluation.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.experiment.fingerprints import data_sha256, weights_sha256
from harness.implementations.custom.child import loaders, objects
from harness.implementations.custom.child.network import HandedOut

FACTS, COUNTED, PREDICTED, PROGRESS = (
    "witness.json", "counted.json", "predicted.npy", "progress.json",
)  # fmt: skip
SCHEMA = 1
RATES = 500  # learning rates kept of a run, about
FIRST_RATES = 10  # of these every one


class Witness:
    """One process's; `asked` is what `entry` was told."""

    def __init__(self, asked: Mapping[str, Any], handed: HandedOut | None) -> None:
        self.asked, self.handed = asked, handed
        self.pid, self.began = os.getpid(), time.monotonic()
        self.first = int(asked["first"])  # updates made before this process
        self.steps = 0
        self.other_steps = 0  # of further optimisers
        self.read: dict[bool, tuple[np.ndarray, np.ndarray]] = {}  # by `train`: images, labels
        self.optimizer: Any = None
        self.kind: Any = None  # the class of the network
        self.network: Any = None
        self.initial: dict[str, np.ndarray] = {}
        self.precision = ""
        self.images = 0  # through the network before the first update
        self.rates: list[list[float]] = []
        self.classes: int | None = None
        self.said: dict[int, list[np.ndarray]] = {}  # by network: predictions since the last update
        self.complete: list[np.ndarray] = []  # passes over the test set since the last update
        before = _read_json(COUNTED) if self.first else {}
        self.evaluations = [e for e in before.get("evaluations", []) if e["after"] <= self.first]
        self.rates += [rate for rate in before.get("rates", []) if rate[0] < self.first]
        self.seconds_before = self.evaluations[-1]["seconds"] if self.evaluations else 0.0
        self.facts: dict[str, Any] = {}
        self.loaders: list[Any] = []

    def install(self) -> None:
        """Begin to watch."""
        from torch.nn.modules import module

        self._watch_data()
        self.loaders = loaders.watch()
        self._watching = module.register_module_forward_pre_hook(self._before_forward)
        module.register_module_forward_hook(self._after_forward)
        watch_steps(self._before_step, self._after_step)

    def end(self) -> None:
        """The process is at its end: what is not written yet is written."""
        if os.getpid() != self.pid:
            return
        self._flush()
        if self.facts:
            self._write_facts()
        self._write_counted()
        self._write_progress()

    def _watch_data(self) -> None:
        try:
            from torchvision.datasets import CIFAR10
        except ImportError:  # it reads its images by other means
            return
        cifar10: Any = CIFAR10
        read = cifar10.__init__
        me = self

        @functools.wraps(read)
        def reading(self: Any, *arguments: Any, **named: Any) -> None:
            read(self, *arguments, **named)
            kept = (np.array(self.data), np.asarray(self.targets))
            me.read.setdefault(bool(self.train), kept)

        cifar10.__init__ = reading

    def _before_forward(self, module: Any, arguments: Any) -> None:
        """Until training's first forward pass: that is the network, and these its weights."""
        if self.network is not None or os.getpid() != self.pid or not module.training:
            return
        network = getattr(module, "module", module)  # without what spreads it over devices
        if next(network.parameters(), None) is None:
            return
        self.network, self.kind = network, type(network)
        self.precision = objects.precision(network)
        self.initial = {
            name: tensor.detach().cpu().numpy().copy()
            for name, tensor in network.state_dict().items()
        }
        self._watching.remove()

    def _after_forward(self, module: Any, arguments: Any, output: Any) -> None:
        if type(module) is not self.kind or os.getpid() != self.pid:
            return
        if module.training:
            if self.steps == 0 and arguments and hasattr(arguments[0], "shape"):
                self.images += int(arguments[0].shape[0])
            return
        logits = objects.logits(output)
        if logits is None:
            return
        self.classes = int(logits.shape[1])
        self._take(id(module), logits.detach().argmax(1).cpu().numpy())

    def _take(self, network: int, said: np.ndarray) -> None:
        """Predictions of one batch; as many as there are test images are one evaluation."""
        size = len(self.read[False][1]) if False in self.read else 0
        batches = self.said.setdefault(network, [])
        batches.append(said)
        if sum(map(len, batches)) == size:
            self.complete.append(np.concatenate(batches))
            batches.clear()

    def _before_step(self, optimizer: Any) -> None:
        if os.getpid() != self.pid:
            return
        if self.optimizer is None:
            self.optimizer = optimizer
            self._write_facts()
            self.loaders.clear()  # they may hold large data sets
            threading.Thread(target=self._report, daemon=True).start()
        if optimizer is not self.optimizer:
            return
        if self.said or self.complete:
            self._flush()
        every = max(1, int(self.asked["iterations"]) // RATES)
        if self.steps < FIRST_RATES or (self.first + self.steps) % every == 0:
            self.rates.append([self.first + self.steps, float(optimizer.param_groups[0]["lr"])])

    def _after_step(self, optimizer: Any) -> None:
        if optimizer is self.optimizer:
            self.steps += 1
        else:
            self.other_steps += 1

    def _flush(self) -> None:
        """What was predicted between two updates is an evaluation; its last whole pass counts."""
        complete, self.complete, self.said = self.complete, [], {}
        if not complete:
            return
        predicted = complete[-1]
        self.evaluations.append(
            {
                "after": self.first + self.steps,
                "top1": 100 * float((predicted == self.read[False][1]).mean()),
                "passes": len(complete),
                "seconds": self._seconds(),
            }
        )
        temporary = PREDICTED + ".tmp.npy"
        np.save(temporary, predicted.astype(np.int64))
        os.replace(temporary, PREDICTED)
        self._write_counted()

    def _seconds(self) -> float:
        return round(self.seconds_before + time.monotonic() - self.began, 3)

    def _report(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # a full disk, perhaps not for long
                self._write_progress()
            time.sleep(1.0)

    def _write_progress(self) -> None:
        state = {
            "iteration": min(self.first + self.steps, int(self.asked["iterations"])),
            "iterations": int(self.asked["iterations"]),
            "seconds": time.monotonic() - self.began,
            "first": self.first,
        }
        write_json(PROGRESS, state)

    def _write_counted(self) -> None:
        content = {
            "schema": SCHEMA,
            "steps": self.first + self.steps,
            "first": self.first,
            "steps_of_others": self.other_steps,
            "evaluations": self.evaluations,
            "rates": self.rates,
        }
        write_json(COUNTED, content)

    def _write_facts(self) -> None:
        """At the first update, and at the end again, when the test set may have been read too."""
        before = _read_json(FACTS) if self.first and not self.facts else {}
        self.facts = self._describe() if not self.facts else self.facts
        if before:  # what it began with is known; of the rest, what strays now decides
            first = ("initial", "network")
            self.facts.update({key: before[key] for key in first if key in before})
            self.facts["resumed"] = [*before.get("resumed", []), self.first]
        self.facts["data_sha256"] = self._data_sha256()
        self.facts["classes"] = self.classes
        write_json(FACTS, self.facts)

    def _data_sha256(self) -> str:
        if True not in self.read or False not in self.read:
            return ""
        return data_sha256(*self.read[True], *self.read[False])

    def _describe(self) -> dict[str, Any]:
        import torch

        on_cpu = not self.initial or next(self.network.parameters()).device.type == "cpu"
        training = loaders.KnownImages(self.read[True][0]) if True in self.read else None
        handed = np.load(self.asked["labelled"])
        return {
            "schema": SCHEMA,
            "shims": list(self.asked["shims"]),
            "stubs": list(self.asked["stubs"]),
            "torch_version": str(torch.__version__),
            "device": "cpu" if on_cpu else torch.cuda.get_device_name(),
            "threads": torch.get_num_threads(),
            "processor": objects.processor(),
            "images_first_step": self.images,
            "precision": self.precision,
            "loaders": loaders.describe(self.loaders, training, handed),
            "optimizer": objects.optimizer_groups(self.optimizer),
            "initial": self._initial(),
            "network": objects.network_modules(self.network) if self.network is not None else {},
        }

    def _initial(self) -> dict[str, Any]:
        found: dict[str, Any] = {"sha256": weights_sha256(self.initial) if self.initial else ""}
        if self.handed is not None:
            found.update(
                handed=len(self.handed.taken),
                handed_sha256=self.handed.sha256,
                dropped=self.handed.dropped,
                read_back=self.handed.is_in(self.initial),
            )
        return found


def watch_steps(before: Callable[[Any], None], after: Callable[[Any], None]) -> None:
    """Call `before` and `after` around each update of any optimiser, of whatever torch."""
    from torch.optim import Optimizer

    kind: Any = Optimizer
    init = kind.__init__
    inside: set[int] = set()

    def watched(step: Any) -> Any:
        @functools.wraps(step)
        def watched_step(self: Any, *arguments: Any, **named: Any) -> Any:
            if id(self) in inside:  # a class whose step calls that of its base
                return step(self, *arguments, **named)
            inside.add(id(self))
            try:
                before(self)
                result = step(self, *arguments, **named)
            finally:
                inside.discard(id(self))
            after(self)
            return result

        watched_step.is_watched = True  # type: ignore[attr-defined]
        return watched_step

    @functools.wraps(init)
    def made(self: Any, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        if not getattr(type(self).step, "is_watched", False):
            type(self).step = watched(type(self).step)

    kind.__init__ = made


def write_json(path: str, content: Mapping[str, Any]) -> None:
    """Write it whole."""
    temporary = path + ".tmp"
    Path(temporary).write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _read_json(path: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content
