"""What the shim `data-sums` has torchvision read in TorchSSL's process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.helpers import batches

READ = """
import json, sys
from torchvision.datasets import CIFAR10
from harness.implementations.torchssl.child.entry import _read_cifar10_without_sums
_read_cifar10_without_sums()
print(json.dumps(CIFAR10(sys.argv[1], train=False).targets))
"""


@pytest.mark.parametrize("kind", ["NumPy integers", "an array of uint8"])
def test_whole_numbers_of_any_type_are_plain_labels(data_dir: Path, kind: str) -> None:
    """torch's losses take no int32 ones, and json no NumPy ones."""
    batches.change(data_dir, "test_batch", batches.ACCEPTED[kind])
    done = subprocess.run(
        [sys.executable, "-c", READ, str(data_dir)],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == [n % 10 for n in range(50)]
