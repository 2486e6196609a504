"""The training loop of an algorithm, in TorchSSL's process: the class whose `train` it is."""

from __future__ import annotations

import importlib
from typing import Any


def find(name: str) -> Any:
    """The class of `models.fixmatch.fixmatch:FixMatch`, from TorchSSL's folder on sys.path."""
    module, _, cls = name.partition(":")
    return getattr(importlib.import_module(module), cls)


def save_early(loop: Any) -> None:
    """Have its `save_model` save at any iteration; by itself it returns before a million of them.

    While it runs, `self.it` is a number that is less than no other; the saving is TorchSSL's own.
    """
    save = loop.save_model

    def save_model(self: Any, *names: Any) -> None:
        iteration = self.it
        self.it = _NeverLess(iteration)
        try:
            save(self, *names)
        finally:
            self.it = iteration

    loop.save_model = save_model


class _NeverLess(int):
    def __lt__(self, other: object) -> bool:
        return False
