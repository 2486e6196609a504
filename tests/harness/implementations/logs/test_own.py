"""The in-house metrics.jsonl, on a recorded file and on what kills and resumptions make of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness.errors import BadInput, LogError
from harness.implementations.logs import READERS, own
from harness.implementations.reported import Point

RUN = Path(__file__).parents[3] / "logs" / "own-30.jsonl"
LINES = RUN.read_text().splitlines(keepends=True)
START, *EVALUATIONS, END = LINES


def read(tmp_path: Path, *parts: str) -> list[Point]:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(parts))
    return own.read(path)


def iterations(points: list[Point]) -> list[int]:
    return [point.iteration for point in points]


def resume(iteration: int) -> str:
    return json.dumps({"kind": "resume", "schema": 1, "iteration": iteration}) + "\n"


def test_every_evaluation_of_a_run():
    points = own.read(RUN)
    assert iterations(points) == [10, 20, 30]
    assert points[0] == Point(
        iteration=10,
        top1=13.2,
        top5=49.2,
        eval_loss=3.08320849609375,
        loss=2.3913025856018066,
        loss_x=2.3913025856018066,
        loss_u=0.0,
        mask=0.0,
        seconds=11.49092421799969,
    )
    assert READERS["own"](RUN) == points


def test_later_evaluations_win(tmp_path):
    again = EVALUATIONS[1].replace('"top1": 12.4', '"top1": 55.5')
    points = read(tmp_path, START, *EVALUATIONS, resume(10), again, EVALUATIONS[2], END)
    assert [(point.iteration, point.top1) for point in points] == [
        (10, 13.2),
        (20, 55.5),
        (30, 13.4),
    ]


def test_resumption_drops_what_the_checkpoint_had_not(tmp_path):
    assert iterations(read(tmp_path, START, *EVALUATIONS, resume(15))) == [10]


def test_evaluation_at_the_checkpoint_is_kept(tmp_path):
    """It comes before the checkpoint is saved, so that a resumption does not repeat it."""
    assert iterations(read(tmp_path, START, *EVALUATIONS, resume(20))) == [10, 20]
    assert iterations(read(tmp_path, *LINES, resume(30), END)) == [10, 20, 30]


def test_nan_losses_are_kept(tmp_path):
    line = EVALUATIONS[0].replace('"loss": 2.3913025856018066', '"loss": NaN')
    assert math.isnan(read(tmp_path, line)[0].loss or 0)


def test_line_cut_by_a_kill(tmp_path):
    cut = EVALUATIONS[2][:90]
    assert iterations(read(tmp_path, START, *EVALUATIONS[:2], cut)) == [10, 20]
    assert iterations(read(tmp_path, START, *EVALUATIONS[:2], EVALUATIONS[2].rstrip())) == [
        10,
        20,
        30,
    ]
    resumed = read(tmp_path, START, *EVALUATIONS[:2], cut, resume(10), EVALUATIONS[1])
    assert iterations(resumed) == [10, 20]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no JSON\n", "not JSON"),
        ("[1, 2]\n", "not an object"),
        (EVALUATIONS[1][:90] + "\n", "not JSON"),
        (EVALUATIONS[1].replace('"top5"', '"top6"'), "no 'top5'"),
        (EVALUATIONS[1].replace('"iteration": 20, ', ""), "no 'iteration'"),
        (EVALUATIONS[1].replace('"top1": 12.4', '"top1": 1240'), "top1 1240.0 is no percentage"),
        ('{"kind": "resume", "schema": 1}\n', "no 'iteration'"),
        ('{"kind": "start"}\n', "no 'schema'"),
    ],
)
def test_unreadable_line_is_named(tmp_path, line, problem):
    with pytest.raises(LogError, match=rf"metrics\.jsonl:3: {problem}.*; restore the line"):
        read(tmp_path, START, EVALUATIONS[0], line, EVALUATIONS[2])


@pytest.mark.parametrize(
    ("schema", "remedy"), [(2, "update this checkout"), (0, "train again in a new folder")]
)
def test_another_schema_says_what_to_do(tmp_path, schema, remedy):
    line = EVALUATIONS[0].replace('"schema": 1', f'"schema": {schema}')
    with pytest.raises(LogError, match=rf":1: schema {schema}, this code reads 1; {remedy}"):
        read(tmp_path, line)


def test_empty_and_missing_files(tmp_path):
    assert read(tmp_path, "") == []
    with pytest.raises(BadInput, match=r"none\.jsonl: cannot be read \(No such file"):
        own.read(tmp_path / "none.jsonl")


def test_what_is_told_of_guesses_is_read_where_any_counted(tmp_path: Path) -> None:
    guesses = {"guess_entropy": 0.25, "guess_accuracy": 80.0, "guess_confidence": 0.9}
    told = json.dumps(json.loads(EVALUATIONS[0]) | guesses) + "\n"
    none = json.dumps(json.loads(EVALUATIONS[1]) | dict.fromkeys(guesses)) + "\n"
    points = read(tmp_path, START, told, none, EVALUATIONS[2])
    assert [point.guess_accuracy for point in points] == [80.0, None, None]
    assert (points[0].guess_entropy, points[0].guess_confidence) == (0.25, 0.9)
