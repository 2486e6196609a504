"""What torch compiles, and what is said where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class CompileError(Exception):
    """Something could not be compiled; the message says why, and the remedy."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which torch compiles when it is first called. That call raises CompileError."""
    made = torch.compile(function)

    def call(*arguments: Any) -> Any:
        try:
            return made(*arguments)
        except Exception as error:
            from torch._dynamo.exc import TorchDynamoException  # takes seconds to load

            if not isinstance(error, TorchDynamoException):
                raise
            reason = next(line for line in str(error).splitlines() if line.strip())
            raise CompileError(
                f"--compile: torch cannot compile the network here ({reason.strip()}); "
                "put a C++ compiler on the PATH or name it in CXX, or use --no-compile"
            ) from error

    return call
