"""Saving and loading a run's state: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from own_impl.fixmatch import FixMatch

SCHEMA = 1


class CheckpointError(Exception):
    """A checkpoint that cannot be continued; the message names the file and the remedy."""


def save(path: Path, model: FixMatch, seconds: float) -> None:
    """Write weights, moving average, momentum and iteration; batches and views need no state."""
    state = {
        "schema": SCHEMA,
        "iteration": model.iteration,
        "seconds": seconds,
        "network": model.network.state_dict(),
        "ema": model.ema.average,
        "optimizer": model.optimizer.state_dict(),
    }
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path, model: FixMatch) -> float:
    """Put the state at `path` into `model`; returns the seconds trained so far."""
    device = next(model.network.parameters()).device
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no checkpoint to go on from; leave --resume out") from error
    except Exception as error:  # whatever a damaged file raises
        raise CheckpointError(
            f"{path}: damaged ({type(error).__name__}); move it away and start again"
        ) from error
    if state.get("schema") != SCHEMA:
        raise CheckpointError(f"{path}: schema {state.get('schema')}, this code writes {SCHEMA}")
    model.network.load_state_dict(state["network"])
    for name, average in model.ema.average.items():
        average.copy_(state["ema"][name])
    model.optimizer.load_state_dict(state["optimizer"])
    model.iteration = int(state["iteration"])
    return float(state["seconds"])


def export_final(path: Path, model: FixMatch) -> None:
    """Write what is evaluated (moving average and batch-norm statistics) as safetensors."""
    weights = model.network.state_dict()
    if model.config.use_ema:
        weights |= model.ema.average
    save_file({name: t.contiguous() for name, t in weights.items()}, path)
