"""What others put around lines takes no number away and adds none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import LogError
from harness.implementations.logs import READERS, torchssl, wrapping
from tests.helpers.plain_logs import LOGS, PLAIN, joined, read

WRAPPERS = {
    "torchrun --tee": "[default{rank}]:{line}",
    "torchrun, a template": "[trainer{rank}|{rank}]: {line}",
    "PyTorch": "[rank{rank}]: {line}",
    "srun --label": "{rank}: {line}",
    "srun --label, many": "  {rank}: {line}",
    "mpirun --tag-output": "[1,{rank}]<stdout>:{line}",
    "mpirun with times": "Fri Mar  1 10:00:{n:02} 2024[1,{rank}]<stdout>:{line}",
    "mpiexec -l": "[{rank}] {line}",
    "a rank in words": "Rank {rank}: {line}",
    "docker logs -t": "2024-03-01T10:00:{n:02}.123456789Z {line}",
    "kubectl --timestamps": "2024-03-01T10:00:{n:02}.123456789+01:00 {line}",
    "kubectl --prefix": "[pod/train-abc12/main] {line}",
    "a container's log file": "2024-03-01T10:00:{n:02}.123456789Z stderr F {line}",
    "GitHub Actions": "2024-03-01T10:00:{n:02}.1234567Z {line}",
    "gh run view --log": "train\tRun it\t2024-03-01T10:00:{n:02}.1234567Z {line}",
    "GitLab": "2024-03-01T10:00:{n:02}.123456Z 01O {line}",
    "Jenkins": "[2024-03-01T10:00:{n:02}.123Z] {line}",
    "a clock": "10:00:{n:02}  {line}",
    "ts": "Mar 01 10:00:{n:02} {line}",
    "journalctl": "Mar 01 10:00:{n:02} node-7 python3[{n}]: {line}",
    "docker compose": "trainer-1  | {line}",
    "Ray": "(train pid={n}, ip=10.0.0.7) {line}",
    "Python's logging": "INFO:root:{line}",
    "colours": "\x1b[1;32m{line}\x1b[0m",
    "colours inside": "\x1b[2K\x1b]0;training\x07{line}\x1b[0m\x1b[K",
    "colours in letters": "^[[32m{line}^[[0m",
    "Windows": "{line}\r",
    "redrawn": "\r{line}",
    "trailing space": "{line}  \t",
    "indentation": "        {line}",
    "a quotation": "> {line}",
    "quoted twice": "> > {line}",
    "cat -n": "{n:6}\t{line}",
    "several": "2024-03-01T10:00:{n:02}.123456789Z [rank{rank}]: \x1b[33m{line}\x1b[0m  ",
    "nobody knows": "gpu-node/worker-a>> {line}",
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", PLAIN)
def test_the_same_as_without_it(tmp_path: Path, name: str, wrapper: str) -> None:
    lines = PLAIN[name]
    text = joined(
        [WRAPPERS[wrapper].format(rank=0, n=n % 60, line=line) for n, line in enumerate(lines)]
    )
    assert read(name, tmp_path / "log", text) == read(name, tmp_path / "log", joined(lines))


@pytest.mark.parametrize("name", PLAIN)
def test_a_container_engine_s_own_file(tmp_path: Path, name: str) -> None:
    entries = [{"log": f"{line}\n", "stream": "stdout", "time": "x"} for line in PLAIN[name]]
    text = joined([json.dumps(entry) for entry in entries])
    assert read(name, tmp_path / "log", text) == read(name, tmp_path / "log", joined(PLAIN[name]))


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("wrapper", ["torchrun --tee", "srun --label", "mpirun --tag-output"])
def test_ranks_that_say_the_same_are_one(tmp_path: Path, name: str, wrapper: str) -> None:
    """Line by line in turn, so that a matrix of one has the other's rows in it."""
    lines = [
        WRAPPERS[wrapper].format(rank=rank, n=0, line=line)
        for line in PLAIN[name]
        for rank in range(3)
    ]
    expected = read(name, tmp_path / "log", joined(PLAIN[name]))
    assert read(name, tmp_path / "log", joined(lines)) == expected


def test_a_label_on_the_first_line_of_a_record_only(tmp_path: Path) -> None:
    """A logger's formatter puts it there, where a launcher puts it before each line."""
    name = "torchssl without matrices"
    lines = [f"[rank0]: {line}" if line.startswith("[2") else line for line in PLAIN[name]]
    expected = read(name, tmp_path / "log", joined(PLAIN[name]))
    assert read(name, tmp_path / "log", joined(lines)) == expected


def test_the_recorded_log_of_torchrun() -> None:
    points = torchssl.read(LOGS / "torchssl-20000-rank-prefix.txt")
    assert [(point.iteration, point.top1) for point in points] == [
        (1, 10.0),
        (5001, 50.0),
        (20000, 85.0),
    ]
    assert points == torchssl.read(LOGS / "torchssl-20000.txt")
    assert torchssl.arguments(LOGS / "torchssl-20000-rank-prefix.txt")["num_train_iter"] == 20000


@pytest.mark.parametrize(
    "line",
    [
        "[2024-03-01 10:00:00,000 INFO] confusion matrix:",
        "[[0.85 0.15]",
        "[0.15 0.85]]",
        "0.66666667]",
        '{"kind": "start", "schema": 1}',
        "Train Epoch: 1/ 500. Iter: 224/ 224.",
        "Test Iter: 10/30. Loss: 3.0832.",
        "top1: 53.20",
        "",
    ],
)
def test_nothing_is_taken_from_a_line_itself(line: str) -> None:
    assert wrapping.unwrap(line) == ("", line)


@pytest.mark.parametrize("name", PLAIN)
def test_lines_broken_at_the_width_of_a_terminal(tmp_path: Path, name: str) -> None:
    width = 50 if name == "progress own" else 80  # its evaluations are shorter than 80
    broken = [line[at : at + width] for line in PLAIN[name] for at in range(0, len(line), width)]
    with pytest.raises(LogError, match=r"log:\d+: .*; restore the line"):
        read(name, tmp_path / "log", joined(broken))


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_labels_only(tmp_path: Path, name: str) -> None:
    assert read(name, tmp_path / "log", "[default0]:\n1: \n\x1b[0m\n\r\n") == ()
