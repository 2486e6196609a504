"""The simulated device is as strict as a real one, where it can be."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.simulated_cuda import here, memory

if torch.cuda.is_available():
    pytest.skip("there is a real one here", allow_module_level=True)


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    """Two devices, of which the first is used."""
    with here.devices(2) as first:
        yield first
    assert not torch.cuda.is_available()


def test_it_is_where_its_tensors_say(cuda: torch.device) -> None:
    there = torch.ones(3, device=cuda)
    assert str(there.device) == "cuda:0" and there.is_cuda and not there.is_cpu
    for derived in (
        there + 1,
        there[1:],
        torch.zeros_like(there),
        there.new_zeros(2),
        there.clone(),
    ):
        assert derived.is_cuda
    assert not there.cpu().is_cuda and torch.ones(3).to(there).is_cuda
    assert "device='cuda:0'" in repr(there)
    assert torch.cuda.device_count() == 2 and torch.ones(1, device="cuda:1").get_device() == 1
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.ones(1, device="cuda:2")


def test_tensors_of_two_places_do_not_mix(cuda: torch.device) -> None:
    there, local = torch.ones(3, device=cuda), torch.ones(3)
    for mixed in (
        lambda: there + local,
        lambda: torch.cat([local, there]),
        lambda: torch._foreach_add_([there], [local]),
        lambda: there.add_(local),
        lambda: torch.nn.functional.linear(there, torch.ones(2, 3)),
        lambda: there + torch.ones(3, device="cuda:1"),
        lambda: there.index_select(0, torch.tensor([0])),
    ):
        with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
            mixed()
    assert (there * torch.tensor(2.0)).is_cuda  # a number goes with any
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        there.numpy()


def test_what_makes_the_host_wait_is_counted(cuda: torch.device) -> None:
    there = torch.arange(6.0, device=cuda)
    for looks in (
        lambda: there.sum().item(),
        lambda: bool((there > 2).any()),
        lambda: there.tolist(),
        lambda: there[there > 2],
        lambda: there.nonzero(),
        lambda: torch.where(there > 2),
        lambda: there.cpu(),
        lambda: torch.ones(3).to(cuda),
        lambda: there.copy_(torch.zeros(6)),
        lambda: torch.equal(there, there),
    ):
        before = memory.STATE.waits
        looks()
        assert memory.STATE.waits == before + 1
    before = memory.STATE.waits
    pinned = torch.ones(3).pin_memory()
    assert pinned.is_pinned()
    pinned.to(cuda, non_blocking=True)
    torch.where(there > 2, there, there * 2).softmax(0).index_select(0, there.argmax()[None])
    assert memory.STATE.waits == before


def test_to_wait_may_be_an_error(cuda: torch.device) -> None:
    with pytest.warns(UserWarning, match="prototype"):
        torch.cuda.set_sync_debug_mode("error")
    with pytest.raises(RuntimeError, match="called a synchronizing CUDA operation"):
        torch.ones(1, device=cuda).item()


def test_a_network_trains_on_it_as_on_the_cpu(cuda: torch.device) -> None:
    torch.manual_seed(0)
    local = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    there = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    there.load_state_dict(local.state_dict())
    there.to(cuda)
    inputs = torch.randn(2, 3, 8, 8)
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    try:
        for network, x in ((local, inputs), (there, inputs.to(cuda))):
            optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
            for _ in range(2):
                optimizer.zero_grad()
                network(x).square().mean().backward()
                assert next(network.parameters()).grad.device == x.device
                optimizer.step()
            momenta = {state["momentum_buffer"].device for state in optimizer.state.values()}
            assert momenta == {x.device}
        exact = there[0](inputs.to(cuda))
        torch.backends.cudnn.conv.fp32_precision = "tf32"
        rounded = there[0](inputs.to(cuda))
    finally:
        torch.backends.cudnn.conv.fp32_precision = "tf32"
    for name, value in there.state_dict().items():
        assert torch.equal(value.cpu(), local.state_dict()[name]), name
    assert 1e-5 < (exact - rounded).abs().max().item() < 1e-2


def test_checkpoints_say_where_their_tensors_were(cuda: torch.device, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save({"a": torch.ones(2, device=cuda), "b": torch.ones(2)}, path)
    kept = torch.load(path)
    assert kept["a"].is_cuda and not kept["b"].is_cuda
    assert all(not tensor.is_cuda for tensor in torch.load(path, map_location="cpu").values())
    assert all(tensor.is_cuda for tensor in torch.load(path, map_location=cuda).values())
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
            torch.load(path)
    finally:
        del os.environ["CUDA_VISIBLE_DEVICES"]


def test_times_are_known_when_the_host_has_waited(cuda: torch.device) -> None:
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with pytest.raises(ValueError, match="must be recorded"):
        began.elapsed_time(ended)
    began.record()
    ended.record()
    with pytest.raises(RuntimeError, match="device not ready"):
        began.elapsed_time(ended)
    torch.cuda.synchronize()
    assert began.elapsed_time(ended) >= 0


def test_memory_is_counted(cuda: torch.device) -> None:
    held = torch.ones(1000, device=cuda)
    assert torch.cuda.max_memory_allocated() >= held.nbytes == torch.cuda.memory_allocated()
    del held
    assert torch.cuda.memory_allocated() == 0 < torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    assert torch.cuda.max_memory_allocated() == 0


def test_its_random_numbers_are_its_own(cuda: torch.device) -> None:
    torch.cuda.manual_seed_all(1)
    state, on_cpu = torch.cuda.get_rng_state(), torch.get_rng_state()
    drawn = torch.randn(4, device=cuda)
    torch.cuda.set_rng_state(state)
    assert torch.equal(torch.randn(4, device=cuda), drawn)
    assert torch.equal(torch.get_rng_state(), on_cpu)


def _use(queue: object) -> None:
    try:
        torch.ones(1, device="cuda")
    except RuntimeError as error:
        queue.put(str(error))  # type: ignore[attr-defined]


def test_a_fork_of_a_process_that_uses_it_cannot(cuda: torch.device) -> None:
    torch.ones(1, device=cuda)
    forks = multiprocessing.get_context("fork")
    queue = forks.SimpleQueue()
    child = forks.Process(target=_use, args=(queue,))
    child.start()
    child.join(60)
    assert queue.get().startswith("Cannot re-initialize CUDA in forked subprocess")
