"""What runs in the other's process: it stays importable in old interpreters."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import numpy as np
import pytest

from harness.implementations.custom import interpreter
from harness.implementations.custom.child import network
from harness.implementations.interface import REPOSITORY
from harness.implementations.source import imported_files

ENTRIES = ("entry", "imports", "judge")
FILES = sorted(
    imported_files(
        REPOSITORY, *(f"harness.implementations.custom.child.{name}" for name in ENTRIES)
    )
)
STANDARD = {"torch", "torchvision", "numpy", "harness"} | set(sys.stdlib_module_names)


def test_of_harness_it_imports_fingerprints_alone():
    names = {path.relative_to(REPOSITORY).as_posix() for path in FILES}
    others = {name for name in names if "custom/child/" not in name and "__init__" not in name}
    assert others == {"harness/experiment/fingerprints.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_is_written_for_the_oldest_interpreter(path):
    """Its grammar, and nothing but the standard library, NumPy and torch."""
    tree = ast.parse(path.read_text(), feature_version=interpreter.OLDEST)
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        assert {name.split(".")[0] for name in names} <= STANDARD
        assert not (isinstance(node, ast.Attribute) and node.attr == "removeprefix")


def test_weights_are_read_without_the_library(tmp_path):
    from safetensors.numpy import save_file

    weights = {
        "conv.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
        "bn.num_batches_tracked": np.array(7, dtype=np.int64),
    }
    save_file(weights, tmp_path / "w.safetensors")
    found = network.read_weights(str(tmp_path / "w.safetensors"))
    assert found.keys() == weights.keys()
    assert all(np.array_equal(found[name], weights[name]) for name in weights)


SHIMMED = """
import json, sys
from harness.implementations.custom.child import shims
for name in ("torch-six", "loader-next", "np-int", "cuda-on-cpu"):
    shims.SHIMS[name]()
shims.stub("nobody.has.it")
import numpy as np, torch
from nobody.has.it import Thing
from torch._six import string_classes
device = torch.device("cuda", 0)
model = torch.nn.DataParallel(torch.nn.Linear(2, 2)).to(device).cuda()
loader = torch.utils.data.DataLoader(torch.ones(4, 2), batch_size=2, pin_memory=True)
batch = iter(loader).next().to(device, non_blocking=True).to("cuda:0")
begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event()
begin.record(), end.record(), torch.cuda.synchronize()
print(json.dumps([
    str(model(batch).device), torch.cuda.is_available(), np.int is int, string_classes is str,
    begin.elapsed_time(end) >= 0, isinstance(Thing(), object), str(batch.to(torch.float64).dtype),
]))
"""


def test_shims_stand_in_for_what_is_gone():
    ended = subprocess.run(
        [sys.executable, "-c", SHIMMED], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == ["cpu", True, True, True, True, True, "torch.float64"]
