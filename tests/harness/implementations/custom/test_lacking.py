"""What an implementation's environment lacks is told before anything is trained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.experiment.data import open_dataset
from harness.experiment.profile import load
from harness.implementations import registry
from harness.implementations.custom import lacking
from harness.implementations.interface import Request
from harness.runs import train
from harness.runs.folder import RunsFolder
from harness.runs.manifest import Status, read_manifest
from harness.runs.progress import Plain
from tests.conftest import use_fake
from tests.helpers import foreign

PACKAGE = {
    "mine/__init__.py": "",
    "mine/deep/__init__.py": "from .tools import help\nfrom . import more",
    "mine/deep/tools.py": "import json\nimport nobody_has_this\n",
    "mine/deep/more.py": "from ..top import this",
    "mine/top.py": "import nor_this.inner as inner\n",
}
GUARDED = """
import os.path
try:
    import nobody_has_this
except ImportError:
    nobody_has_this = None
if os.environ.get("NEVER"):
    import nor_this
def later():
    import nor_that
"""


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch, tmp_path):
    use_fake(monkeypatch, tmp_path)


def _lacks(folder: Path, files: dict[str, str], **changes: object) -> str | None:
    """Why it is unavailable, with `files` in its repository."""
    path = foreign.write(folder, foreign.described(**changes))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return registry.create(registry.enter(str(path))).unavailable()


def test_what_its_script_and_the_modules_beside_it_import(tmp_path):
    files = {"train.py": "import network\nimport mine.deep\n", **PACKAGE}
    assert _lacks(tmp_path / "a", files) == (
        "the python that compares has no nobody_has_this (mine/deep/tools.py, line 2), nor_this "
        "(mine/top.py, line 1); install it there, or name in run.stubs what is not needed"
    )
    assert not (tmp_path / "a" / "__pycache__").exists()


@pytest.mark.parametrize(
    ("files", "changes"),
    [
        ({}, {}),
        ({"train.py": GUARDED}, {}),
        ({"train.py": "import nobody_has_this.deep\n"}, {"run__stubs": ["nobody_has_this"]}),
        # It may be where only its own code knows.
        ({"train.py": "import sys\nsys.path.append('x')\nimport nobody_has_this\n"}, {}),
        ({"train.py": "import paths\nimport a\n", "paths.py": "from sys import path\n"}, {}),
        # What this starts is not known.
        ({"train.py": "import nobody_has_this\n"}, {"run": {"command": ["python", "train.py"]}}),
    ],
)
def test_nothing_is_said_of_what_may_be_there_or_is_not_needed(tmp_path, files, changes):
    assert _lacks(tmp_path, files, **changes) is None


def test_a_module_in_place_of_a_script(tmp_path):
    run = {"module": "mine.top", "arguments": ""}
    assert "nor_this (mine/top.py, line 1)" in str(_lacks(tmp_path, PACKAGE, run=run))


def test_a_torch_that_cannot_be_imported(tmp_path, monkeypatch):
    """It is found, and says itself why it does not work."""
    package = tmp_path / "broken"
    package.mkdir()
    (package / "torch.py").write_text("raise OSError('libcudart.so.11: cannot open it')\n")
    monkeypatch.setenv("PYTHONPATH", str(package))
    monkeypatch.setattr(lacking, "_broken", lacking._broken.__wrapped__)
    reason = _lacks(tmp_path / "its own", {})
    assert reason == (
        "the python that compares cannot import torch (OSError: libcudart.so.11: cannot open it); "
        "mend its environment"
    )


def test_its_run_is_unavailable_and_nothing_is_trained(tmp_path, data_dir):
    path = foreign.write(tmp_path / "mine", foreign.described())
    script = tmp_path / "mine" / "train.py"
    script.write_text(script.read_text().replace("import csv", "import nobody_has_this"))
    side = registry.create(registry.enter(str(path)))
    request = Request(load("quick", 4), open_dataset("mnist5k", data_dir), 40, 0, "cpu")
    planned = RunsFolder(tmp_path / "runs").planned(side, side.asked(request))
    train.train(planned, Plain(), train.Limits(0))
    manifest = read_manifest(planned.folder)
    assert manifest is not None and manifest.status is Status.UNAVAILABLE
    assert "has no nobody_has_this (train.py, line 10)" in manifest.reason


@pytest.mark.skipif("OLDEST_PYTHON" not in os.environ, reason="OLDEST_PYTHON names no interpreter")
def test_in_the_oldest_environment(tmp_path):
    named = {"python": os.environ["OLDEST_PYTHON"]}
    assert _lacks(tmp_path / "a", {}, **named) is None
    reason = _lacks(tmp_path / "b", {"train.py": "import nobody_has_this\n"}, name="b", **named)
    assert "has no nobody_has_this (train.py, line 1)" in str(reason)
