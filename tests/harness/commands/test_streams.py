"""What a stream cannot say, readers that are gone, and disks that are full: exit codes stay."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.commands import cli
from harness.commands.console.streams import STAND_INS, prepare, sayable
from harness.commands.console.terminal import Terminal
from harness.commands.results import table as rebuilt
from harness.experiment import profile
from harness.implementations.reported import Point, Progress
from tests.conftest import REPOSITORY
from tests.helpers import made

# What each of them can say of: moved by more than ±6.00 (✗).
ENCODINGS = {
    "utf-8": "±6.00 ✗",
    "latin-1": "±6.00 x",
    "gbk": "±6.00 x",
    "cp1252": "±6.00 x",
    "koi8-r": "+/-6.00 x",
    "ascii": "+/-6.00 x",
}


def start(*arguments: object, **more: Any) -> subprocess.Popen[bytes]:
    environment = {"PYTHONPATH": str(REPOSITORY)} | more.pop("env", {})
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *(str(a) for a in arguments)],
        env=os.environ | environment, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """A `diff` whose base has another accuracy."""
    folder = made.results(tmp_path_factory.mktemp("results") / "quick", judged=False)
    rebuilt.write(folder, profile.load("quick"))
    base = folder.parent / "base.csv"
    base.write_text((folder / "table.csv").read_text().replace(",71.60,71.60,", ",99.60,99.60,"))
    return ("diff", "--profile", "quick", "--results", folder.parent, "--base", base)


@pytest.mark.parametrize(("encoding", "words"), ENCODINGS.items())
def test_every_encoding_says_what_it_can(encoding: str, words: str) -> None:
    assert sayable("±6.00 ✗", encoding) == words
    assert words.encode(encoding).decode(encoding) == words


def test_what_has_no_stand_in_is_escaped() -> None:
    assert (
        sayable("résultats/中文/\udcff😀", "ascii") == r"r\xe9sultats/\u4e2d\u6587/\udcff\U0001f600"
    )
    assert sayable("résultats/中文", "latin-1") == r"résultats/\u4e2d\u6587"
    assert sayable("a\udcffb", "utf-8") == r"a\udcffb"
    assert all(text.isascii() for text in STAND_INS.values())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_bad_news_is_told_in_every_encoding(
    moved: tuple[object, ...], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "argv", ["harness", *(str(word) for word in moved)])
    assert cli.main() == 1
    out.seek(0)
    err.seek(0)
    header, *rows = out.read().splitlines()[1:]
    margin, mark = ENCODINGS[encoding].split()
    [row] = [row for row in rows if "moved" in row]
    assert row.endswith(f"{mark} moved") and margin in row
    assert row.index(mark + " moved") == header.index("verdict")  # columns stay columns
    assert err.read() == "error: 40 labels own: moved\n"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "gbk"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_as_a_command(moved: tuple[object, ...], environment: dict[str, str]) -> None:
    with start(*moved, env=environment, stdout=subprocess.PIPE) as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (1, b"error: 40 labels own: moved\n")
    assert b"x moved" in out


def terminal(encoding: str) -> tuple[Terminal, io.BytesIO]:
    content = io.BytesIO()
    file = io.TextIOWrapper(content, encoding=encoding, errors="strict", write_through=True)
    return Terminal(Console(file=file, force_terminal=True, width=60, color_system=None)), content


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "latin-1"])
def test_what_rich_draws_is_sayable(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Headings, lists, quotations, tables, rules and the live line that is cut at its end."""
    shown, content = terminal(encoding)
    monkeypatch.setattr(sys, "stdout", shown.console.file)
    prepare()
    shown.markdown(
        "# Heading ✗\n\n## Second\n\n- one ±\n  - two\n\n1. first\n\n> quotation\n\n---\n\n"
        "| a | b |\n| --- | ---: |\n| ✓ | 1 ± 2 |\n\n```\ncode ✗\n```\n"
    )
    shown.table("Title ±", ("column ✗", "b"), [("✗", "±5.00")])
    with shown.run("own 中 " + "x" * 100) as line:
        line.update(Progress(1, 10, 1.0), Point(iteration=1, top1=10.0))
    text = content.getvalue().decode(encoding)
    for word in ("Heading x", "Second", "quotation", "1 ± 2", "code x", "Title", "x", "own"):
        assert sayable(word, encoding) in text
    assert "\\u25" not in text and "\\u2022" not in text


def test_a_cut_line_is_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would wrap, and more lines would be left than are wiped."""
    shown, content = terminal("ascii")
    monkeypatch.setattr(sys, "stdout", shown.console.file)
    prepare()
    with shown.run("own ± " + "x" * 100):
        pass
    lines = [line for line in content.getvalue().decode().splitlines() if "own" in line]
    assert lines and all(len(line.split("own", 1)[1]) + 3 <= 60 for line in lines)


def log(path: Path, evaluations: int) -> Path:
    """Of our format."""
    entry = {"kind": "evaluation", "schema": 1, "top1": 50.0, "top5": 99.0, "seconds": 1.0}
    values = {"loss": 1.0, "loss_x": 1.0, "loss_u": 0.0, "mask": 0.5, "eval_loss": 1.0}
    with path.open("w") as file:
        for n in range(1, evaluations + 1):
            file.write(json.dumps(entry | values | {"iteration": n}) + "\n")
    return path


@pytest.mark.parametrize("evaluations", [3, 20000])
def test_a_reader_that_is_gone_is_no_error(tmp_path: Path, evaluations: int) -> None:
    """As `| head -1`, before all is written or when it is flushed at the end."""
    with start(
        "read", "own", log(tmp_path / "log", evaluations), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        if evaluations > 1000:
            assert process.stdout.readline().startswith(b"iteration,top1")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("both", [True, False])
def test_a_check_that_nobody_reads_has_its_exit_code(moved: tuple[object, ...], both: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    more = {"stderr": writing} if both else {}
    try:
        process = subprocess.run(
            [sys.executable, "-m", "harness", *(str(word) for word in moved)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=writing, **({"stderr": subprocess.PIPE} | more),
        )  # type: ignore[call-overload]  # fmt: skip
    finally:
        os.close(writing)
    assert process.returncode == 1
    assert process.stderr == (None if both else b"error: 40 labels own: moved\n")


def test_a_closed_standard_output_is_no_error(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m harness read own "{log(tmp_path / "log", 3)}" >&-'
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, shell=True, env=environment, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_told_once(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("read", "own", log(tmp_path / "log", 3), stdout=full, cwd=tmp_path)
        _, err = process.communicate()
    assert process.returncode == 70
    assert err.startswith(b"error: unexpected: OSError: [Errno 28] No space left on device; ")
    assert err.count(b"\n") == 1
