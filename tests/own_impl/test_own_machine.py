from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from own_impl import machine
from own_impl.config import Config
from own_impl.data import DataError
from own_impl.network import memory_format

REPOSITORY = Path(__file__).parents[2]
Tiny = Callable[..., Config]


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    yield
    torch.use_deterministic_algorithms(False)


def test_deterministic_is_what_the_settings_say(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    assert machine.prepare(tiny(deterministic=True)) == torch.device("cpu")
    assert torch.are_deterministic_algorithms_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    machine.prepare(tiny())
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("precision", "expected"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")]
)
def test_convolutions_on_cuda_are_fp32_unless_tf32_is_asked_for(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, precision: str, expected: str
) -> None:
    backends = torch.backends
    matmul, conv = backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    try:
        config = tiny(device="auto", precision=precision)
        device = machine.prepare(config)
        assert device.type == "cuda"
        # Products in full, as torch has them: tf32 is the arithmetic of who sets nothing.
        assert backends.cuda.matmul.fp32_precision == "ieee"
        assert backends.cudnn.conv.fp32_precision == expected
        assert machine.arithmetic(config, device) == precision
        # inductor asks for it: after a TF32 product is allowed, this raises.
        assert torch.get_float32_matmul_precision() == "highest"
        channels_last = memory_format.memory_format(device) == torch.channels_last
        assert channels_last == (precision != "fp32")
        assert backends.cudnn.benchmark
        machine.prepare(tiny(device="cuda", precision=precision, memory_format="contiguous"))
        assert memory_format.memory_format(device) == torch.contiguous_format
        assert memory_format.memory_format(torch.device("cpu")) == torch.contiguous_format
        with machine.products_as_convolutions(config):
            assert backends.cuda.matmul.fp32_precision == (
                "tf32" if precision == "tf32" else "ieee"
            )
        assert backends.cuda.matmul.fp32_precision == "ieee"
    finally:
        memory_format.choose("channels_last", "fp32")
        backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision = matmul, conv
        backends.cudnn.benchmark = False


def test_tf32_on_a_cpu_is_refused(tiny: Tiny) -> None:
    with pytest.raises(
        DataError, match=r"--precision tf32: only CUDA has it; use --precision fp32"
    ):
        machine.prepare(tiny(precision="tf32"))


@pytest.mark.parametrize(
    ("precision", "device", "capabilities", "told"),
    [
        ("bf16", "cpu", {"avx512_bf16": False, "amx_bf16": False}, True),
        ("bf16", "cpu", {"avx512_bf16": True, "amx_bf16": False}, False),
        ("bf16", "cpu", {}, False),  # torch cannot tell
        ("bf16", "cuda", {"avx512_bf16": False, "amx_bf16": False}, False),
        ("fp32", "cpu", {"avx512_bf16": False, "amx_bf16": False}, False),
    ],
)
def test_emulated_bf16_is_told(
    tiny: Tiny,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    device: str,
    capabilities: dict[str, bool],
    told: bool,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    notice = machine.notice(tiny(precision=precision), torch.device(device))
    assert (notice is not None and "--precision fp32" in notice) == told


def test_memory_is_kept_from_step_to_step(tmp_path: Path) -> None:
    """A freed block that is asked for again costs no page faults.

    Once in a while something small lands in it, and the next block is a new one: hence the median.
    """
    code = """
import resource, statistics, torch
from own_impl import machine
from own_impl.config import Config
machine.prepare(Config(device="cpu"))
for _ in range(3):
    torch.ones(10_000_000)
faults = []
for _ in range(11):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(10_000_000)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(statistics.median(faults))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200  # 40 MB anew are 9,766 pages of 4 KiB


def test_the_number_of_threads_can_be_asked_for(tiny: Callable[..., Config]) -> None:
    before = torch.get_num_threads()
    try:
        machine.prepare(tiny(threads=before + 1))
        assert torch.get_num_threads() == before + 1
        machine.prepare(tiny())
        assert torch.get_num_threads() == before + 1  # as they are
    finally:
        torch.set_num_threads(before)
