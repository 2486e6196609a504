"""TorchSSL's log.txt, on recorded logs and on what kills and resumptions make of them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from harness.errors import BadInput, LogError
from harness.logs import READERS, torchssl
from harness.records import Point

LOGS = Path(__file__).parents[2] / "logs"
RUN = LOGS / "torchssl-60-run0.txt"
REPORT = LOGS / "torchssl-report-2024.txt"
LINES = RUN.read_text().splitlines(keepends=True)
EVALUATIONS = [number for number, line in enumerate(LINES) if "USE_EMA: True" in line]
FINAL = next(n for n in reversed(range(len(LINES))) if "confusion matrix" in LINES[n])


def read(tmp_path: Path, *parts: str, counts: list[int] | None = None) -> list[Point]:
    path = tmp_path / "log.txt"
    path.write_text("".join(parts), newline="")
    return torchssl.read(path, counts)


def iterations(points: list[Point]) -> list[int]:
    return [point.iteration for point in points]


def resumed_at(minute: int, first: int, asked: int = 60) -> str:
    """A log that a resumption writes: the check of the checkpoint, then from `first` on."""
    start = EVALUATIONS[[0, 20, 40].index(first)] - 11
    check = "".join(LINES[EVALUATIONS[0] - 11 : EVALUATIONS[0]])
    text = "".join(LINES[:5]) + check + "".join(LINES[start:])
    return text.replace(" 05:39:", f" 06:{minute}:").replace("_iter=60", f"_iter={asked}")


def test_every_evaluation_of_a_run():
    points = torchssl.read(RUN)
    assert points == [
        Point(1, 12.0, 48.0, 3.1386, 2.2265, 2.2265, 0.0, 0.0, 2.863),
        Point(21, 11.8, 50.0, 3.0514, 2.1517, 2.1517, 0.0, 0.0, 15.679),
        Point(41, 10.6, 52.0, 3.0792, 2.0984, 2.0984, 0.0, 0.0, 25.681),
        Point(60, 11.6, seconds=34.562),
    ]
    assert READERS["torchssl"](RUN) == points
    assert iterations(torchssl.read(LOGS / "torchssl-60-run1.txt")) == [1, 21, 41, 60]


def test_matrix_gives_the_logged_accuracy(tmp_path):
    """The matrices of the evaluations inside the loop, read as if they were final."""
    for number, logged in zip(EVALUATIONS, torchssl.read(RUN), strict=False):
        points = read(tmp_path, *LINES[:5], *LINES[number - 11 : number], LINES[-1])
        assert points[0].top1 == logged.top1
    assert len(EVALUATIONS) == 3


def test_values_as_torch_on_a_gpu_prints_them():
    assert torchssl.read(REPORT) == [
        Point(1, 9.1, 50.13, 13.4847, 2.4592, 2.4592, 0.0, 0.0, 2.206),
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.5", 0.5),
        ("tensor(0.5)", 0.5),
        ("tensor(5.e-05)", 5e-5),
        ("tensor(0.5, device='cuda:1', dtype=torch.float64)", 0.5),
        ("tensor(0.5, dtype=torch.float16)", 0.5),
        ("np.float64(0.5)", 0.5),
        ("tensor(inf, device='cuda:0')", math.inf),
        ("-inf", -math.inf),
        ("nan", math.nan),
        ("tensor(nan)", math.nan),
        ("tensor(nan, device='cuda:1')", math.nan),
    ],
)
def test_forms_of_a_value(tmp_path, text, number):
    [point, *_] = read(tmp_path, RUN.read_text().replace("tensor(3.1386)", text))
    assert point.eval_loss == pytest.approx(number, nan_ok=True)
    assert point.top1 == 12.0


def test_older_versions_log_fewer_keys_and_tensors(tmp_path):
    line = (
        "[2021-10-01 00:00:10,500 INFO] 5000 iteration, USE_EMA: True, "
        "{'train/sup_loss': tensor(0.5, device='cuda:0'), "
        "'train/mask_ratio': tensor(0.2500, device='cuda:0'), "
        "'eval/top-1-acc': tensor(0.9058, device='cuda:0')}, "
        "BEST_EVAL_ACC: tensor(0.9058, device='cuda:0'), at 5000 iters\n"
    )
    expected = Point(5001, 90.58, loss_x=0.5, mask=0.75, seconds=0.0)
    assert read(tmp_path, line) == [expected]


def test_final_accuracy_is_exact_with_the_class_counts(tmp_path):
    """Rows are shares of a class: 1/3 and 5/7 print with 8 digits, and classes weigh unequally."""
    matrix = "[2024-01-01 00:00:09,000 INFO] confusion matrix:\n{}\n"
    rows = "[[0.33333333\n  0.66666667]\n [0.28571429 0.71428571]]"
    arguments = (
        "[2024-01-01 00:00:00,000 INFO] Arguments: Namespace(a=1, num_train_iter=1600, b=2)\n"
    )
    saved = "[2024-01-01 00:00:09,500 INFO] model saved: ./a b/latest_model.pth\n"
    log = (arguments, matrix.format(rows), saved)
    assert read(tmp_path, *log, counts=[3, 7]) == [Point(1600, 60.0, seconds=9.0)]
    assert read(tmp_path, *log)[0].top1 == pytest.approx(100 * (1 / 3 + 5 / 7) / 2)
    with pytest.raises(BadInput, match=r"log\.txt: logs 2 classes, but the test set has 10"):
        read(tmp_path, *log, counts=[1] * 10)
    with pytest.raises(LogError, match=r"log\.txt:5: no 'Arguments:' line"):
        read(tmp_path, *log[1:])
    with pytest.raises(LogError, match=r"log\.txt:6: the confusion matrix above is not square"):
        read(tmp_path, arguments, matrix.format(rows.replace("0.28571429 ", "")), saved)
    elided = "[[1. 0. ... 0. 0.]\n ...\n [0. 0. ... 0. 1.]]"
    assert read(tmp_path, arguments, matrix.format(elided), saved) == []


def test_last_iteration_evaluated_in_the_loop_too(tmp_path):
    text = RUN.read_text().replace("num_train_iter=60", "num_train_iter=41")
    points = read(tmp_path, text)
    assert iterations(points) == [1, 21, 41]
    assert points[-1].loss == 2.0984


@pytest.mark.parametrize("lines", [FINAL + 1, FINAL + 5, len(LINES) - 1])
def test_killed_before_the_last_model_was_saved(tmp_path, lines):
    assert iterations(read(tmp_path, *LINES[:lines])) == [1, 21, 41]


def test_resumed_log_is_one_curve(tmp_path):
    killed = "".join(LINES[: EVALUATIONS[2] + 1])
    again = resumed_at(20, 20).replace("0.118,", "0.9,")
    points = read(tmp_path, killed, again)
    assert iterations(points) == [1, 21, 41, 60]
    assert points[1].top1 == 90.0
    clock = [point.seconds for point in torchssl.read(RUN)]
    first = clock[0]
    assert [point.seconds for point in points] == pytest.approx(
        [first, *(first + seconds for seconds in clock[1:])]
    )


def test_resumed_twice_and_asked_for_more(tmp_path):
    points = read(tmp_path, RUN.read_text(), resumed_at(20, 40), resumed_at(50, 40, asked=90))
    assert iterations(points) == [1, 21, 41, 90]


def test_finished_run_resumed_only_evaluates_again(tmp_path):
    again = "".join(LINES[:5]) + "".join(LINES[FINAL:])
    assert iterations(read(tmp_path, RUN.read_text(), again)) == [1, 21, 41, 60]


def test_several_gpus_log_a_start_each(tmp_path):
    start = LINES[0].replace("GPU: 0", "GPU: 1")
    assert read(tmp_path, LINES[0], start, *LINES[1:]) == torchssl.read(RUN)


def test_nan_losses_are_kept(tmp_path):
    text = RUN.read_text().replace(
        "'train/total_loss': tensor(2.1517)", "'train/total_loss': tensor(nan)"
    )
    assert math.isnan(read(tmp_path, text)[1].loss or 0)


def test_noise_between_records_is_skipped(tmp_path):
    path = tmp_path / "log.txt"
    noise = b"\xff\xfe\x00 \x80\x0c\x1c\n\x85]]\r\n"
    path.write_bytes(b"".join(noise + line.encode() for line in LINES[:11]))
    assert torchssl.read(path) == []
    path.write_bytes(noise + RUN.read_bytes().replace(b"\n", b"\r\n") + noise)
    assert torchssl.read(path) == torchssl.read(RUN)
    path.write_bytes(b"")
    assert torchssl.read(path) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'eval/top-1-acc': 0.118, ", ""),
        ("'eval/top-1-acc': 0.118", "'eval/top-1-acc': nan"),
        ("'eval/top-1-acc': 0.118", "'eval/top-1-acc': 11.8"),
        ("tensor(3.0514)", "tensor(3.0\ufffd14)"),
        ("] 20 iteration", "] 2\ufffd0 iteration"),
        (r"'eval/recall'.*", ""),
    ],
)
def test_unreadable_evaluation_names_the_line(tmp_path, old, new):
    number = EVALUATIONS[1]
    line = re.sub(old if old.endswith(".*") else re.escape(old), new, LINES[number])
    assert line != LINES[number]
    with pytest.raises(LogError, match=rf"log\.txt:{number + 1}: .*restore the line"):
        read(tmp_path, *LINES[:number], line, *LINES[number + 1 :])


def test_evaluation_cut_by_a_kill(tmp_path):
    number = EVALUATIONS[2]
    whole = LINES[number].rstrip("\n")
    before, cut = LINES[:number], whole[: whole.index("'eval/recall'")]
    assert iterations(read(tmp_path, *before, cut)) == [1, 21]
    assert iterations(read(tmp_path, *before, whole)) == [1, 21, 41]
    with pytest.raises(LogError, match=rf":{number + 1}: "):
        read(tmp_path, *before, cut + "\n")
    resumed = read(tmp_path, *before, cut, resumed_at(20, 20))
    assert iterations(resumed) == [1, 21, 41, 60]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.txt: cannot be read \(No such file"):
        torchssl.read(tmp_path / "none.txt")


def test_the_check_of_a_checkpoint_is_never_the_last_accuracy(tmp_path):
    """TorchSSL evaluates what it loaded, and may save `latest_model.pth` right after that."""
    check = LINES[EVALUATIONS[0] - 11 : EVALUATIONS[0]]
    head = LINES[0].split("]")[0] + "] "
    loaded = f"{head.replace('WARNING', 'INFO')}model loaded\n"
    points = read(tmp_path, *LINES[:5], loaded, *check, LINES[-1])
    assert points == []
    points = read(tmp_path, *LINES[:5], loaded, *check, *LINES[FINAL:])
    assert iterations(points) == [60]


def test_a_clock_that_was_set_back_leaves_no_seconds(tmp_path):
    late = [line.replace(" 05:39:", " 04:39:") for line in LINES[EVALUATIONS[1] :]]
    points = read(tmp_path, *LINES[: EVALUATIONS[1]], *late)
    assert iterations(points) == [1, 21, 41, 60]
    assert [point.seconds is None for point in points] == [False, True, True, True]
