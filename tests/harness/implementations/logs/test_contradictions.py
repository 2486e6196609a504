"""One iteration with two accuracies: a resumption says which counts, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import LogError
from tests.helpers.plain_logs import PLAIN, joined, read

# The last line of the second evaluation of each log, its accuracy and another one.
SECOND = {
    "torchssl": ("20 iteration, ", "'eval/top-1-acc': 0.118", "'eval/top-1-acc': 0.25"),
    "torchssl without matrices": ("5000 it", "'eval/top-1-acc': 0.5", "'eval/top-1-acc': 0.25"),
    "own": ('"iteration": 20', '"top1": 12.4', '"top1": 25.0'),
    "progress": ("43.10", "topl: 43.10", "topl: 25.00"),
    "progress own": ("Iter: 20/30", "top1: 12.40", "top1: 25.00"),
}


def second(name: str) -> tuple[int, str, str]:
    """(its index, the line, the line with another accuracy)."""
    mark, old, new = SECOND[name]
    [at] = [number for number, line in enumerate(PLAIN[name]) if mark in line]
    line = PLAIN[name][at]
    assert old in line
    return at, line, line.replace(old, new)


@pytest.mark.parametrize("name", SECOND)
def test_two_accuracies_of_one_iteration(tmp_path: Path, name: str) -> None:
    lines = PLAIN[name]
    at, _, other = second(name)
    text = joined([*lines[: at + 1], other, *lines[at + 1 :]])
    with pytest.raises(
        LogError, match=rf"log:{at + 2}: top1 at .* 25\.00, but .* in line {at + 1}"
    ):
        read(name, tmp_path / "log", text)


@pytest.mark.parametrize("name", SECOND)
def test_the_same_accuracy_twice(tmp_path: Path, name: str) -> None:
    lines = PLAIN[name]
    at, line, _ = second(name)
    text = joined([*lines[: at + 1], line, *lines[at + 1 :]])
    assert read(name, tmp_path / "log", text) == read(name, tmp_path / "log", joined(lines))


@pytest.mark.parametrize("name", SECOND)
def test_ranks_that_disagree(tmp_path: Path, name: str) -> None:
    """Also where all of one rank's lines come before the other's: no rank resumes another."""
    lines = PLAIN[name]
    at, _, other = second(name)
    theirs = [*lines[:at], other, *lines[at + 1 :]]
    ranks = [f"[rank0]: {line}" for line in lines] + [f"[rank1]: {line}" for line in theirs]
    place = rf"log:{len(lines) + at + 1}: top1 .* in line {at + 1},.* ranks that disagree"
    with pytest.raises(LogError, match=place):
        read(name, tmp_path / "log", joined(ranks))
    turns = [ranks[n + half * len(lines)] for n in range(len(lines)) for half in (0, 1)]
    with pytest.raises(LogError, match=rf"log:{2 * at + 2}: top1 .* in line {2 * at + 1},"):
        read(name, tmp_path / "log", joined(turns))


@pytest.mark.parametrize("name", ["torchssl", "torchssl without matrices", "own", "progress"])
def test_after_another_start_the_later_counts(tmp_path: Path, name: str) -> None:
    lines = PLAIN[name]
    at, _, other = second(name)
    again = [*lines[:at], other, *lines[at + 1 :]]
    expected = read(name, tmp_path / "log", joined(again))
    assert expected != read(name, tmp_path / "log", joined(lines))
    assert read(name, tmp_path / "log", joined([*lines, *again])) == expected
    ranks = [f"{rank}: {line}" for line in [*lines, *again] for rank in (0, 1)]
    assert read(name, tmp_path / "log", joined(ranks)) == expected


def test_a_rank_that_has_not_gone_on_yet(tmp_path: Path) -> None:
    """What it has of the time before the other's resumption counts no more."""
    lines = PLAIN["own resumed"]
    ahead = [f"[rank0]: {line}" for line in lines[:6]]
    behind = [f"[rank1]: {line}" for line in lines[:4]]
    found = read("own", tmp_path / "log", joined([*ahead, *behind]))
    assert found == read("own", tmp_path / "log", joined(lines[:6]))
    assert [iteration for iteration, _, _ in found] == [10, 20]


def test_evaluations_that_come_late_change_nothing(tmp_path: Path) -> None:
    """A second reading of the same output, below the first."""
    start, first, *rest = PLAIN["own"]
    expected = read("own", tmp_path / "log", joined(PLAIN["own"]))
    assert read("own", tmp_path / "log", joined([*PLAIN["own"], first])) == expected
    assert read("own", tmp_path / "log", joined([start, *rest, first])) == expected


def test_training_that_goes_back_must_evaluate_again(tmp_path: Path) -> None:
    lines = PLAIN["progress"]
    epochs = [lines[at : at + 4] for at in range(0, 12, 4)]
    again = [*epochs[0], *epochs[1], *epochs[0], *epochs[1], *epochs[2]]
    expected = read("progress", tmp_path / "log", joined(lines))
    assert read("progress", tmp_path / "log", joined(again)) == expected
    lost = [*epochs[0], *epochs[1], *epochs[0], *epochs[2]]
    with pytest.raises(LogError, match=r"log:13: training went back.* past iteration 448 without"):
        read("progress", tmp_path / "log", joined(lost))


def test_a_bar_that_stands_elsewhere_in_its_epoch(tmp_path: Path) -> None:
    lines = [line for line in PLAIN["progress"] if "Epoch: 2/ 500. Iter: 224" not in line]
    with pytest.raises(LogError, match=r"log:7: .* iteration 100/224 .* before was at 224/224"):
        read("progress", tmp_path / "log", joined(lines))


def test_a_line_that_counts_other_training(tmp_path: Path) -> None:
    lines = PLAIN["progress own"]
    text = joined([*lines[:2], lines[3]])
    with pytest.raises(LogError, match=r"log:3: iteration 20, but 10 in the 'Train Epoch:' line"):
        read("progress own", tmp_path / "log", text)


def test_the_message_tells_both_values(tmp_path: Path) -> None:
    at, _, other = second("own")
    with pytest.raises(LogError) as raised:
        read("own", tmp_path / "log", joined([*PLAIN["own"], other]))
    assert re.search(
        rf"log:6: top1 at iteration 20 is 25\.00, but 12\.40 in line {at + 1}, and no start or "
        "resumption lies between: ranks that disagree, or two runs in one file; keep the lines",
        str(raised.value),
    )
