"""Progress lines as the 2024 report shows them and as terminals record them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.errors import BadInput, LogError
from harness.implementations.logs import READERS, progress
from harness.implementations.reported import Point

LOGS = Path(__file__).parents[3] / "logs"
REPORT = LOGS / "progress-report-2024.txt"
TRAIN, TEST, _ = REPORT.read_text().splitlines()
OWN = (
    "\r\x1b[KTrain Epoch: 1/1. Iter: 9/224. LR: 0.0280. Data: 0.050s. Batch: 0.682s. "
    "Loss: 2.4013. Loss_x: 2.4013. Loss_u: 0.0000. Mask: 0.10."
    "\r\x1b[KTrain Epoch: 1/1. Iter: 10/224. LR: 0.0275. Data: 0.050s. Batch: 0.682s. "
    "Loss: 2.3913. Loss_x: 2.3900. Loss_u: 0.0013. Mask: 0.25.\n"
    "Test Iter: 10/30. Loss: 3.0832. top1: 13.20. top5: 49.20.\n"
)
FIRST = Point(224, 11.25, 57.63, 2.3951, 1.7954, 1.7952, 0.0002, 0.0)


def read(tmp_path: Path, text: str) -> list[Point]:
    path = tmp_path / "console.txt"
    path.write_bytes(text.encode())
    return progress.read(path)


def test_excerpt_of_the_report():
    assert progress.read(REPORT) == [FIRST]
    assert READERS["progress"](REPORT) == [FIRST]


def test_evaluation_above_the_first_training_line():
    """At the end of epoch 749, of 224 iterations; its training losses are not shown."""
    points = progress.read(LOGS / "progress-report-2024-epoch-750.txt")
    assert points == [Point(749 * 224, 90.43, 99.44, 0.5552)]


def test_bars_redrawn_many_times(tmp_path):
    early = TEST.replace("313/ 313.", "100/ 313.").replace("11.25", "99.99")
    second = TRAIN.replace("Epoch: 1/", "Epoch: 2/").replace("1.7954", "0.9000")
    full = TEST.replace("11.25", "22.50")
    states = [TRAIN.replace("224/ 224.", "  1/ 224."), TRAIN + "\n", early, TEST + "\n"]
    text = "\r".join([*states, second, early, full, full])
    points = read(tmp_path, text + "\n")
    assert [(p.iteration, p.top1, p.loss) for p in points] == [
        (224, 11.25, 1.7954),
        (448, 22.5, 0.9),
    ]


def test_bar_that_never_got_full_is_no_evaluation(tmp_path):
    partial = TEST.replace("313/ 313.", "100/ 313.")
    assert read(tmp_path, f"{TRAIN}\n{partial}\r") == []
    assert read(tmp_path, f"{TRAIN}\n{partial}\n{TRAIN}\n{TEST}\n") == [FIRST]


def test_epochs_repeated_after_a_restart(tmp_path):
    second = TRAIN.replace("Epoch: 1/", "Epoch: 2/")
    text = f"{TRAIN}\n{TEST}\n{second}\n{TEST}\n{TRAIN}\n{TEST.replace('11.25', '33.00')}\n"
    assert [(p.iteration, p.top1) for p in read(tmp_path, text)] == [(224, 33.0)]


def test_output_of_the_in_house_implementation(tmp_path):
    second = OWN.replace("Iter: 10/", "Iter: 20/").replace("13.20", "12.40")
    points = read(tmp_path, OWN + second)
    assert points[0] == Point(10, 13.2, 49.2, 3.0832, 2.3913, 2.39, 0.0013, 0.25)
    assert [(point.iteration, point.top1) for point in points] == [(10, 13.2), (20, 12.4)]


def test_nan_losses_are_kept(tmp_path):
    [point] = read(tmp_path, OWN.replace("Loss: 2.3913.", "Loss: nan."))
    assert math.isnan(point.loss or 0)
    assert point.loss_x == 2.39


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("topl: 11.25.", "topl: 11.\ufffd5."),
        ("57.63.", "57.6"),
        ("11.25", "1125.00"),
        ("313/ 313.", "?."),
    ],
)
def test_unreadable_accuracy_names_the_line(tmp_path, old, new):
    bad = TEST.replace(old, new)
    assert bad != TEST
    with pytest.raises(LogError, match=r"console\.txt:4: .*restore the line"):
        read(tmp_path, f"{TRAIN}\r\n{TEST}\n{TRAIN}\n{bad}\n{TRAIN}\n")


def test_last_line_cut_by_a_kill(tmp_path):
    for end in ("topl: 11.2", "topl:", "top5: 57.6"):
        cut = TEST[: TEST.index(end) + len(end)]
        assert read(tmp_path, f"{TRAIN}\n{cut}") == []
    assert read(tmp_path, f"{TRAIN}\n{TEST}") == [FIRST]


def test_evaluation_that_no_training_line_places(tmp_path):
    with pytest.raises(LogError, match=r"console\.txt:2: no 'Train Epoch:' line"):
        read(tmp_path, f"Files already downloaded and verified\n{TEST}\n")


def test_empty_noisy_and_missing_files(tmp_path):
    assert read(tmp_path, "") == []
    path = tmp_path / "noise.txt"
    path.write_bytes(b"\xff\x00\x1b[K\n" + REPORT.read_bytes() + b"\xff")
    assert progress.read(path) == [FIRST]
    with pytest.raises(BadInput, match=r"none\.txt: cannot be read \(No such file"):
        progress.read(tmp_path / "none.txt")
