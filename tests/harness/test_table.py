"""Tables against golden files, and the cells of the comparison one by one."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from harness import profile, table
from harness.records import Facts, Manifest, Point, Status
from harness.runs import Run

GOLDEN = Path(__file__).parents[1] / "golden"
PROFILE = profile.load("quick")
TITLES = {"own": "FixMatch (own)", "torchssl": "FixMatch (TorchSSL)"}
SETTINGS = {"batch_size": 10, "mu": 4, "precision": "fp32", "iterations_per_epoch": 100}


def run(
    implementation: str = "own",
    labels: int = 40,
    seed: int = 0,
    *,
    points: tuple[Point, ...] = (),
    status: Status = Status.DONE,
    reason: str = "",
    wall_seconds: float | None = None,
) -> Run:
    facts = Facts(
        data_sha256="da7a" * 16,
        split_sha256=f"{labels:04d}{seed:04d}" * 8,
        initial_weights_sha256=f"aaaa{seed:04d}" * 8,
        torch_version="2.11.0+cpu",
        device="cpu",
        shims=("cuda-on-cpu",) if implementation == "torchssl" else (),
    )
    done = status in (Status.DONE, Status.INCOMPARABLE)
    manifest = Manifest(
        implementation=implementation,
        labels=labels,
        seed=seed,
        settings=SETTINGS,
        status=Status.DONE if done else status,
        reason="" if done else reason,
        wall_seconds=wall_seconds,
        facts=facts if done else None,
        own_commit="1" * 40,
        torchssl_commit="2" * 40,
    )
    return Run(manifest, points, status, reason)


def curve(*accuracies: float, full: bool = False) -> tuple[Point, ...]:
    """Evaluations after 1, 101, 201 ... updates."""
    more = {"top5": 98.765, "eval_loss": 0.5, "loss": 1.25, "loss_x": 1.0, "loss_u": 0.25}
    return tuple(
        Point(
            1 + 100 * i, accuracy, **(more | {"mask": 0.875, "seconds": 12.0 * i} if full else {})
        )
        for i, accuracy in enumerate(accuracies)
    )


RUNS = [
    run("own", 40, 0, points=curve(10.0, 62.0, 60.0, full=True), wall_seconds=100.5),
    run("torchssl", 40, 0, points=curve(10.0, 58.0, 58.004), wall_seconds=201.0),
    run("own", 40, 1, points=curve(12.0, 50.0, 64.0, full=True), wall_seconds=100.5),
    run("torchssl", 40, 1, status=Status.FAILED, reason="exit code 1: out of memory"),
    run(
        "own", 250, 0,
        points=curve(*[70.0 + i for i in range(21)]), wall_seconds=600.0,
    ),
    run(
        "torchssl", 250, 0, status=Status.INCOMPARABLE, points=curve(10.0, 99.0), wall_seconds=50.0,
        reason="same images: it used 000000000000, asked for was da7ada7ada7a",
    ),
    run("own", 4000, 0, points=curve(11.0, 90.125)),
    run("torchssl", 4000, 0, status=Status.UNAVAILABLE, reason="no fixmatch.py | in\nthere"),
]  # fmt: skip


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("table.csv", table.to_csv(table.runs_frame(RUNS))),
        ("points.csv", table.to_csv(table.points_frame(RUNS))),
        ("table.md", table.markdown(RUNS, PROFILE, TITLES, "mnist5k")),
    ],
)
def test_golden(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_columns() -> None:
    assert ",".join(table.RUN_COLUMNS) == (
        "labels,seed,implementation,status,iterations,evaluations,"
        "best_top1,last_top1,mean20_top1,median20_top1,judged_top1,"
        "wall_seconds,images_per_second,device,precision,"
        "data_sha256,split_sha256,initial_weights_sha256,"
        "own_commit,torchssl_commit,torch_version"
    )
    # labels, seed, implementation, iteration, epoch, top1, top5, losses, mask, seconds
    assert ",".join(table.POINT_COLUMNS) == (
        "labels,seed,implementation,iteration,epoch,top1,top5,"
        "eval_loss,loss,loss_x,loss_u,mask,seconds"
    )


def test_a_row_by_hand() -> None:
    row = rows(table.to_csv(table.runs_frame(RUNS[4:5])))[0]
    assert row["iterations"] == "2001"
    assert row["evaluations"] == "21"
    assert (row["best_top1"], row["last_top1"]) == ("90.00", "90.00")
    assert (row["mean20_top1"], row["median20_top1"]) == ("80.50", "80.50")  # of 71 ... 90
    assert row["wall_seconds"] == "600.0"
    assert row["images_per_second"] == "166.8"  # 2001 iterations of 10 * (1 + 4) in 600 s
    assert row["judged_top1"] == ""


def test_a_point_by_hand() -> None:
    row = rows(table.to_csv(table.points_frame(RUNS[:1])))[1]
    assert row == {
        "labels": "40", "seed": "0", "implementation": "own", "iteration": "101",
        "epoch": "1.0100", "top1": "62.00", "top5": "98.77", "eval_loss": "0.5000",
        "loss": "1.2500", "loss_x": "1.0000", "loss_u": "0.2500", "mask": "0.8750",
        "seconds": "12.0",
    }  # fmt: skip


def test_points_of_incomparable_runs_are_in_no_curve() -> None:
    """The figure takes its means from these."""
    assert "99.00" not in table.to_csv(table.points_frame(RUNS))
    assert len(table.points_frame(RUNS[5:6])) == 0


def test_nothing_yet() -> None:
    assert rows(table.to_csv(table.runs_frame([]))) == []
    assert rows(table.to_csv(table.points_frame([]))) == []
    assert table.markdown([], PROFILE, TITLES, "").endswith("\n")


def test_only_failures() -> None:
    failures = [RUNS[3], RUNS[7]]
    assert [row["status"] for row in rows(table.to_csv(table.runs_frame(failures)))] == [
        "failed", "unavailable",
    ]  # fmt: skip
    assert "| FixMatch (TorchSSL) | failed | unavailable |" in table.markdown(
        failures, PROFILE, TITLES, "mnist5k"
    )


def test_one_seed_has_no_interval() -> None:
    assert table.cell([RUNS[0]], "last") == "60.00 (n=1)"


def test_two_seeds_have_one() -> None:
    # mean of 60 and 64; t(0.975, 1) * (4 / sqrt(2)) / sqrt(2) = 12.7062 * 2
    assert table.cell([RUNS[0], RUNS[2]], "last") == "62.00 ± 25.41 (n=2)"


def test_no_run_at_all_is_missing() -> None:
    assert table.cell([], "last") == "missing"


def test_lost_seeds_are_counted_beside_the_mean() -> None:
    lost = [RUNS[3], run("own", 40, 2, status=Status.FAILED)]
    assert table.cell([RUNS[0], *lost], "last") == "60.00 (n=1), 2 failed"


def test_an_incomparable_run_enters_no_mean() -> None:
    assert table.cell([RUNS[5]], "last") == "incomparable"
    assert table.cell([RUNS[4], RUNS[5]], "last") == "90.00 (n=1), 1 incomparable"


def test_too_few_evaluations_for_the_rule() -> None:
    assert table.cell([RUNS[0]], "median20") == "too few evaluations"


@pytest.mark.parametrize("reason", ["a | b", "a\nb", "a\r\nb", "|\n|", "end\n", "a\rb"])
def test_any_reason_leaves_the_markdown_table_whole(reason: str) -> None:
    lost = run("own", 40, 0, status=Status.FAILED, reason=reason)
    text = table.markdown([lost], PROFILE, TITLES, "mnist5k")
    [line] = [line for line in text.splitlines() if line.startswith("| 40-seed0-own ")]
    assert line.endswith(" |")
    assert len(line.replace("\\|", "").split("|")) == 9 + 2


def test_the_profiles_rule_is_used_and_said() -> None:
    text = table.markdown(RUNS, profile.load("cifar10"), TITLES, "cifar10")
    assert "| FixMatch (own) | too few evaluations | 80.50 (n=1) | too few evaluations |" in text
    assert "Selection: median of the last 20 evaluations." in text
