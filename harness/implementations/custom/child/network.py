"""The network that the other's own builder makes: of another size, with weights handed out."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from harness.experiment.fingerprints import weights_sha256

KINDS = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


def named(path: str) -> tuple[Any, str, Any]:
    """(module, name, what it names) of `module:name`; the module is imported."""
    module, _, name = path.partition(":")
    owner = importlib.import_module(module)
    if not hasattr(owner, name):
        raise SystemExit(f"network: module {module} has no {name!r}; correct network in the file")
    return owner, name, getattr(owner, name)


def size(path: str, given: Mapping[str, Any]) -> None:
    """Arguments of a function or class that the code fixes: with other values, whoever calls it."""
    owner, name, made = named(path)
    is_class = isinstance(made, type)
    original = made.__init__ if is_class else made
    signature = inspect.signature(original)
    unknown = [key for key in given if key not in signature.parameters]
    if unknown:
        raise SystemExit(f"network.sized.{unknown[0]}: {path} has no such argument")

    def sized(*arguments: Any, **keywords: Any) -> Any:
        bound = signature.bind(*arguments, **keywords)
        bound.arguments.update(given)
        return original(*bound.args, **bound.kwargs)

    if is_class:
        made.__init__ = sized
    else:
        setattr(owner, name, sized)


def hand_out(path: str, weights: Mapping[str, np.ndarray], how: Mapping[str, Any]) -> HandedOut:
    """What `path` builds begins with `weights`, renamed and without what is dropped."""
    handed = HandedOut(weights, how)
    owner, name, build = named(path)

    def built(*arguments: Any, **keywords: Any) -> Any:
        network = build(*arguments, **keywords)
        handed.load(network)
        return network

    setattr(owner, name, built)
    return handed


class HandedOut:
    """Weights handed out, by the names of the network that takes them."""

    def __init__(self, weights: Mapping[str, np.ndarray], how: Mapping[str, Any]) -> None:
        renames = how.get("rename") or {}
        self._drop = how.get("drop") or ()
        self._theirs = {_renamed(name, renames): (name, w) for name, w in weights.items()}
        self.sha256 = weights_sha256(weights)  # by the names under which they were handed out
        self.taken: dict[str, np.ndarray] = {}
        self.dropped: dict[str, float] = {}  # and how large the largest value of each is

    def load(self, network: Any) -> None:
        """Load them; what has no counterpart in the network, and may be dropped, is left out."""
        import torch

        mine = network.state_dict()
        self.taken, self.dropped = {}, {}
        for name, (original, array) in self._theirs.items():
            may_go = any(fnmatch(name, p) or fnmatch(original, p) for p in self._drop)
            if name in mine or not may_go:
                self.taken[name] = array
            else:
                self.dropped[name] = float(np.abs(array).max()) if array.size else 0.0
        try:
            network.load_state_dict({n: torch.from_numpy(a) for n, a in self.taken.items()})
        except RuntimeError as error:
            said = " ".join(str(error).split())
            raise SystemExit(f"network.initial: {said}; correct rename or drop") from error

    def is_in(self, state: Mapping[str, np.ndarray]) -> bool:
        """Whether a network's state is what was loaded."""
        return bool(self.taken) and all(
            name in state and np.array_equal(state[name], array)
            for name, array in self.taken.items()
        )


def _renamed(name: str, renames: Mapping[str, str]) -> str:
    for old, new in renames.items():
        if name.startswith(old):
            return new + name[len(old) :]
    return name


def read_weights(path: str) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file, without the library, which may be missing here."""
    content = Path(path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length].decode("utf-8"))
    body = content[8 + length :]
    weights = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            array = np.frombuffer(body[begin:end], dtype=KINDS[about["dtype"]])
            weights[name] = array.reshape(about["shape"]).copy()
    return weights
