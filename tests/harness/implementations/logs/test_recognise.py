"""Reading nothing is no success: what was looked for, and what the file is instead."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.commands import cli
from harness.errors import BadInput, LogError
from harness.implementations.logs import READERS, recognise
from tests.helpers.plain_logs import LOGS, PLAIN, joined

WHOLE = {
    "torchssl": LOGS / "torchssl-60-run0.txt",
    "own": LOGS / "own-30.jsonl",
    "progress": LOGS / "progress-report-2024.txt",
}
NOT_YET = {"torchssl": 6, "own": 1, "progress": 3}  # lines without an evaluation


@pytest.mark.parametrize("file", ["other-logger-lines.txt", "other-tab-table.txt"])
@pytest.mark.parametrize("name", READERS)
def test_a_log_of_no_format(name: str, file: str) -> None:
    problem = (
        rf"^no evaluation of format {name} in \S+{file}: looked for .*; it looks like none of the "
        "formats that are known: torchssl, own, progress$"
    )
    with pytest.raises(BadInput, match=problem):
        recognise.read(name, LOGS / file)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("other", READERS)
def test_a_log_of_another_format(name: str, other: str) -> None:
    if name == other:
        assert recognise.read(name, WHOLE[name]) == READERS[name](WHOLE[name])
        return
    with pytest.raises(
        BadInput, match=rf"looked for .* like format {other}: python -m .* {other} "
    ):
        recognise.read(name, WHOLE[other])


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("other", READERS)
def test_a_run_that_has_not_evaluated_yet(tmp_path: Path, name: str, other: str) -> None:
    path = tmp_path / "log"
    path.write_text(joined(PLAIN[other][: NOT_YET[other]]))
    assert READERS[other](path) == []
    problem = f"looks like format {other}, of a run that has not evaluated yet"
    with pytest.raises(BadInput, match=problem):
        recognise.read(name, path)


@pytest.mark.parametrize("name", READERS)
def test_files_without_lines(tmp_path: Path, name: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\n \r\n\0\0")
    with pytest.raises(BadInput, match=f"no evaluation of format {name} in .*; the file is empty"):
        recognise.read(name, path)
    path.write_bytes(b"accuracy\n\x1f\x8b\x08\x00")
    with pytest.raises(BadInput, match="line 2 is in another encoding: byte 2 of the line, 0x8b"):
        recognise.read(name, path)


def test_the_log_of_another_library_of_the_family() -> None:
    with pytest.raises(LogError, match=r"other-semilearn\.txt:22: another format") as raised:
        recognise.read("torchssl", LOGS / "other-semilearn.txt")
    assert "restore" not in str(raised.value) and "delete" not in str(raised.value)
    for name in ("own", "progress"):
        with pytest.raises(BadInput, match="looks like none of the formats"):
            recognise.read(name, LOGS / "other-semilearn.txt")


@pytest.mark.parametrize(
    "line",
    [
        "5000 iteration, {'train/sup_loss': 0.3, 'eval/top-1-acc': 0.5}, BEST_EVAL_ACC: 0.5",
        "warmup 5000 iteration, {'train/sup_loss': tensor(0.3), 'eval/top-1-acc': 0.5}",
        "5000 iteration, ACC: 0.5",
        "40 iteration, USE_EMA: True, train/sup_loss: 1.6302, eval/top-1-acc: 0.1000, lr: 0.0289",
    ],
)
@pytest.mark.parametrize("head", ["[2024-03-01 10:00:00,000 INFO] ", "", "INFO:root:"])
def test_evaluations_that_torchssl_does_not_write(tmp_path: Path, head: str, line: str) -> None:
    path = tmp_path / "log"
    path.write_text(f"{head}Arguments: Namespace(num_train_iter=9)\n{head}{line}\n")
    with pytest.raises(LogError, match="log:2: another format"):
        recognise.read("torchssl", path)


def test_the_final_matrix_of_another_library(tmp_path: Path) -> None:
    """It saves its latest model between the matrix and the evaluation of any iteration."""
    path = tmp_path / "log"
    lines = (LOGS / "other-semilearn.txt").read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "latest_model.pth" in line)
    path.write_text(joined(lines[: at + 1]))
    with pytest.raises(LogError, match=rf"log:{at + 1}: another format"):
        recognise.read("torchssl", path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("progress", (LOGS / "other-tab-table.txt").read_text()),
        ("own", joined([*PLAIN["own"][:3], "damaged"])),
        ("progress", joined([*PLAIN["progress"][:8], "Test Iter: 313/ 313. Data: 0.1s."])),
    ],
)
def test_nothing_is_printed_when_it_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    content: str,
) -> None:
    path = tmp_path / "log"
    path.write_text(content)
    monkeypatch.setattr(sys, "argv", ["harness", "read", name, str(path)])
    assert cli.main() == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1
