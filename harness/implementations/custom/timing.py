"""How fast yours is: its script for some iterations, and what the clock in its process noted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.implementations.custom import evidence
from harness.implementations.custom.child.clock import TIMED
from harness.implementations.custom.spec import Spec
from harness.implementations.interface import Request, Timing


def why_not(spec: Spec) -> str:
    """Why it cannot be timed; '' where it can."""
    if spec.run.command:
        return "run.command has no witness that could time its updates; name a script or module"
    return ""


def short(request: Request, asked: Timing) -> Request:
    """The same run with as many updates as are timed, and one evaluation, behind the last."""
    iterations = asked.discard + asked.timed + 1
    changes = {"iterations": iterations, "eval_every": iterations}
    return replace(request, profile=request.profile.model_copy(update=changes))


def measured(folder: Path, asked: Timing) -> dict[str, Any]:
    """The mean of the counted iterations, and of its evaluation what it took, or None.

    Raises HarnessError where it made fewer updates than it was asked for.
    """
    content = evidence.read_json(folder / TIMED)
    times, wanted = content.pop("times", []), asked.discard + asked.timed + 1
    if not times:
        raise HarnessError("no update of an optimiser was seen in its process")
    if len(times) < wanted:
        made = f"it made {len(times)} updates, asked for were {wanted}"
        raise HarnessError(f"{made}; see run.arguments")
    steps = np.diff(times)  # entry k: from update k to update k + 1
    return content | {
        "seconds_per_iteration": float(np.mean(steps[asked.discard :])),
        "seconds_per_evaluation": content.pop("evaluation"),
        "timed_by": "witness",
    }
