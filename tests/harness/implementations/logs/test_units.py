"""Percent and fractions, told apart by all that a log has."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import LogError
from tests.helpers.plain_logs import PLAIN, joined, read


def own(*accuracies: tuple[float, float]) -> str:
    entry = json.loads(PLAIN["own"][1])
    lines = [
        json.dumps(entry | {"iteration": 10 * n, "top1": top1, "top5": top5})
        for n, (top1, top5) in enumerate(accuracies, 1)
    ]
    return joined([PLAIN["own"][0], *lines])


def progress(*top1s: float) -> str:
    """Without a top5, as some print it."""
    return joined(
        [
            line
            for epoch, top1 in enumerate(top1s, 1)
            for line in (
                f"Train Epoch: {epoch}/9. Iter: 224/ 224. Loss: 1.2000.",
                f"Test Iter: 313/ 313. Data: 0.1s. Batch: 0.1s. Loss: 2.3951. top1: {top1:.2f}.",
            )
        ]
    )


def torchssl(*accuracies: float) -> str:
    return joined(
        [
            f"[2024-03-01 10:00:{n:02},000 INFO] {n} iteration, USE_EMA: True, "
            f"{{'eval/top-1-acc': {value}}}, BEST_EVAL_ACC: 0.9, at 0 iters"
            for n, value in enumerate(accuracies)
        ]
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own", own((0.132, 0.492), (0.5, 0.9), (0.93, 0.99))),
        ("own", own((0.132, 49.2), (0.93, 99.2))),  # a top-1 under 1% never goes with such a top-5
        ("own", own((13.2, 0.492), (93.0, 0.992))),
        ("own", own((0.5, 0.93))),
        ("own", own((0.0, 0.0), (1.0, 1.0))),
        ("progress", progress(0.11, 0.52, 0.93)),
        ("progress", progress(0.5)),
        ("progress", progress(0.0, 1.0)),
    ],
)
def test_fractions_where_the_format_has_percent(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(LogError, match=r"log:\d+: top[15] is a fraction .*; multiply .* by 100"):
        read(name, tmp_path / "log", text)


@pytest.mark.parametrize(
    ("name", "text", "top1"),
    [
        ("own", own((1.0, 5.0), (45.0, 80.0)), [1.0, 45.0]),
        ("own", own((0.0, 0.4), (45.0, 80.0)), [0.0, 45.0]),
        ("own", own((0.9, 4.8), (1.0, 5.0)), [0.9, 1.0]),  # a hundred classes, nothing learnt yet
        ("own", own((0.0, 0.0)), [0.0]),
        ("progress", progress(1.0, 45.0), [1.0, 45.0]),
        ("progress", progress(0.5, 0.9, 1.4), [0.5, 0.9, 1.4]),
        ("progress", progress(0.0, 0.0), [0.0, 0.0]),
        ("torchssl", torchssl(0.0, 1, 0.005), [0.0, 100.0, 0.5]),
        ("torchssl", torchssl(1.0, 1.0), [100.0, 100.0]),
    ],
)
def test_low_and_full_accuracies(
    tmp_path: Path, name: str, text: str, top1: Sequence[float]
) -> None:
    assert [value for _, value, _ in read(name, tmp_path / "log", text)] == top1


@pytest.mark.parametrize(
    "accuracies", [(12.0, 45.2, 60.0), (1.0, 45.2, 60.0), (0.0, 45.2), (45.2,)]
)
def test_percent_where_the_format_has_fractions(
    tmp_path: Path, accuracies: Sequence[float]
) -> None:
    with pytest.raises(LogError, match=r"log:\d: accuracies are percent .*; divide .* by 100"):
        read("torchssl", tmp_path / "log", torchssl(*accuracies))


def test_one_percentage_among_fractions_is_a_damaged_line(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"log:2: an accuracy of 11\.8 is no .*; restore the line"):
        read("torchssl", tmp_path / "log", torchssl(0.12, 11.8, 0.5, 0.6))


def test_the_recorded_logs_in_the_other_unit(tmp_path: Path) -> None:
    """Written by somebody's own code that is otherwise the same."""

    def scaled(text: str, pattern: str, factor: float) -> str:
        return re.sub(pattern, lambda m: f"{m[1]}{float(m[2]) * factor:.4f}", text)

    number = r"(\d+\.\d+)"
    for name, pattern, factor in (
        ("own", f'("top1": ){number}', 0.01),
        ("progress", f"(top[15l]: ){number}", 0.01),
        ("progress own", f"(top[15]: ){number}", 0.01),
        ("torchssl", f"('eval/top-1-acc': ){number}", 100),
        ("torchssl without matrices", f"('eval/top-1-acc': ){number}", 100),
    ):
        text = scaled(joined(PLAIN[name]), pattern, factor)
        with pytest.raises(LogError, match=r"log:\d+: .* (multiply|divide) the accuracies by 100"):
            read(name, tmp_path / "log", text)
