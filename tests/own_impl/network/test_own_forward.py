from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from own_impl.algorithms import mixmatch
from own_impl.algorithms.fixmatch import Batch
from own_impl.config import Config
from own_impl.network.compiled import CompileError
from own_impl.network.wideresnet import BatchNorm
from tests.own_impl.conftest import new_model, step

Tiny = Callable[..., Config]


@pytest.mark.timeout(600)
def test_the_compiled_network_takes_the_same_steps(tiny: Tiny, batch: Batch) -> None:
    plain, compiled = new_model(tiny(threshold=0.0)), new_model(tiny(threshold=0.0, compile=True))
    for _ in range(3):
        ours, expected = step(compiled, batch), step(plain, batch)
        torch.testing.assert_close(ours.total, expected.total, rtol=1e-4, atol=1e-5)
    # An activation that rounds to the other side of LeakyReLU's kink has ten times the gradient, so
    # single elements differ by more than rounding does (so do two eager memory formats).
    for name, value in plain.network.state_dict().items():
        ours_value = compiled.network.state_dict()[name]
        torch.testing.assert_close(ours_value, value, rtol=1e-2, atol=5e-4)
    for name, value in plain.ema.average.items():
        torch.testing.assert_close(compiled.ema.average[name], value, rtol=1e-2, atol=5e-4)


@pytest.mark.timeout(600)
def test_the_compiled_network_takes_mixmatchs_passes_too(
    tiny: Tiny, mixed_batch: mixmatch.Batch
) -> None:
    """Guessed without gradient, with averages that move, with frozen ones: three graphs."""
    settings = {"algorithm": "mixmatch", "batch_size": 4, "mu": 1, "iterations": 3}
    plain, compiled = new_model(tiny(**settings)), new_model(tiny(**settings, compile=True))
    for _ in range(2):
        ours, expected = step(compiled, mixed_batch), step(plain, mixed_batch)
        torch.testing.assert_close(ours.total, expected.total, rtol=1e-4, atol=1e-5)
    for name, buffer in plain.network.named_buffers():
        ours_buffer = compiled.network.get_buffer(name)
        torch.testing.assert_close(ours_buffer, buffer, rtol=1e-2, atol=5e-4, msg=name)


@pytest.mark.timeout(600)
def test_fixmatchs_losses_are_compiled_with_the_network(tiny: Tiny, batch: Batch) -> None:
    """One graph for all iterations: no break in it, and nothing that compiles it anew."""
    from torch._dynamo.utils import counters

    model = new_model(tiny(threshold=0.0, compile=True))
    torch._dynamo.reset()  # what other tests compiled
    counters.clear()
    for _ in range(4):
        step(model, batch)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        model.losses(batch)
    called = {event.name for event in profile.events()}
    assert not called & {"aten::softmax", "aten::_softmax", "aten::cat", "aten::log_softmax"}


def test_frozen_averages_change_no_logit_and_stay_as_they_are(tiny: Tiny, batch: Batch) -> None:
    for precision in ("fp32", "bf16"):
        model, other = new_model(tiny(precision=precision)), new_model(tiny(precision=precision))
        before = {name: b.clone() for name, b in model.network.named_buffers()}
        logits = model.forward(batch.weak, frozen_averages=True)
        assert torch.equal(logits, other.forward(batch.weak))
        for name, buffer in model.network.named_buffers():
            assert torch.equal(buffer, before[name]), name
            assert not torch.equal(other.network.get_buffer(name), before[name]), name
        model.forward(batch.weak)
        for name, buffer in model.network.named_buffers():
            assert torch.equal(buffer, other.network.get_buffer(name)), name


def test_averages_move_again_after_a_pass_that_failed(tiny: Tiny, batch: Batch) -> None:
    model = new_model(tiny())
    with pytest.raises(RuntimeError):
        model.forward(batch.weak[:, :2], frozen_averages=True)
    model.forward(batch.weak)
    assert model.network.get_buffer("bn1.num_batches_tracked").item() == 1


def test_what_the_compiler_says_is_one_line_with_the_remedy(
    tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def no_compiler(*_: Any) -> torch.Tensor:
        raise TorchDynamoException("No working C++ compiler found\nin a list of some")

    monkeypatch.setattr(torch, "compile", lambda network: no_compiler)
    with pytest.raises(CompileError) as caught:
        step(new_model(tiny(compile=True)), batch)
    assert "(No working C++ compiler found); put a C++ compiler" in str(caught.value)
    assert "use --no-compile" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_of_the_network_itself_are_not_the_compilers(
    tiny: Tiny, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong_shape(*_: Any) -> torch.Tensor:
        raise RuntimeError("expected 3 channels")

    monkeypatch.setattr(torch, "compile", lambda network: wrong_shape)
    with pytest.raises(RuntimeError, match="expected 3 channels"):
        step(new_model(tiny(compile=True)), batch)


def test_bf16_losses_are_close_to_fp32s(tiny: Tiny, batch: Batch) -> None:
    exact = step(new_model(tiny(threshold=0.0)), batch)
    model = new_model(tiny(threshold=0.0, precision="bf16"))
    rounded = step(model, batch)
    assert rounded.total.dtype == torch.float32
    assert torch.isfinite(rounded.total)
    torch.testing.assert_close(rounded.labelled, exact.labelled, rtol=0.05, atol=0.05)
    assert all(p.dtype == torch.float32 for p in model.network.parameters())
    assert all(torch.isfinite(p).all() for p in model.network.parameters())


def test_batches_are_counted_for_all_batch_norms_at_once(tiny: Tiny, batch: Batch) -> None:
    """On a GPU each count by itself is a kernel: 25 a step of WRN-28-2."""
    model = new_model(tiny())
    counters = [m.num_batches_tracked for m in model.network.modules() if isinstance(m, BatchNorm)]
    with _Counts() as counts:
        for _ in range(3):
            step(model, batch)
    assert len(counters) == 7 and {int(counter) for counter in counters} == {3}
    assert counts.of_numbers == 0 and counts.together == 3
    model.network.eval()
    model.forward(batch.weak)
    assert {int(counter) for counter in counters} == {3}


class _Counts(TorchDispatchMode):
    """How often a whole number, or several at once, were added to."""

    of_numbers = together = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> torch.Tensor:
        if func is torch.ops.aten.add_.Tensor and args[0].dtype == torch.int64:
            self.of_numbers += 1
        if func is torch.ops.aten._foreach_add_.Scalar:
            self.together += 1
        result: torch.Tensor = func(*args, **(kwargs or {}))
        return result
