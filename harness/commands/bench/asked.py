"""What is to be timed: of ours each variant, of the others as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.commands.bench import inputs
from harness.errors import BadInput
from harness.experiment import algorithms
from harness.implementations import registry
from harness.implementations.interface import Implementation, Timing

VARIANTS = ("fp32", "tf32", "bf16")
COMPILE = "compile"
FORMATS = ("contiguous", "channels_last")
AS_IT_IS = "as it is"  # of a described one, until its blocks tell its precision
DEFAULT_VARIANTS = {
    "cpu": ("fp32",),
    "cuda": ("fp32", "tf32", "tf32+compile", "bf16", "bf16+compile"),
}


@dataclass(frozen=True)
class BenchQuestion:
    """What is to be timed."""

    profile: str
    device: str
    variants: Sequence[str]  # of ours: a precision, with '+compile' or without; none: the default
    blocks: int
    iterations: int
    discard: int
    results: Path
    data_dir: Path | None = None
    implementations: Sequence[str] = ("own", "torchssl")  # contenders, by name
    algorithm: str = algorithms.DEFAULT  # of each of them

    @property
    def file(self) -> str:
        """Of what is written, without its suffix: `bench`, `bench-mixmatch`."""
        is_default = self.algorithm == algorithms.DEFAULT
        return "bench" if is_default else f"bench-{self.algorithm}"


@dataclass(frozen=True)
class Timed:
    """Something that is timed in turn with others: of whom, and what is asked of it."""

    side: Implementation
    variant: str
    timing: Timing

    def __str__(self) -> str:
        return f"{self.side.name} {self.variant}"


def to_be_timed(question: BenchQuestion, device: str) -> tuple[list[Timed], dict[str, str]]:
    """All that is timed, and who cannot be, with why. Raises BadInput for an unknown variant."""
    under = partial(registry.under, algorithm=question.algorithm)
    ours = under("own")
    sides = [registry.create(under(name)) for name in question.implementations]
    able, lacking = inputs.able(sides)
    timed = []
    for side in able:
        if side.name == ours:
            timed += _ours(question, device)
        elif side.loader_workers(device):
            timed += _reference(question, side, device)
        else:
            variant = AS_IT_IS if side.copies_data else "fp32"
            timed.append(Timed(side, variant, Timing(question.discard, question.iterations)))
    return timed, lacking


def _ours(question: BenchQuestion, device: str) -> list[Timed]:
    """Ours in each variant that is asked for. Raises BadInput for an unknown one."""
    variants = question.variants or DEFAULT_VARIANTS[device]
    own = registry.create(registry.under("own", question.algorithm))
    return [Timed(own, variant, _timing(question, variant)) for variant in variants]


def _timing(question: BenchQuestion, variant: str) -> Timing:
    """`tf32+compile+contiguous`: a precision, and what else is asked. Raises BadInput."""
    precision, *more = variant.split("+")
    orders = [part for part in more if part in FORMATS]
    if precision not in VARIANTS or len(orders) > 1 or {*more} - {COMPILE, *FORMATS}:
        raise BadInput(
            f"VARIANTS {variant}: unknown; use {', '.join(VARIANTS)}, each also with +{COMPILE}, "
            f"+{' or +'.join(FORMATS)}"
        )
    return Timing(
        question.discard,
        question.iterations,
        precision,
        COMPILE in more,
        orders[0] if orders else "auto",
    )


def _reference(question: BenchQuestion, reference: Implementation, device: str) -> list[Timed]:
    """In each number of loader processes that is worth timing, a comparison's first."""
    # It knows one precision only: torch's own, which on CUDA convolves in tf32.
    variant = "fp32, tf32 convolutions" if device == "cuda" else "fp32"
    timing = Timing(question.discard, question.iterations)
    chosen, *others = reference.loader_workers(device) or (None,)
    if not others:
        return [Timed(reference, variant, timing)]
    return [
        Timed(reference, f"{variant}, loaders x{n}", replace(timing, workers=n))
        for n in (chosen, *others)
    ]
