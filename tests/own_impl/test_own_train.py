from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from own_impl.algorithms.fixmatch import Batch
from own_impl.config import Config
from own_impl.data import DataError, load, weights_sha256
from own_impl.evaluate import Evaluator
from own_impl.finite import FiniteCheck
from own_impl.network.wideresnet import WideResNet
from own_impl.train import train
from own_impl.views.batches import Batches

REPOSITORY = Path(__file__).parents[2]
CPU = torch.device("cpu")
batch_of = Batches.__getitem__  # a test that breaks one takes the others from it
Tiny = Callable[..., Config]
Run = Callable[..., tuple[int, str]]


def _lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def _tensors(state: Any, prefix: str = "") -> dict[str, torch.Tensor]:
    """Every tensor of a checkpoint by its path in it."""
    if isinstance(state, torch.Tensor):
        return {prefix: state}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    found: dict[str, torch.Tensor] = {}
    for key, value in items:
        if isinstance(value, dict | list | torch.Tensor):
            found |= _tensors(value, f"{prefix}/{key}")
    return found


def _message(text: str) -> str:
    """The only line on stderr besides the settings."""
    lines = [line for line in text.splitlines() if not line.startswith("dataset=")]
    assert len(lines) == 1, text
    return lines[0]


def _stop_at(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def getitem(batches: Batches[Batch], k: int) -> Batch:
        if k == iteration:
            raise KeyboardInterrupt
        return batch_of(batches, k)

    monkeypatch.setattr(Batches, "__getitem__", getitem)


def test_a_run_leaves_its_files(tiny: Tiny) -> None:
    config = tiny()
    result = train(config)
    assert sorted(p.name for p in config.out.iterdir()) == [
        "checkpoint.pt",
        "final-ema.safetensors",
        "metrics.jsonl",
        "progress.json",
    ]
    start, *evaluations, end = _lines(config.out)
    assert start["kind"] == "start"
    assert start["settings"]["iterations"] == 6
    assert start["settings"]["lr"] == 0.03
    data = load(config)
    assert start["data_sha256"] == data.sha256()
    assert start["split_sha256"] == data.split_sha256()
    torch.manual_seed(config.seed)
    assert start["initial_weights_sha256"] == weights_sha256(WideResNet(10, 1).state_dict())
    assert start["parameters"] == 78_186
    assert start["device"] == "cpu"
    assert start["torch_version"] == torch.__version__

    assert [(e["kind"], e["iteration"]) for e in evaluations] == [
        ("evaluation", 3),
        ("evaluation", 6),
    ]
    keys = {"top1", "top5", "eval_loss", "seconds", "lr", "loss", "loss_x", "loss_u", "mask"}
    assert all(keys <= set(e) for e in evaluations)
    assert (evaluations[-1]["top1"], evaluations[-1]["top5"]) == (result.top1, result.top5)
    assert (end["kind"], end["iteration"]) == ("end", 6)
    assert json.loads((config.out / "progress.json").read_text())["iteration"] == 6
    assert all(line["schema"] == 1 for line in (start, *evaluations, end))


@pytest.mark.parametrize("precise_bn", [True, False])
@pytest.mark.parametrize("use_ema", [True, False])
def test_the_last_accuracy_is_that_of_the_exported_weights(
    tiny: Tiny, use_ema: bool, precise_bn: bool
) -> None:
    config = tiny(use_ema=use_ema, precise_bn=precise_bn, ema_decay=0.5, iterations=3)
    result = train(config)
    network = WideResNet(10, 1)
    network.load_state_dict(load_file(config.out / "final-ema.safetensors"))
    data = load(config)
    assert Evaluator(data.test_images, data.test_labels, CPU).evaluate(network, 512) == result
    state = torch.load(config.out / "checkpoint.pt", weights_only=True)
    expected = state["ema" if use_ema else "network"]["fc.weight"]
    assert torch.equal(network.fc.weight.detach(), expected)


def test_how_a_run_is_evaluated_does_not_change_its_training(tiny: Tiny, tmp_path: Path) -> None:
    settings = {"plain": {}, "other": {"use_ema": False, "precise_bn": True}}
    states = []
    for name, changed in settings.items():
        train(tiny(out=tmp_path / name, **changed))
        states.append(torch.load(tmp_path / name / "checkpoint.pt", weights_only=True))
    one, other = (state["network"] | state["ema"] for state in states)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_equal_settings_give_equal_weights(tiny: Tiny, tmp_path: Path) -> None:
    for out in ("a", "b"):
        train(tiny(out=tmp_path / out, iterations=2))
    one, other = (load_file(tmp_path / out / "final-ema.safetensors") for out in ("a", "b"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_resumed_run_ends_as_one_that_was_not_stopped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(out=whole)[0] == 0
    with monkeypatch.context() as patch:
        _stop_at(4, patch)
        code, error = run(out=stopped)
    assert code == 130
    assert f"--resume goes on from {stopped}" in error
    assert [line["kind"] for line in _lines(stopped)] == ["start", "evaluation"]
    assert run(out=stopped, resume=True)[0] == 0

    one, other = (torch.load(out / "checkpoint.pt", weights_only=True) for out in (whole, stopped))
    assert one["iteration"] == other["iteration"] == 6
    expected, resumed = _tensors(one), _tensors(other)
    assert set(expected) == set(resumed)
    assert any("momentum_buffer" in name for name in expected)
    assert any(name.startswith("/ema/") for name in expected)
    for name, tensor in expected.items():
        assert torch.equal(tensor, resumed[name]), name

    lines = _lines(stopped)
    assert [line["kind"] for line in lines] == [
        "start",
        "evaluation",
        "resume",
        "evaluation",
        "end",
    ]
    assert lines[2]["iteration"] == 3
    measured = ("iteration", "top1", "top5", "eval_loss", "lr", "loss", "loss_x", "loss_u", "mask")
    uninterrupted = [line for line in _lines(whole) if line["kind"] == "evaluation"]
    for before, after in zip(uninterrupted, (lines[1], lines[3]), strict=True):
        assert {key: before[key] for key in measured} == {key: after[key] for key in measured}
    seconds = [line["seconds"] for line in lines if "seconds" in line]
    assert seconds == sorted(seconds)


def test_a_run_stopped_before_its_first_checkpoint_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "early"
    with monkeypatch.context() as patch:
        _stop_at(1, patch)
        assert run(out=out)[0] == 130
    assert run(out=out, resume=True)[0] == 0
    assert torch.load(out / "checkpoint.pt", weights_only=True)["iteration"] == 6


def test_resuming_a_finished_run_evaluates_and_changes_no_weight(tiny: Tiny) -> None:
    config = tiny(iterations=2)
    result = train(config)
    before = (config.out / "final-ema.safetensors").read_bytes()
    assert train(config.model_copy(update={"resume": True})) == result
    assert (config.out / "final-ema.safetensors").read_bytes() == before


def test_resume_without_a_checkpoint_is_exit_2(run: Run, tmp_path: Path) -> None:
    code, error = run(resume=True)
    assert code == 2
    assert "checkpoint.pt: no checkpoint" in _message(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["truncated", "schema"])
def test_resume_from_a_bad_checkpoint_is_exit_2(run: Run, tmp_path: Path, damage: str) -> None:
    assert run(iterations=1)[0] == 0
    path = tmp_path / "out" / "checkpoint.pt"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        torch.save(torch.load(path, weights_only=True) | {"schema": 99}, path)
    metrics = (tmp_path / "out" / "metrics.jsonl").read_bytes()
    code, error = run(iterations=2, resume=True)
    assert code == 2
    assert str(path) in _message(error)
    assert (tmp_path / "out" / "metrics.jsonl").read_bytes() == metrics


def test_a_folder_that_holds_a_run_is_refused_and_left_as_it_was(run: Run, tmp_path: Path) -> None:
    assert run(iterations=1)[0] == 0
    out = tmp_path / "out"
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    code, error = run(iterations=2)
    assert code == 2
    assert f"--out {out}: holds a run; add --resume" in _message(error)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_an_out_that_cannot_be_a_folder_is_exit_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    code, error = run(out=tmp_path / "file")
    assert code == 2
    assert f"--out {tmp_path / 'file'}" in _message(error)
    assert (tmp_path / "file").read_text() == "mine"


def test_bad_data_is_exit_2(run: Run, tmp_path: Path) -> None:
    code, error = run(data_dir=tmp_path / "nowhere")
    assert code == 2
    assert "--data-dir" in _message(error)
    code, error = run(num_labeled=7)
    assert code == 2
    assert "--num-labeled 7" in _message(error)
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_not_finite_is_exit_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(batches: Batches[Batch], k: int) -> Batch:
        batch = batch_of(batches, k)
        return replace(batch, labelled=batch.labelled * np.nan)

    monkeypatch.setattr(Batches, "__getitem__", broken)
    code, error = run()
    assert code == 1
    assert "the loss is nan at iteration 0" in _message(error)


def test_a_loss_that_is_not_finite_spoils_no_checkpoint(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where nothing looks at the losses until a checkpoint is due, as on a GPU."""

    def broken(batches: Batches[Batch], k: int) -> Batch:
        batch = batch_of(batches, k)
        return replace(batch, labelled=batch.labelled * np.nan) if k == 4 else batch

    class AsOnGpu(FiniteCheck):
        def __init__(self, device: torch.device) -> None:
            super().__init__(device)
            self.each_step = False

    monkeypatch.setattr(Batches, "__getitem__", broken)
    monkeypatch.setattr("own_impl.step.FiniteCheck", AsOnGpu)
    monkeypatch.setattr("own_impl.metrics.Metrics.due", lambda _: False)
    code, error = run()
    assert code == 1
    assert "the loss is nan at iteration 4: labelled nan" in error
    state = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    assert state["iteration"] == 3
    assert all(torch.isfinite(tensor).all() for tensor in _tensors(state).values())


def test_batch_and_data_times_are_a_steps_share(tiny: Tiny) -> None:
    config = tiny()
    train(config)
    evaluations = [line for line in _lines(config.out) if line["kind"] == "evaluation"]
    for evaluation in evaluations:
        assert 0 < evaluation["data_time"] < evaluation["batch_time"]
    taken = sum(3 * evaluation["batch_time"] for evaluation in evaluations)
    assert taken <= _lines(config.out)[-1]["seconds"]


def test_a_deterministic_run_can_be_had(run: Run, tmp_path: Path) -> None:
    for out in ("a", "b"):
        assert run(out=tmp_path / out, iterations=2, deterministic=True)[0] == 0
    one, other = (load_file(tmp_path / out / "final-ema.safetensors") for out in ("a", "b"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_given_initial_weights_are_used(tiny: Tiny, tmp_path: Path) -> None:
    torch.manual_seed(42)
    weights = WideResNet(10, 1).state_dict()
    path = tmp_path / "initial.safetensors"
    save_file(weights, path)
    config = tiny(initial_weights=path, iterations=1)
    train(config)
    assert _lines(config.out)[0]["initial_weights_sha256"] == weights_sha256(weights)


@pytest.mark.parametrize("content", ["none", "damaged", "other network"])
def test_initial_weights_that_do_not_fit_are_exit_2(run: Run, tmp_path: Path, content: str) -> None:
    path = tmp_path / "initial.safetensors"
    if content == "damaged":
        path.write_bytes(b"nothing of the kind")
    elif content == "other network":
        save_file(WideResNet(16, 1).state_dict(), path)
    code, error = run(initial_weights=path)
    assert code == 2
    assert f"--initial-weights {path}" in _message(error)


def test_cuda_that_is_not_there_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DataError, match=r"--device cuda: .*use --device cpu"):
        train(tiny(device="cuda"))


def test_auto_is_the_cpu_without_cuda(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = tiny(device="auto", iterations=1)
    train(config)
    assert _lines(config.out)[0]["device"] == "cpu"


def test_the_command_line_trains_and_shows_its_progress(
    tiny: Tiny, data_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a run"
    options = (
        "--num-labeled 20 --depth 10 --widen-factor 1 --batch-size 2 --mu 2 --epochs 2 "
        "--iterations-per-epoch 2 --device cpu --strong paper --eval-at 1,3"
    )
    paths = ["--data-dir", str(data_dir), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "own_impl", *options.split(), *paths],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    training = [line for line in done.stderr.splitlines() if line.startswith("Train Epoch: ")]
    assert [line.split(". LR")[0] for line in training] == [
        "Train Epoch: 1/2. Iter: 1/2",
        "Train Epoch: 2/2. Iter: 1/2",
        "Train Epoch: 2/2. Iter: 2/2",
    ]
    for word in ("LR: ", "Data: ", "Batch: ", "Loss: ", "Loss_x: ", "Loss_u: ", "Mask: "):
        assert all(word in line for line in training)
    assert done.stderr.count("top1: ") == 3
    assert done.stderr.splitlines()[-1].startswith("top1 ")
    assert str(out) in done.stderr.splitlines()[-1]
    assert "batch_size=2" in done.stderr.splitlines()[0]
    assert [e["iteration"] for e in _lines(out) if e["kind"] == "evaluation"] == [1, 3, 4]
