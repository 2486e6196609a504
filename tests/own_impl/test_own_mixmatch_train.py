"""MixMatch trained from start to end; what is the same for every algorithm: test_own_train.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from own_impl.checkpoint import CheckpointError
from own_impl.config import Config
from own_impl.train import train
from own_impl.views.batches import Batches

Tiny = Callable[..., Config]
Run = Callable[..., tuple[int, str]]
batch_of = Batches.__getitem__


def _lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def _tensors(state: Any, prefix: str = "") -> dict[str, torch.Tensor]:
    """Every tensor of a checkpoint by its path in it."""
    if isinstance(state, torch.Tensor):
        return {prefix: state}
    if not isinstance(state, dict | list):
        return {}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    return {n: t for key, value in items for n, t in _tensors(value, f"{prefix}/{key}").items()}


def test_the_log_has_the_keys_of_every_run_and_every_image_counts(tiny: Tiny) -> None:
    config = tiny(algorithm="mixmatch", iterations=4, eval_every=2)
    train(config)
    start, *evaluations, end = _lines(config.out)
    assert (start["kind"], end["kind"]) == ("start", "end")
    keys = {"top1", "top5", "eval_loss", "seconds", "lr", "loss", "loss_x", "loss_u", "mask"}
    keys |= {"guess_entropy", "guess_accuracy", "guess_confidence"}
    for evaluation in evaluations:
        assert keys <= set(evaluation)
        assert evaluation["mask"] == 1
        assert 0 < evaluation["guess_entropy"] < 2.31
        assert 0 <= evaluation["guess_accuracy"] <= 100
        assert 0.1 < evaluation["guess_confidence"] < 1


@pytest.mark.parametrize(
    ("mixup", "coefficient"), [("batch", "per batch"), ("paper", "per example")]
)
def test_a_run_records_the_settings_that_it_has(tiny: Tiny, mixup: str, coefficient: str) -> None:
    config = tiny(algorithm="mixmatch", iterations=1, mixup=mixup, alpha=0.75)
    train(config)
    start = _lines(config.out)[0]
    resolved, settings = start["resolved"], start["settings"]
    own = {"algorithm": "mixmatch", "temperature": 0.5, "alpha": 0.75, "ramp_up": 0.4}
    assert own.items() <= settings.items()
    assert (settings["lambda_u"], settings["mixup"]) == (100, mixup)
    own |= {"weak_views": 2, "mixup_coefficient": coefficient}
    assert own.items() <= resolved.items()
    assert {"threshold", "strong", "interleave", "hard_labels", "strong_operations"}.isdisjoint(
        settings.keys() | resolved.keys()
    )
    shared = {"lr", "momentum", "nesterov", "weight_decay", "clip", "dropout", "classes"}
    shared |= {"replacement", "labelled_pool", "unlabelled_pool"}
    assert set(resolved) == shared | own.keys()


def test_a_fixmatch_run_records_none_of_mixmatchs(tiny: Tiny) -> None:
    config = tiny(iterations=1)
    train(config)
    start = _lines(config.out)[0]
    recorded = start["settings"] | start["resolved"]
    assert {"temperature", "alpha", "ramp_up", "mixup", "weak_views"}.isdisjoint(recorded)
    fixmatch = {"algorithm": "fixmatch", "lambda_u": 1, "threshold": 0.1, "hard_labels": True}
    assert fixmatch.items() <= recorded.items()


@pytest.mark.parametrize("mixup", ["batch", "paper"])
def test_a_resumed_run_ends_as_one_that_was_not_stopped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixup: str
) -> None:
    """To the bit, with a checkpoint between two evaluations."""
    settings = {"algorithm": "mixmatch", "mixup": mixup, "eval_every": 4, "iterations": 8}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(out=whole, **settings)[0] == 0

    def stop(batches: Batches[Any], k: int) -> Any:
        if k == 7:
            raise KeyboardInterrupt
        return batch_of(batches, k)

    with monkeypatch.context() as patch:
        patch.setattr(Batches, "__getitem__", stop)
        assert run(out=stopped, **settings)[0] == 130
    assert run(out=stopped, resume=True, **settings)[0] == 0
    resumption = next(line for line in _lines(stopped) if line["kind"] == "resume")
    assert resumption["iteration"] == 6

    states = (torch.load(out / "checkpoint.pt", weights_only=True) for out in (whole, stopped))
    expected, resumed = (_tensors(state) for state in states)
    assert set(expected) == set(resumed)
    assert {"/guesses", "/ema/fc.weight", "/network/fc.weight"} <= set(expected)
    assert any("momentum_buffer" in name for name in expected)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in expected.items())
    of_time = {"seconds", "data_time", "batch_time"}
    curves = [
        [{k: v for k, v in e.items() if k not in of_time} for e in lines if "top1" in e]
        for lines in (_lines(whole), _lines(stopped))
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize(
    ("made_with", "asked"), [("fixmatch", "mixmatch"), ("mixmatch", "fixmatch")]
)
def test_a_run_of_one_algorithm_is_not_gone_on_with_by_the_other(
    tiny: Tiny, made_with: str, asked: str
) -> None:
    train(tiny(algorithm=made_with, iterations=1, lambda_u=1))
    message = f"made with algorithm = {made_with}, asked for is {asked};"
    with pytest.raises(CheckpointError, match=message):
        train(tiny(algorithm=asked, iterations=1, lambda_u=1, resume=True))


def test_a_short_training_learns(tmp_path: Path) -> None:
    """120 iterations on the digits: 38.2 where chance is 10."""
    config = Config(
        algorithm="mixmatch",
        dataset="mnist5k",
        num_labeled=4000,
        depth=10,
        widen_factor=1,
        batch_size=16,
        mu=1,
        iterations=120,
        eval_every=60,
        lambda_u=2,
        ema_decay=0.9,
        precise_bn=True,  # the running averages are too slow for so few iterations
        device="cpu",
        out=tmp_path / "out",
    )
    result = train(config)
    first, last = (line for line in _lines(config.out) if line["kind"] == "evaluation")
    assert result.top1 > 25
    assert last["guess_accuracy"] > first["guess_accuracy"] > 10
    assert last["guess_entropy"] < first["guess_entropy"]
