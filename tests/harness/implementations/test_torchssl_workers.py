"""How many processes TorchSSL's loaders have: as it is shipped on a CPU, by the cores on CUDA."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.errors import BadInput
from harness.experiment import gpu, profile
from harness.experiment.data import read_dataset
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.implementations.torchssl.implementation import num_workers

TORCHSSL = registry.create("torchssl")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("TORCHSSL_WORKERS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(32)))
    monkeypatch.setattr(gpu, "count", lambda: 2)
    return monkeypatch


def test_by_the_cores_of_each_gpu(machine: pytest.MonkeyPatch) -> None:
    assert (num_workers("cuda"), num_workers("cpu")) == (3, 1)
    machine.setattr(os, "sched_getaffinity", lambda _: {0})
    assert num_workers("cuda") == 1


def test_as_named(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("TORCHSSL_WORKERS", "5")
    assert num_workers("cuda") == num_workers("cpu") == 5
    machine.setenv("TORCHSSL_WORKERS", "many")
    with pytest.raises(BadInput, match="TORCHSSL_WORKERS many: give a whole number from 1"):
        num_workers("cpu")


def test_what_it_was_given_is_recorded(
    machine: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path
) -> None:
    request = Request(profile.load("quick"), read_dataset(data_dir), 40, 0, "cuda")
    given = yaml.safe_load(TORCHSSL.train_command(request, tmp_path).files["config.yaml"])
    assert given["num_workers"] == 3
    sums = dict.fromkeys(("data_sha256", "initial_weights_sha256", "torch_version"), "0")
    facts = {"device": "Some GPU", "shims": [], "arguments": given, **sums}
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    (tmp_path / "torchssl").mkdir()
    np.save(tmp_path / "torchssl/sampled_label_idx.npy", np.arange(4))
    found = TORCHSSL.facts(tmp_path)
    assert found is not None and found.loader_workers == 12


def test_more_of_them_hold_more_shared_memory(machine: pytest.MonkeyPatch, data_dir: Path) -> None:
    """102 MB at CIFAR-10's size, as it is shipped: measured; a container has 64 MiB."""
    cifar10 = profile.load("cifar10")
    dataset = read_dataset(data_dir)
    on_cpu = TORCHSSL.shared_memory(Request(cifar10, dataset, 40, 0, "cpu"))
    on_gpu = TORCHSSL.shared_memory(Request(cifar10, dataset, 40, 0, "cuda"))
    assert 80e6 < on_cpu < 150e6 and on_gpu == 3 * on_cpu
