"""PRECISION and COMPILE of a comparison: what its runs are asked beside the profile's settings."""

from __future__ import annotations

from typing import Any

from harness.errors import BadInput

PRECISIONS = ("fp32", "tf32", "bf16")


def asked(precision: str, compiled: bool, device: str) -> dict[str, Any]:
    """As `Request.options`; empty where nothing is asked. Raises BadInput.

    A side that knows no other precision, or does not compile, has its own and declares it.
    """
    if precision and precision not in PRECISIONS:
        raise BadInput(f"PRECISION {precision}: unknown; use {', '.join(PRECISIONS)}")
    if precision == "tf32" and device == "cpu":
        raise BadInput("PRECISION tf32: only CUDA has it; use fp32 or bf16")
    options: dict[str, Any] = {"precision": precision} if precision else {}
    return options | ({"compile": True} if compiled else {})
