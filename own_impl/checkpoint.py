"""Saving and loading a run's state: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from own_impl.config import Config
from own_impl.step import Model

SCHEMA = 1


class CheckpointError(Exception):
    """A checkpoint that cannot be continued; the message names the file and the remedy."""


def save(path: Path, model: Model, seconds: float) -> None:
    """Write weights, moving average, momentum and iteration; batches and views need no state."""
    state = {
        "schema": SCHEMA,
        "settings": _settings(model),
        "iteration": model.iteration,
        "seconds": seconds,
        "network": model.network.state_dict(),
        "ema": model.ema.average,
        "optimizer": model.optimizer.state_dict(),
        "guesses": model.guesses.sums,
    }
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # half a checkpoint would keep a full disk full
        temporary.unlink(missing_ok=True)
        raise


def load(path: Path, model: Model) -> float:
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
    schema = state.get("schema") if isinstance(state, dict) else None
    if schema != SCHEMA:
        raise CheckpointError(
            f"{path}: schema {schema}, this code reads {SCHEMA}; start again in another --out"
        )
    # A setting that came after the checkpoint was made had what is its default now.
    defaults = Config.model_validate({"algorithm": model.config.algorithm}).model_dump(mode="json")
    made_with = defaults | {"algorithm": "fixmatch"} | state["settings"]
    for name, asked in _settings(model).items():
        saved = made_with.get(name)
        if saved != asked:
            raise CheckpointError(
                f"{path}: made with {name} = {saved}, asked for is {asked}; resume with the "
                "settings of its run"
            )
    try:
        model.network.load_state_dict(state["network"])
        for name, average in model.ema.average.items():
            average.copy_(state["ema"][name])
        model.optimizer.load_state_dict(state["optimizer"])
        _lay_out_as_weights(model.optimizer)
        if "guesses" in state:  # statistics that came after the first checkpoints
            model.guesses.sums.copy_(state["guesses"])
        model.iteration = int(state["iteration"])
        return float(state["seconds"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: incomplete ({type(error).__name__}); move it away and start again"
        ) from error


def _lay_out_as_weights(optimizer: torch.optim.SGD) -> None:
    """Put each momentum on its weight's device, in its weight's order of memory.

    `load_state_dict` leaves it in the order in which it was saved, and weights on a GPU lie in
    another one. The fused update takes both in the order in which they lie: it would pair elements
    that do not belong together.
    """
    for weight, state in optimizer.state.items():
        if (momentum := state.get("momentum_buffer")) is not None:
            state["momentum_buffer"] = torch.empty_like(weight).copy_(momentum)


# What may differ when a run goes on: where it writes and computes, when it is evaluated.
_FREE = {"out", "resume", "device", "epochs", "iterations", "iterations_per_epoch"}
_FREE |= {"eval_every", "eval_at", "eval_batch_size", "checkpoint_every", "deterministic"}


def _settings(model: Model) -> dict[str, Any]:
    """The settings that a resumed run must share with its checkpoint."""
    settings = model.config.model_dump(mode="json", exclude=_FREE)
    return settings | {"total_iterations": model.config.total_iterations}


def export_final(path: Path, network: nn.Module) -> None:
    """Write weights and batch-norm statistics of what was evaluated as safetensors."""
    weights = network.state_dict()
    temporary = path.with_name(path.name + ".tmp")
    save_file({name: t.contiguous() for name, t in weights.items()}, temporary)
    temporary.replace(path)
