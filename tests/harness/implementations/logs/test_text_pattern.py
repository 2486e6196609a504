"""Any text, by its owner's pattern: recorded lines of semilearn's, and what can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.errors import BadInput, LogError
from harness.implementations.logs.described import read as described
from harness.implementations.logs.described.options import LogOptions
from harness.implementations.reported import Point

RECORDED = Path(__file__).parents[3] / "logs" / "foreign" / "semilearn-200.txt"
SEMILEARN = (
    r"(?P<iteration>\d+) iteration, USE_EMA: \w+, train/sup_loss: (?P<loss_x>[\d.]+), "
    r"train/unsup_loss: (?P<loss_u>[\d.]+), train/total_loss: (?P<loss>[\d.]+), "
    r"train/util_ratio: (?P<mask>[\d.]+),.*? eval/loss: (?P<eval_loss>[\d.]+), "
    r"eval/top-1-acc: (?P<top1>[\d.]+), eval/top-5-acc: (?P<top5>[\d.]+)"
)
PERCENT = {"top1": 100.0, "top5": 100.0}
PLAIN = r"epoch (?P<iteration>\d+) acc (?P<top1>[\d.]+)"


def read(
    tmp_path: Path, text: str, pattern: str | list[str] = PLAIN, **more: object
) -> list[Point]:
    path = tmp_path / "log.txt"
    path.write_text(text)
    options = LogOptions.model_validate({"reader": "text", "pattern": pattern, **more})
    return described.read([path], options)


def curve(points: list[Point]) -> list[tuple[int, float]]:
    return [(point.iteration, point.top1) for point in points]


def test_recorded_log_of_semilearn():
    options = LogOptions(reader="text", pattern=(SEMILEARN,), scale=PERCENT)
    points = described.read([RECORDED], options)
    assert curve(points) == [(40, 10.0), (80, 10.0), (120, 10.0), (160, 10.0), (200, 10.0)]
    assert points[0] == Point(40, 10.0, 49.4, 34.7998, 1.6302, 1.6302, 0.0, 0.0)


def test_fractions_without_scale_are_told_with_the_key():
    with pytest.raises(LogError, match=r"semilearn-200.txt:\d+: .*fraction.*scale: \{top1: 100\}"):
        described.read([RECORDED], LogOptions(reader="text", pattern=(SEMILEARN,)))


def test_scaled_where_they_were_percent(tmp_path):
    with pytest.raises(LogError, match="top1 8560, scaled by 100 is no percentage"):
        read(tmp_path, "epoch 1 acc 85.60\n", scale={"top1": 100})


def test_half_a_number_is_refused(tmp_path):
    with pytest.raises(LogError, match=r"log.txt:1: the group top1 .*'85' out of '85.60'"):
        read(tmp_path, "epoch 1 acc 85.60\n", r"epoch (?P<iteration>\d+) acc (?P<top1>\d+)")
    with pytest.raises(LogError, match=r"'5.60' out of '85.60'"):
        read(tmp_path, "epoch 1 acc 85.60\n", r"epoch (?P<iteration>\d+) acc \d(?P<top1>\d\.\d+)")
    assert curve(read(tmp_path, "epoch 1 acc 85.60.\n", r"acc (?P<top1>\d+\.\d+)")) == [(0, 85.6)]


def test_what_is_no_number_names_group_and_line(tmp_path):
    with pytest.raises(LogError, match=r"log.txt:2: top1 is 'n/a', which is no number"):
        read(tmp_path, "epoch 1 acc 9.5\nepoch 2 acc n/a\n", r"epoch \d+ acc (?P<top1>\S+)")


def test_lines_of_training_and_of_tests_together(tmp_path):
    text = (
        "step 10 loss 2.5\nstep 20 loss 2.0\ntest 20: 50.5\nloss of the test 0.7\n"
        "step 30 loss 1.5\ntest 30: 60.5\n"
    )
    patterns = [
        r"step (?P<iteration>\d+) loss (?P<loss>[\d.]+)",
        r"^test \d+: (?P<top1>[\d.]+)",
        r"loss of the test (?P<eval_loss>[\d.]+)",
    ]
    assert read(tmp_path, text, patterns) == [
        Point(20, 50.5, eval_loss=0.7, loss=2.0),
        Point(30, 60.5, loss=1.5),
    ]


def test_epochs_become_iterations(tmp_path):
    text = "epoch 0 acc 50.5\nepoch 1 acc 60.5\n"
    points = read(tmp_path, text, iteration={"times": 200, "plus": 200})
    assert curve(points) == [(200, 50.5), (400, 60.5)]
    points = read(tmp_path, text, r"acc (?P<top1>[\d.]+)", iteration={"times": 5, "plus": 5})
    assert curve(points) == [(5, 50.5), (10, 60.5)]


def test_wrapped_lines_and_ranks(tmp_path):
    text = "".join(
        f"2026-01-01T00:00:00Z [rank{rank}]: INFO - epoch {n} acc {50.5 + n}\n"
        for n in (1, 2)
        for rank in (0, 1)
    )
    assert curve(read(tmp_path, text, f"^{PLAIN}")) == [(1, 51.5), (2, 52.5)]
    assert curve(read(tmp_path, text, f"INFO - {PLAIN}")) == [(1, 51.5), (2, 52.5)]
    with pytest.raises(LogError, match="ranks that disagree"):
        read(tmp_path, text + "[rank1]: epoch 2 acc 9.5\n", PLAIN)


def test_going_back_is_a_resumption(tmp_path):
    text = "epoch 1 acc 10.5\nepoch 2 acc 20.5\nepoch 3 acc 30.5\n"
    again = "epoch 2 acc 21.5\nepoch 3 acc 31.5\nepoch 4 acc 41.5\n"
    assert curve(read(tmp_path, text + again)) == [(1, 10.5), (2, 21.5), (3, 31.5), (4, 41.5)]


def test_a_pattern_of_starts_decides(tmp_path):
    text = "epoch 1 acc 10.5\nepoch 2 acc 20.5\n"
    resumed = text + "begin\nepoch 2 acc 21.5\n"
    assert curve(read(tmp_path, resumed, start="^begin")) == [(1, 10.5), (2, 21.5)]
    with pytest.raises(LogError, match="two runs in one file"):
        read(tmp_path, text + text, start="^begin")


def test_another_accuracy_at_the_same_iteration(tmp_path):
    text = "epoch 1 acc 10.5\nepoch 2 acc 20.5\n"
    assert curve(read(tmp_path, text + "epoch 2 acc 20.5\n")) == [(1, 10.5), (2, 20.5)]
    with pytest.raises(LogError, match=r"log.txt:3: top1 at iteration 2 is 21.50, but 20.50"):
        read(tmp_path, text + "epoch 2 acc 21.5\n")


def test_a_last_line_that_a_kill_cut(tmp_path):
    assert curve(read(tmp_path, "epoch 1 acc 10.5\nepoch 2 acc 2")) == [(1, 10.5)]


def test_pattern_that_matches_nothing(tmp_path):
    assert read(tmp_path, "accuracy: 85.6\n") == []


def test_one_file_and_no_more(tmp_path):
    options = LogOptions(reader="text", pattern=(PLAIN,))
    with pytest.raises(BadInput, match=r"is one file, and there are: a.txt, b.txt"):
        described.read([tmp_path / "a.txt", tmp_path / "b.txt"], options)


def test_formats_that_fix_all_by_themselves():
    log = RECORDED.parents[1] / "own-30.jsonl"
    assert described.read([log], LogOptions(reader="own"))[-1].iteration == 30


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"reader": "text", "pattern": "acc (?P<accuracy>.*)"}, "no group"),
        ({"reader": "text", "pattern": "(?P<top1>.*) (?P<lr>.*)"}, "lr: unknown; use iteration"),
        ({"reader": "text", "pattern": "(?P<top1>.*"}, "pattern: missing"),
        ({"reader": "text", "points": {"top1": "acc"}}, "points: reader text has no such option"),
        ({"reader": "csv", "points": {"loss": "loss"}}, "points: no top1"),
        ({"reader": "own", "scale": {"top1": 100}}, "scale: reader own has no such option"),
        ({"reader": "csv", "points": {"top1": "a"}, "scale": {"acc": 100}}, "acc: unknown"),
        ({"reader": "csv", "points": {"top1": "a"}, "iteration": {"times": 0}}, "times"),
        ({"reader": "tensorboard", "points": {"top1": "a", "iteration": "b"}}, "the step"),
    ],
)
def test_options_that_cannot_be(options, says):
    with pytest.raises(ValidationError, match=says):
        LogOptions.model_validate(options)
