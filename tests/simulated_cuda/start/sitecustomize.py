"""Gives a process the simulated device as soon as it imports torch, if SIMULATED_GPUS is set.

Python runs this where the folder is on PYTHONPATH. The process's own children are started through
SIMULATED_PYTHON, so that it is on theirs too, whatever PYTHONPATH they are given.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


class _AfterTorch:
    """Finds torch as ever, and installs the device when it has been loaded."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != "torch":
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = importlib.util.find_spec("torch")
        assert spec is not None and spec.loader is not None
        load = spec.loader.exec_module

        def load_and_install(module: Any) -> None:
            load(module)
            root = str(Path(__file__).resolve().parents[3])
            sys.path.append(root)
            from tests.simulated_cuda import install

            atexit.register(_tell, install())

        spec.loader.exec_module = load_and_install  # type: ignore[method-assign]
        return spec


def _tell(_installed: Any) -> None:
    """What this process did with the device, for tests to read."""
    folder = os.environ.get("SIMULATED_CUDA_LOG")
    if folder is None:
        return
    from tests.simulated_cuda import memory, runtime

    state = memory.STATE
    seen = {
        "argv": sys.orig_argv,
        "used": state.initialized,
        "gpus": [runtime.visible()[state.current]] if state.initialized else [],
        "waits": state.waits,
    }
    Path(folder, f"{os.getpid()}.json").write_text(json.dumps(seen), encoding="utf-8")


if "SIMULATED_GPUS" in os.environ:
    sys.executable = os.environ.get("SIMULATED_PYTHON", sys.executable)
    sys.meta_path.insert(0, _AfterTorch())  # type: ignore[arg-type]
