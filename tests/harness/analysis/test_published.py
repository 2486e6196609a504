"""The cited accuracies, number by number, and which of them may stand beside a result."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.analysis import published
from harness.errors import BadInput
from tests.conftest import REPOSITORY

FILE = REPOSITORY / "configs" / "published.yaml"

# source, rule, n, accuracies at 40, 250 and 4000 labels, their deviations
CITED = [
    ("FixMatch paper, RandAugment (arXiv 2001.07685)", "median20", 5,
     (86.19, 94.93, 95.74), (3.37, 0.65, 0.05)),
    ("FixMatch paper, CTAugment (arXiv 2001.07685)", "median20", 5,
     (88.61, 94.93, 95.69), (3.35, 0.33, 0.15)),
    ("TorchSSL README", "best", 3,
     (92.53, 95.14, 95.79), (0.28, 0.05, 0.08)),
    ("USB results/classic_cv.csv", "best", 3,
     (91.67, 95.03, 95.71), (1.41, 0.05, 0.10)),
    ("kekmodel/FixMatch-pytorch README", "unstated", 1, (93.60, 95.31, 95.77), None),
    ("LeeDoYup/FixMatch-pytorch README", "unstated", 1, (87.11, 94.61, 95.62), None),
    ("the 2024 report, own implementation", "unstated", 1, (90.54, 93.06, 94.29), None),
    ("the 2024 report, TorchSSL", "unstated", 1, (90.58, 92.58, 94.05), None),
]  # fmt: skip


def by_labels(values: tuple[float, ...] | None) -> dict[int, float]:
    return {} if values is None else dict(zip((40, 250, 4000), values, strict=True))


def test_every_source_and_no_other() -> None:
    assert [row.source for row in published.load().rows] == [cited[0] for cited in CITED]


@pytest.mark.parametrize("cited", CITED, ids=lambda cited: cited[0])
def test_numbers(cited: tuple[str, str, int, tuple[float, ...], tuple[float, ...] | None]) -> None:
    source, rule, n, accuracy, deviation = cited
    row = next(row for row in published.load().rows if row.source == source)
    assert (row.selection, row.n) == (rule, n)
    assert row.accuracy == by_labels(accuracy)
    assert row.deviation == by_labels(deviation)
    assert row.caveat


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        ("median20", ["paper (RA)", "paper (CTA)"]),
        ("best", ["TorchSSL README", "USB"]),
        ("last", []),
        ("mean20", []),
    ],
)
def test_only_rows_of_the_same_rule_stand_beside_a_result(rule: str, shown: list[str]) -> None:
    assert [row.short for row in published.load().of("cifar10", rule)] == shown


@pytest.mark.parametrize("data", ["mnist5k", "data-0123456789ab", "", "CIFAR-10"])
def test_only_beside_results_on_cifar10(data: str) -> None:
    for rule in ("best", "last", "mean20", "median20"):
        assert published.load().of(data, rule) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"schema": 2}, "schema"),
        ({"notes": "none"}, "notes"),
        ({"rows": [{"source": "somebody"}]}, "rows.0.short"),
        ({"curves": [{"source": "somebody"}]}, "curves.0.short"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, change: dict[str, object], key: str) -> None:
    path = tmp_path / "published.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(FILE.read_text()) | change))
    with pytest.raises(BadInput) as error:
        published.load(path)
    assert str(error.value).startswith(f"{path}: {key}: ")
    assert "\n" not in str(error.value)


def test_what_is_not_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    path.write_text("rows: [\n")
    with pytest.raises(BadInput, match=r"published\.yaml"):
        published.load(path)


def test_no_caveat_is_cut_by_what_yaml_takes_for_a_comment() -> None:
    """` #38` begins one outside quotes."""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if "caveat: " in line:
            text = line.split("caveat: ")[1].strip('"')
            assert text in [row.caveat for row in published.load().rows]


def test_a_curve_says_where_it_was_at_that_iteration() -> None:
    curve = published.Curve(
        source="a log", short="log", labels=40, iterations_per_epoch=100,
        points={10: 30.0, 50: 60.0},
    )  # fmt: skip
    cited = published.load().model_copy(update={"curves": (curve,)})
    assert cited.reached("cifar10", 40, 5_099) == ["published: 60.00 at epoch 50 (log)"]
    assert cited.reached("cifar10", 40, 4_999) == ["published: 30.00 at epoch 10 (log)"]
    assert cited.reached("cifar10", 40, 999) == []
    assert cited.reached("cifar10", 250, 5_000) == cited.reached("mnist5k", 40, 5_000) == []
