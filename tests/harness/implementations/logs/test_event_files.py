"""TensorBoard's event files: a recorded one of kekmodel's, and those of a run that was resumed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.errors import LogError
from harness.implementations.logs.described import read as described
from harness.implementations.logs.described.options import Counting, LogOptions
from harness.implementations.reported import Point

RECORDED = Path(__file__).parents[3] / "logs" / "foreign" / "kekmodel-200.events.out.tfevents"
TAGS = {
    "top1": "test/1.test_acc",
    "eval_loss": "test/2.test_loss",
    "loss": "train/1.train_loss",
    "mask": "train/4.mask",
}
OPTIONS = LogOptions(reader="tensorboard", points=TAGS, iteration=Counting(times=40, plus=40))
ACCURACY = LogOptions(reader="tensorboard", points={"top1": "acc"})


def events(folder: Path, values: list[tuple[int, float]], tag: str = "acc") -> Path:
    """An event file with these scalars, by step."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    before = set(folder.glob("*tfevents*"))
    writer = EventFileWriter(str(folder), filename_suffix=f".{len(before)}")
    for step, value in values:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        time.sleep(0.001)
    writer.close()
    (path,) = set(folder.glob("*tfevents*")) - before
    return path


def curve(points: list[Point]) -> list[tuple[int, float]]:
    return [(point.iteration, point.top1) for point in points]


def test_recorded_events_of_kekmodel():
    points = described.read([RECORDED], OPTIONS)
    assert curve(points) == [(40, 10.0), (80, 10.0), (120, 11.0), (160, 11.6), (200, 13.2)]
    first = points[0]
    assert (first.eval_loss, first.mask, first.loss_x) == (11.122775, 0.0, None)
    assert points[-1].seconds == pytest.approx(63.5, abs=0.1)


def test_files_of_a_resumption_are_joined(tmp_path):
    first = events(tmp_path, [(0, 10.5), (1, 20.5), (2, 30.5)])
    second = events(tmp_path, [(1, 21.5), (2, 31.5), (3, 41.5)])
    points = described.read([second, first], ACCURACY)  # whatever their order
    assert curve(points) == [(0, 10.5), (1, 21.5), (2, 31.5), (3, 41.5)]
    seconds = [point.seconds or 0.0 for point in points]
    assert seconds == sorted(seconds)


def test_a_file_that_contradicts_itself(tmp_path):
    path = events(tmp_path, [(0, 10.5), (1, 20.5), (1, 25.5)])
    with pytest.raises(LogError, match=r"top1 at iteration 1 is 25.50, but 20.50"):
        described.read([path], ACCURACY)


def test_fractions_are_told(tmp_path):
    path = events(tmp_path, [(0, 0.105), (1, 0.205)])
    with pytest.raises(LogError, match=r"scale: \{top1: 100\}"):
        described.read([path], ACCURACY)
    scaled = LogOptions(reader="tensorboard", points={"top1": "acc"}, scale={"top1": 100})
    assert curve(described.read([path], scaled)) == [(0, 10.5), (1, 20.5)]


def test_a_tag_that_is_not_there(tmp_path):
    path = events(tmp_path, [(0, 10.5)], tag="accuracy")
    with pytest.raises(LogError, match=r"no tag 'acc', which points.top1 names; it has accuracy"):
        described.read([path], ACCURACY)


def test_nothing_yet_and_no_event_file(tmp_path):
    assert described.read([], ACCURACY) == []
    assert described.read([events(tmp_path, [])], ACCURACY) == []
    text = tmp_path / "events.txt"
    text.write_text("no events")
    assert described.read([text], ACCURACY) == []
