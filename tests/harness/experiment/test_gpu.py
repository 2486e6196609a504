"""What is said where a GPU's driver is there and torch finds no device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.errors import BadInput
from harness.experiment import gpu, opening, profile
from harness.experiment.data import _answers_within

OLD = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
NEW = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel module's file, where there is one; torch finds no device."""
    path = tmp_path / "version"
    monkeypatch.setattr(gpu, "DRIVER", path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return path


@pytest.mark.parametrize(
    ("told", "built", "text"),
    [
        (OLD, "13.0", "driver 535.104.05 is there, but torch .* needs 580 or later; update it, or"),
        (OLD, "12.6", "driver 535.104.05 is there, but torch .* finds no device; is CUDA_VISIBLE"),
        (NEW, "13.0", "driver 580.65.06 is there, but torch .* finds no device; is CUDA_VISIBLE"),
        (NEW, None, "driver 580.65.06 is there, but torch .* is built without CUDA"),
        ("garbage", "13.0", "driver of a GPU is there, but torch .* finds no device"),
    ],
)
def test_driver_and_what_it_lacks_are_named(
    driver: Path, monkeypatch: pytest.MonkeyPatch, told: str, built: str | None, text: str
) -> None:
    driver.write_text(told)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(BadInput, match=text) as error:
        opening.device_here(profile.load("cifar10"))
    assert "\n" not in str(error.value) and "PROFILE=quick" in str(error.value)
    with pytest.raises(BadInput, match=text):
        opening.chosen_device("cuda")
    name, why = profile.resolve_auto("auto")  # no digits in silence
    assert name == "quick" and why.startswith("no CUDA here: the NVIDIA driver")


def test_without_a_driver_there_is_nothing_to_say(driver: Path) -> None:
    assert gpu.lacking() == ""
    assert profile.resolve_auto("auto") == ("quick", "no CUDA here")


def test_where_torch_finds_a_device_there_is_nothing_to_say(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.write_text(NEW)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert gpu.lacking() == ""


def test_the_name_is_asked_of_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that asks itself keeps a context, and its memory, for as long as the runs take."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: pytest.fail("asked here"))
    monkeypatch.setattr(gpu, "NAME", "print('a warning'); print('Some GPU')")
    gpu.name.cache_clear()
    assert gpu.name() == "Some GPU"
    gpu.name.cache_clear()
    monkeypatch.setattr(gpu, "NAME", "raise SystemExit(1)")
    assert gpu.name() == ""
    gpu.name.cache_clear()


def test_a_download_does_not_wait_for_ever() -> None:
    import socket

    before = socket.getdefaulttimeout()
    with _answers_within(7.0):
        assert socket.getdefaulttimeout() == 7.0
    assert socket.getdefaulttimeout() == before
