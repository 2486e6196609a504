"""What was begun and cannot be read to its end is an error, unless it may still be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import LogError
from harness.implementations.logs import torchssl
from tests.helpers.plain_logs import PLAIN, joined, read

RUN = PLAIN["torchssl"]
OLD = PLAIN["torchssl without matrices"]
FINAL = next(n for n in reversed(range(len(RUN))) if "confusion matrix" in RUN[n])


@pytest.mark.parametrize("name", PLAIN)
def test_a_log_that_is_being_written(tmp_path: Path, name: str) -> None:
    """Cut anywhere it gives what its whole lines give, or the line that is whole but for its end.

    A matrix is whole before its evaluation is logged; a bar before the line's end.
    """
    lines = PLAIN[name]
    allowed = [read(name, tmp_path / "log", joined(lines[:n])) for n in range(len(lines) + 1)]
    text = joined(lines)
    for at in range(0, len(text), 7):
        whole = text.count("\n", 0, at)
        found = read(name, tmp_path / "log", text[:at])
        assert found in allowed[whole : whole + 2]


def error_at(number: int, *lines: str, path: Path) -> None:
    path.write_text(joined([*lines]))
    with pytest.raises(LogError, match=rf"log:{number}: .*; restore the line"):
        torchssl.read(path)


@pytest.mark.parametrize("kept", [1, 3, 9])
def test_a_matrix_without_its_end(tmp_path: Path, kept: int) -> None:
    lines = [*RUN[: FINAL + 1 + kept], *RUN[FINAL + 11 :]]
    error_at(FINAL + 1, *lines, path=tmp_path / "log")


@pytest.mark.parametrize("row", range(10))
def test_a_matrix_with_one_row_less_or_more(tmp_path: Path, row: int) -> None:
    path, at = tmp_path / "log", FINAL + 1 + row
    before, after = RUN[:at], RUN[at + 1 :]
    error_at(FINAL + 1 if row == 9 else len(RUN) - 1, *before, *after, path=path)
    twice = [*before, RUN[at], RUN[at], *after]
    if row == 9:  # the last one says that it is the last
        assert read("torchssl", path, joined(twice)) == read("torchssl", path, joined(RUN))
    else:
        error_at(len(RUN) + 1, *twice, path=path)


def test_a_matrix_whose_evaluation_is_gone(tmp_path: Path) -> None:
    at = next(n for n, line in enumerate(RUN) if "] 20 iteration" in line)
    error_at(at - 10, *RUN[:at], *RUN[at + 1 :], path=tmp_path / "log")


def test_rows_of_two_matrices(tmp_path: Path) -> None:
    """Of two runs without labels: as many rows as there should be, but not of one matrix."""
    rows = RUN[FINAL + 1 : FINAL + 11]
    other = rows[5].replace("0.06", "0.66").replace("0.94", "0.34")
    mixed = [*rows[:5], other, *rows[6:], rows[5]]
    error_at(FINAL + 12, *RUN[: FINAL + 1], *mixed, *RUN[FINAL + 11 :], path=tmp_path / "log")
    late = [*RUN[: FINAL + 1], *rows[:5], other, *rows[6:], *RUN[FINAL + 11 :], rows[5]]
    error_at(len(RUN) + 1, *late, path=tmp_path / "log")


def test_an_evaluation_after_the_last(tmp_path: Path) -> None:
    later = RUN[30].replace("] 20 iteration", "] 50 iteration")
    assert later != RUN[30]
    error_at(len(RUN) + 1, *RUN, later, path=tmp_path / "log")


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (1, "[2024-03-01 10:00:00,000 WARNING] USE G"),
        (2, "[2024-03-01 10:00:00,000 INFO] Argum"),
        (2, "[2024-03-01 10:00:00,000 INFO] Arguments: Namespace(save_dir='.', num_train_iter=20"),
        (4, "[2024"),
        (4, "[2024-03-01 10:1"),
        (4, "[2024-03-01 10:10:00,000 INF"),
        (4, "[2024-03-01 10:10:00,000 INFO]"),
        (4, "[2024-03-01 10:10:00,000 INFO] 50"),
        (4, "[2024-03-01 10:10:00,000 INFO] 5000 iter"),
        (4, "[2024-03-01 10:10:00,000 INFO] 5000 iteration, USE_EMA: Tru"),
        (4, "[2024-03-01 10:10:00,000 INFO] 5000 iteration, USE_EMA: True, {'train/sup_loss': 0.1"),
        (5, "[2024-03-01 10:50:00,000 INFO] confusion ma"),
        (16, "[2024-03-01 10:51:00,000 INFO] model sav"),
    ],
)
def test_a_record_without_its_end(tmp_path: Path, number: int, kept: str) -> None:
    path = tmp_path / "log"
    error_at(number, *OLD[: number - 1], kept, *OLD[number:], path=path)
    wrapped = [f"[default0]:{line}" for line in (*OLD[: number - 1], kept, *OLD[number:])]
    error_at(number, *wrapped, path=path)
    path.write_text(joined(OLD[: number - 1]) + kept)  # cut by a kill, or still being written
    assert [point.iteration for point in torchssl.read(path)] == [1, 5001][: max(0, number - 3)]


def test_a_model_that_was_saved_under_a_name_that_is_cut(tmp_path: Path) -> None:
    error_at(5, *OLD[:-1], OLD[-1].replace("latest_model.pth", "lat"), path=tmp_path / "log")


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (6, "Train Epoch: 2/ 500. Iter: 22"),
        (6, "Train Ep"),
        (8, "Test It"),
        (8, "Test Iter: 313/ 3"),
    ],
)
def test_a_state_without_its_end(tmp_path: Path, number: int, kept: str) -> None:
    lines = PLAIN["progress"]
    text = joined([*lines[: number - 1], kept, *lines[number:]])
    with pytest.raises(LogError, match=rf"log:{number}: .*; restore the line"):
        read("progress", tmp_path / "log", text)


@pytest.mark.parametrize(
    "end", ["top1: 12.40. top5: 4", "top1: 12.40. to", "top1: 12.40.", "top1: 12"]
)
def test_an_evaluation_without_its_top5(tmp_path: Path, end: str) -> None:
    lines = PLAIN["progress own"]
    cut = lines[3][: lines[3].index("top1")] + end
    with pytest.raises(LogError, match=r"log:4: an evaluation without .*top5.*; restore the line"):
        read("progress", tmp_path / "log", joined([*lines[:3], cut, *lines[4:]]))
    found = read("progress", tmp_path / "log", joined(lines[:3]) + cut)
    assert found == ((10, 13.2, 49.2),)


def test_an_evaluation_broken_before_its_top5(tmp_path: Path) -> None:
    before = "Train Epoch: 1/1. Iter: 10/224.\nTest Iter: 10/30. Loss: 3.0832. top1: 13.20."
    assert read("progress", tmp_path / "log", f"{before}\n") == ((10, 13.2, None),)
    with pytest.raises(LogError, match=r"log:3: an evaluation without its end"):
        read("progress", tmp_path / "log", f"{before}\ntop5: 49.20.\n")


def test_objects_that_run_on(tmp_path: Path) -> None:
    """Two on a line are two; one without its end is an error, unless a resumption follows."""
    start, first, second, third, _ = PLAIN["own"]
    expected = read("own", tmp_path / "log", joined([start, first, second, third]))
    assert read("own", tmp_path / "log", joined([start, first + second, third])) == expected
    with pytest.raises(LogError, match=r"log:2: not JSON"):
        read("own", tmp_path / "log", joined([start, first[:90] + second, third]))
    resume = '{"kind": "resume", "schema": 1, "iteration": 0}'
    text = joined([start, first[:90] + resume, first, second, third])
    assert read("own", tmp_path / "log", text) == expected
    assert read("own", tmp_path / "log", joined([start, first])[:-1] + second[:90]) == expected[:1]


def test_a_kind_that_is_unknown(tmp_path: Path) -> None:
    line = PLAIN["own"][1].replace('"evaluation"', '"evaluatiom"')
    with pytest.raises(LogError, match=r"log:2: kind 'evaluatiom' is unknown; restore the line"):
        read("own", tmp_path / "log", joined([PLAIN["own"][0], line, PLAIN["own"][2]]))
