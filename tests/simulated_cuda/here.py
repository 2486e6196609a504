"""The simulated device in the process of a test, for as long as a `with` lasts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch

from tests.simulated_cuda import install, memory, mode, runtime


@contextmanager
def devices(count: int = 1) -> Iterator[torch.device]:
    """So many of them, the first of which is used; all that was noted is forgotten afterwards."""
    fresh = memory.Memory()
    environment = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    named = environment | {"SIMULATED_GPUS": str(count)}
    conv = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    matmul, before = torch.backends.cuda.matmul, (conv.fp32_precision,)
    products = matmul.fp32_precision
    with mock.patch.dict(os.environ, named, clear=True):
        patches = [mock.patch.object(where, "STATE", fresh) for where in (memory, mode, runtime)]
        for patch in patches:
            patch.start()
        try:
            with install():
                yield torch.device("cuda")
        finally:
            for patch in patches:
                patch.stop()
            conv.fp32_precision, matmul.fp32_precision = before[0], products
            torch.backends.cudnn.benchmark = False
