"""The tests of a GPU, on a device that is simulated: what they ask is asked of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.simulated_cuda import processes


@pytest.mark.timeout(900)
def test_the_tests_of_a_gpu_hold_on_the_simulated_one(tmp_path: Path) -> None:
    """Among them: nothing in the steady-state loop waits for the device, at any precision."""
    command = [processes.python(tmp_path), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-m", "gpu", "tests/own_impl/test_own_gpu.py"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=processes.environment(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout and " passed" in done.stdout
