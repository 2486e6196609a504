"""`{lr}` in your file: what may stand there, and what is put in its place."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.experiment import profile as profiles
from harness.implementations.interface import DATA, INITIAL_WEIGHTS, LABELLED, Request

FURTHER: Mapping[str, Any] = {
    "labels": 40, "seed": 0, "out": "/run", "source": "/source", "device": "cpu", "gpu": 0,
    "num_classes": 10, "evaluations": 25, "labelled_indices": LABELLED,
    "initial_weights": INITIAL_WEIGHTS, "data": DATA,
}  # fmt: skip

# Settings of a profile that one may have otherwise and fixed.
PROFILED = (
    "threshold", "lambda_u", "lr", "momentum", "weight_decay", "ema_decay", "depth", "widen_factor",
)  # fmt: skip


def examples() -> dict[str, Any]:
    """All that there are, each with a value that it may have."""
    profile = profiles.load("quick")
    return {**profile.hyper_parameters(), **FURTHER}


def values(request: Request, source: Path, out: Path, data: str) -> dict[str, Any]:
    """Of one run, which works in `out` and finds its data at `data` there.

    `eval_every` is the largest divisor of the iterations at or below the profile's, so that whole
    epochs of that length make them up.
    """
    settings = request.profile.hyper_parameters()
    iterations, most = settings["iterations"], settings["eval_every"]
    every = max(n for n in range(1, most + 1) if iterations % n == 0)
    return {
        **settings,
        "labels": request.labels,
        "seed": request.seed,
        "out": str(out.resolve()),
        "source": str(source),
        "device": request.device,
        "gpu": 0,
        "num_classes": request.dataset.num_classes,
        "eval_every": every,
        "evaluations": iterations // every,
        "labelled_indices": LABELLED,
        "initial_weights": INITIAL_WEIGHTS,
        "data": data,
    }


def render(value: Any, names: Mapping[str, Any], key: str) -> Any:
    """`value` with all placeholders filled in, however deep; one that stands alone keeps its type.

    `key` is where in the file it stands. Raises BadInput for an unknown one.
    """
    if isinstance(value, str):
        return _fill(value, names, key)
    if isinstance(value, Mapping):
        return {name: render(inner, names, f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [render(inner, names, key) for inner in value]
    return value


def mentions(value: Any, name: str) -> bool:
    """Whether the placeholder stands anywhere in `value`."""
    if isinstance(value, Mapping):
        return any(mentions(inner, name) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(mentions(inner, name) for inner in value)
    return isinstance(value, str) and f"{{{name}}}" in value


def _fill(text: str, names: Mapping[str, Any], key: str) -> Any:
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise BadInput(f"{key}: {error}; write {{{{ and }}}} for braces that are none") from error
    for name in fields:
        if name not in names:
            known = ", ".join(sorted(names))
            raise BadInput(f"{key}: unknown placeholder {{{name}}}; use {known}")
    if len(fields) == 1 and text == f"{{{fields[0]}}}":
        return names[fields[0]]
    try:
        return text.format(**names)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise BadInput(f"{key}: {text}: {error}; correct the placeholder") from error
