"""`make try`: a described implementation for a moment, and what its file lacks."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands import try_
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput, CheckFailed, HarnessError, Incomplete
from harness.implementations.custom import spec
from tests.conftest import use_fake
from tests.helpers import foreign


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch, tmp_path):
    use_fake(monkeypatch, tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def tried(file: Path, data_dir: Path) -> tuple[str, HarnessError | None]:
    """What is said, in one line each, and the error at the end."""
    out = io.StringIO()
    terminal = Terminal(Console(file=out, width=400, soft_wrap=True))
    terminal.console.width = 400
    question = try_.TryQuestion(str(file), iterations=4, data_dir=data_dir)
    try:
        try_.run(question, terminal)
    except HarnessError as error:
        return out.getvalue(), error
    return out.getvalue(), None


def test_all_that_a_verdict_needs(tmp_path, data_dir):
    said, error = tried(foreign.write(tmp_path / "mine", foreign.described()), data_dir)
    assert error is None
    rows = [line.rstrip() for line in said.splitlines()[-12:]]
    lines = dict(re.split(r"\s{2,}", row, maxsplit=1) for row in rows)
    assert lines["log"] == "out/log.txt"
    assert lines["evaluations"].endswith("at 4")
    for name in ("1 same images", "2 same labelled images", "8 same judge", "same budget"):
        assert lines[name].startswith("shown: ")
    assert "network: {build: module:function, initial" in lines["3 same initial weights"]
    assert "not known: lambda_u" in lines["4 same hyper-parameters"]


def test_a_command_without_a_witness_shows_nothing(tmp_path, data_dir):
    content = foreign.described(
        run__script=None, run__command=[sys.executable, "{source}/train.py"], judge=None
    )
    file = foreign.write(tmp_path / "mine", content)
    # It is no child of the harness's entry: torchvision checks the sums of what it reads.
    script = file.with_name("train.py")
    script.write_text(
        script.read_text().replace(
            "class Labelled(CIFAR10):",
            "CIFAR10._check_integrity = lambda self: True\n"
            "import torchvision.datasets.cifar as cifar\n"
            "cifar.check_integrity = lambda *_: True\n\n\nclass Labelled(CIFAR10):",
        )
    )
    said, error = tried(file, data_dir)
    assert isinstance(error, CheckFailed), said
    assert "no verdict could be given: 1 same images, 2 same labelled images, 8" in str(error)


def test_a_run_that_fails_says_why(tmp_path, data_dir):
    file = foreign.write(tmp_path / "mine", foreign.described(mode="missing-module"))
    said, error = tried(file, data_dir)
    assert isinstance(error, Incomplete)
    assert "No module named 'a_module_that_nobody_has'" in str(error)
    assert "none found" in said and "log.file" in said


def test_no_file_is_named():
    with pytest.raises(BadInput, match="SPEC: empty; name the file"):
        try_.run(try_.TryQuestion(""), Terminal())


def test_a_new_file_is_in_order_and_none_is_overwritten(tmp_path):
    path = tmp_path / "compare.yaml"
    try_.write_new(path, Terminal(Console(file=io.StringIO())))
    described = spec.read(path)
    assert described.spec.name == "mine"
    # With everything that is commented out, too.
    text = path.read_text()
    for part in ("network", "judge"):
        begin = text.index(f"# {part}:")
        head, block = text[:begin], text[begin:].split("\n\n", 1)
        lines = "\n".join(line.removeprefix("# ") for line in block[0].splitlines())
        text = head + lines + "\n\n" + block[1]
    path.write_text(text)
    assert spec.read(path).spec.judge is not None
    with pytest.raises(BadInput, match="is there already"):
        try_.write_new(path, Terminal())
