from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from own_impl import checkpoint
from own_impl.algorithms.fixmatch import Batch
from own_impl.checkpoint import CheckpointError
from own_impl.config import Config
from own_impl.network.initial_weights import draw
from own_impl.step import Model
from tests.own_impl.conftest import new_model, step

Tiny = Callable[..., Config]


@pytest.fixture
def saved(tiny: Tiny, batch: Batch, tmp_path: Path) -> tuple[Model, Path]:
    model = new_model(tiny())
    step(model, batch)
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, model, 12.5)
    return model, path


def test_a_loaded_model_goes_on_as_the_saved_one(
    saved: tuple[Model, Path], tiny: Tiny, batch: Batch
) -> None:
    model, path = saved
    other = new_model(tiny(), seed=1)
    assert checkpoint.load(path, other) == 12.5
    assert other.iteration == 1
    for _ in range(2):
        assert torch.equal(step(model, batch).total, step(other, batch).total)
    for name, value in model.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    for name, value in model.ema.average.items():
        assert torch.equal(value, other.ema.average[name]), name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (torch.contiguous_format, torch.channels_last),
        (torch.channels_last, torch.contiguous_format),
    ],
)
def test_a_checkpoint_goes_on_where_weights_lie_in_another_order(
    tiny: Tiny,
    batch: Batch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: torch.memory_format,
    after: torch.memory_format,
) -> None:
    """As from a CPU to a GPU and back. In float64: see own_impl/network/memory_format.py."""

    def model_in(order: torch.memory_format) -> Model:
        monkeypatch.setattr("own_impl.step.memory_format", lambda _: order)
        return Model(draw(10, 1, 10, seed=0).double(), tiny(iterations=50))

    exact = Batch(*(x.double() if x.is_floating_point() else x for x in vars(batch).values()))
    uninterrupted, resumed = model_in(before), model_in(after)
    for _ in range(3):
        step(uninterrupted, exact)
    checkpoint.save(tmp_path / "checkpoint.pt", uninterrupted, 0.0)
    checkpoint.load(tmp_path / "checkpoint.pt", resumed)

    weight = resumed.network.get_parameter("block1.layer.0.conv1.weight")
    assert weight.is_contiguous(memory_format=after)
    assert not weight.is_contiguous(memory_format=before)
    assert resumed.ema.average["block1.layer.0.conv1.weight"].stride() == weight.stride()
    assert resumed.optimizer.state[weight]["momentum_buffer"].stride() == weight.stride()
    for _ in range(3):
        step(uninterrupted, exact)
        step(resumed, exact)
    for name, value in uninterrupted.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], value, rtol=1e-9, atol=1e-11)
    for name, value in uninterrupted.ema.average.items():
        torch.testing.assert_close(resumed.ema.average[name], value, rtol=1e-9, atol=1e-11)


def test_only_whole_files_are_left(saved: tuple[Model, Path]) -> None:
    model, path = saved
    checkpoint.save(path, model, 13.0)
    checkpoint.export_final(path.with_name("final.safetensors"), model.network)
    assert sorted(p.name for p in path.parent.iterdir()) == ["checkpoint.pt", "final.safetensors"]


def test_a_save_that_fails_leaves_the_last_checkpoint(
    saved: tuple[Model, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = saved
    before = path.read_bytes()

    def disk_full(_: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("no space left")

    monkeypatch.setattr(checkpoint.torch, "save", disk_full)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(path, model, 20.0)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_checkpoint_is_refused(saved: tuple[Model, Path], damage: str) -> None:
    model, path = saved
    whole = path.read_bytes()
    content = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"hello\n"}[damage]
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: damaged .*; move it away") as error:
        checkpoint.load(path, model)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [{"schema": 2}, {}, [1, 2]], ids=str)
def test_another_schema_is_refused(saved: tuple[Model, Path], content: object) -> None:
    model, path = saved
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"schema (2|None), this code reads 1; start again"):
        checkpoint.load(path, model)


@pytest.mark.parametrize(
    "other", [{"depth": 16}, {"widen_factor": 2}, {"seed": 7}, {"lr": 0.5}], ids=str
)
def test_a_checkpoint_of_other_settings_is_refused(
    saved: tuple[Model, Path], tiny: Tiny, other: dict[str, int]
) -> None:
    (name, asked) = next(iter(other.items()))
    with pytest.raises(CheckpointError, match=rf"made with {name} = .*, asked for is {asked};"):
        checkpoint.load(saved[1], new_model(tiny(**other)))


def test_a_checkpoint_from_before_a_setting_was_there_had_its_default(
    saved: tuple[Model, Path], tiny: Tiny
) -> None:
    _, path = saved
    state = torch.load(path, weights_only=True)
    del state["settings"]["compile"]
    torch.save(state, path)
    assert checkpoint.load(path, new_model(tiny())) == 12.5
    with pytest.raises(CheckpointError, match="made with compile = False, asked for is True"):
        checkpoint.load(path, new_model(tiny(compile=True)))


def test_a_checkpoint_from_before_there_were_algorithms_is_fixmatchs(
    saved: tuple[Model, Path], tiny: Tiny
) -> None:
    _, path = saved
    state = torch.load(path, weights_only=True)
    del state["settings"]["algorithm"], state["guesses"]
    torch.save(state, path)
    assert checkpoint.load(path, new_model(tiny())) == 12.5
    with pytest.raises(CheckpointError, match="made with algorithm = fixmatch, asked for is mix"):
        checkpoint.load(path, new_model(tiny(algorithm="mixmatch", lambda_u=1)))


def test_an_incomplete_checkpoint_is_refused(
    saved: tuple[Model, Path], tiny: Tiny, tmp_path: Path
) -> None:
    state = torch.load(saved[1], weights_only=True)
    del state["network"]["fc.weight"]
    torch.save(state, tmp_path / "incomplete.pt")
    with pytest.raises(CheckpointError, match=r"incomplete \(RuntimeError\)"):
        checkpoint.load(tmp_path / "incomplete.pt", new_model(tiny()))


def test_no_checkpoint_names_the_remedy(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.pt: no checkpoint .*leave --resume out"):
        checkpoint.load(tmp_path / "gone.pt", new_model(tiny()))


def test_a_checkpoint_cannot_run_code(saved: tuple[Model, Path], tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    model, path = saved
    torch.save({"schema": 1, "network": Evil()}, path)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path, model)
    assert not (tmp_path / "ran").exists()
