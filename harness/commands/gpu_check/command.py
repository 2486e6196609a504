"""What the user asked for, and the page that is written of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.commands.console.terminal import Terminal
from harness.commands.gpu_check import images
from harness.commands.gpu_check.bounds import LIMITS, SECONDS, Bounds
from harness.commands.gpu_check.parts import LABELS, GpuParts
from harness.errors import CheckFailed, Incomplete
from harness.experiment import gpu
from harness.experiment import profile as profiles
from harness.experiment.opening import open_experiment
from harness.implementations.source import commit_here
from harness.report.gpu_check import markdown
from harness.runs.files import write_text

FILE = "gpu-check.md"


@dataclass(frozen=True)
class GpuQuestion:
    """What is to be checked; `parts` are of LIMITS, `variants` of `bench`."""

    profile: str
    results: Path
    data_dir: Path | None = None
    parts: Sequence[str] = tuple(LIMITS)
    variants: Sequence[str] = ()
    seconds: float = SECONDS


def run(question: GpuQuestion, terminal: Terminal) -> None:
    """Do all parts and write the page. Raises Incomplete without a GPU, CheckFailed, BadInput."""
    if not gpu.is_there():
        lacks = gpu.lacking()
        raise Incomplete("gpu-check: torch finds no GPU here" + (f": {lacks}" if lacks else ""))
    name, why = profiles.resolve_auto(question.profile)
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as temporary:
        place = Path(temporary)
        data_dir, data = images.find(question.data_dir, profiles.load(name).data, place)
        experiment = open_experiment(name, data_dir=data_dir, labels=[LABELS], device="cuda")
        terminal.say(f"Profile {name} ({why}), {data}, on {gpu.name()}")
        bounds = Bounds(question.seconds, terminal)
        does = GpuParts(experiment, data_dir, place, question.variants).all
        asked = [name for name in does if name in question.parts]
        parts = [bounds.do(name, *does[name]) for name in asked]
    about = [
        f"{gpu.name()}; profile {name}, {data}; {datetime.now(UTC).isoformat(timespec='seconds')}, "
        f"commit {commit_here() or 'unknown'}.",
    ]
    path = question.results / name / FILE
    write_text(path, markdown(about, parts))
    terminal.say(f"  {path}")
    if bad := [part for part in parts if not part.holds]:
        raise CheckFailed("; ".join(f"{p.title}: {p.outcome.value}: {p.said}" for p in bad))
