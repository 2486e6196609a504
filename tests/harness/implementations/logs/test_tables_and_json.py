"""CSV with a header and JSON lines, by column and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import LogError
from harness.implementations.logs.described import read as described
from harness.implementations.logs.described.options import LogOptions
from harness.implementations.reported import Point

LOGS = Path(__file__).parents[3] / "logs"
COLUMNS = {"iteration": "step", "top1": "val_acc", "loss": "loss"}


def read(tmp_path: Path, reader: str, text: str, **options: object) -> list[Point]:
    path = tmp_path / "log"
    path.write_text(text)
    given = {"reader": reader, "points": COLUMNS, **options}
    return described.read([path], LogOptions.model_validate(given))


def test_table_with_training_rows_between(tmp_path):
    """As Lightning's CSVLogger writes: a row has some of the columns."""
    text = "step,loss,val_acc\n10,2.5,\n10,,50.5\n20,2.0,\n20,,60.5\n"
    assert read(tmp_path, "csv", text) == [Point(10, 50.5, loss=2.5), Point(20, 60.5, loss=2.0)]


@pytest.mark.parametrize("separator", [";", "\t", ", "])
def test_other_separators(tmp_path, separator):
    text = "step,loss,val_acc\n10,2.5,50.5\n".replace(",", separator)
    assert read(tmp_path, "csv", text) == [Point(10, 50.5, loss=2.5)]


def test_a_date_in_the_first_column_is_no_wrapper(tmp_path):
    text = "time,step,loss,val_acc\n2026-01-01 10:00:00,10,2.5,50.5\n"
    assert read(tmp_path, "csv", text) == [Point(10, 50.5, loss=2.5)]


def test_a_second_header_is_a_start(tmp_path):
    head = "step,loss,val_acc\n"
    text = f"{head}10,2.5,50.5\n20,2.0,60.5\n{head}20,1.9,61.5\n"
    assert read(tmp_path, "csv", text) == [Point(10, 50.5, loss=2.5), Point(20, 61.5, loss=1.9)]
    with pytest.raises(LogError, match="log:4: top1 at iteration 20"):
        read(tmp_path, "csv", f"{head}10,2.5,50.5\n20,2.0,60.5\n20,1.9,61.5\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("step,loss,acc\n10,2.5,50.5\n", "log:1: no column 'val_acc'.* it has step, loss, acc"),
        ("step,loss,val_acc,loss\n", "twice a column 'loss'"),
        ("step,loss,val_acc\n10,2.5\n", "log:2: 2 cells, and 3 in the header"),
        ("step,loss,val_acc\n10,2.5,high\n", "log:2: top1 is 'high', which is no number"),
        ("step,loss,val_acc\n10.5,2.5,50.5\n", "iteration 10.5 is no whole number"),
        ("step,loss,val_acc\n,2.5,50.5\n", "an evaluation, and no iteration"),
        ("step,loss,val_acc\n10,2.5,0.5\n20,2.5,0.6\n", "fraction.*scale"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, text, says):
    with pytest.raises(LogError, match=says):
        read(tmp_path, "csv", text)


def test_a_table_that_was_cut(tmp_path):
    assert read(tmp_path, "csv", "") == [] == read(tmp_path, "csv", "step,lo")
    text = "step,loss,val_acc\n10,2.5,50.5\n20,2.5,6"
    assert read(tmp_path, "csv", text) == [Point(10, 50.5, loss=2.5)]


def test_our_own_lines_by_their_keys():
    options = LogOptions(reader="jsonl", points={"iteration": "iteration", "top1": "top1"})
    ours = described.read([LOGS / "own-30.jsonl"], LogOptions(reader="own"))
    found = described.read([LOGS / "own-30.jsonl"], options)
    assert [(p.iteration, p.top1) for p in found] == [(p.iteration, p.top1) for p in ours]


def test_keys_in_objects_and_lines_without(tmp_path):
    points = {"iteration": "step", "top1": "eval.acc/top-1", "loss": "train.loss"}
    text = (
        'starting\n{"step": 10, "train": {"loss": 2.5}}\n'
        'INFO:root:{"step": 10, "eval": {"acc/top-1": 0.505}}\n{"done": true}\n{"step": 20, "ev'
    )
    found = read(tmp_path, "jsonl", text, points=points, scale={"top1": 100})
    assert found == [Point(10, 50.5, loss=2.5)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"step": 10, "val_acc": "high"}\n', "log:1: val_acc is 'high', which is no number"),
        ('{"step": 10, "val_acc": true}\n', "val_acc is 'True', which is no number"),
        ('{"step": 10, "val_acc": NaN}\n', "top1 is 'nan'"),
        ('{"step": 10, "val_acc": 5\n{"step": 20, "val_acc": 6.5}\n', "log:1: not JSON"),
        ('{"step": -10, "val_acc": 50.5}\n', "below 0"),
        ('{"step": 1, "val_acc": 50.5}\n{"step": 1, "val_acc": 51.5}\n', "top1 at iteration 1 is"),
    ],
)
def test_json_that_cannot_be_read(tmp_path, text, says):
    with pytest.raises(LogError, match=says):
        read(tmp_path, "jsonl", text)
