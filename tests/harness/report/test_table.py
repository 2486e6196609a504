"""Tables against golden files, and the cells of the comparison one by one."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.analysis import comparison, frames, published
from harness.experiment import profile
from harness.implementations import registry
from harness.implementations.reported import Facts, Point
from harness.report import latex, markdown, table
from harness.runs.folder import Run
from harness.runs.manifest import Manifest, Status

GOLDEN = Path(__file__).parents[2] / "golden"
PROFILE = profile.load("quick")
CONTENDERS = {name: registry.contender(name) for name in ("own", "torchssl", "labelled_only")}
SETTINGS = {
    "batch_size": 10, "mu": 4, "precision": "fp32", "iterations_per_epoch": 100, "data": "mnist5k",
    "test_class_counts": [1] * 10,
}  # fmt: skip


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
LABELLED_ONLY = [
    run("labelled_only", 40, 0, points=curve(10.0, 48.0, 47.0, full=True), wall_seconds=100.5),
    run("labelled_only", 40, 1, points=curve(10.0, 50.0, 51.5, full=True), wall_seconds=100.5),
    run("labelled_only", 250, 0, points=curve(*[60.0 + i for i in range(21)])),
    run("labelled_only", 4000, 0, status=Status.FAILED, reason="exit code 1: out of memory"),
]


def compared(
    runs: list[Run], name: str = "quick", rule: str | None = None
) -> comparison.Comparison:
    cited = published.load()
    return comparison.build(runs, profile.load(name), CONTENDERS, {}, cited, rule)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("table.csv", table.to_csv(frames.runs_frame(RUNS))),
        ("points.csv", table.to_csv(frames.points_frame(RUNS))),
        ("table.md", markdown.render(compared(RUNS))),
        ("table.tex", latex.render(compared(RUNS))),
        ("labelled-only.md", markdown.render(compared([*RUNS, *LABELLED_ONLY]))),
        ("labelled-only.tex", latex.render(compared([*RUNS, *LABELLED_ONLY]))),
    ],
)
def test_golden(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_where_all_means_are_of_as_many_seeds_the_caption_says_how_many() -> None:
    text = latex.render(compared([RUNS[0], RUNS[1]]))
    assert "over $n = 1$ seeds" in text
    assert "FixMatch (own) & $60.00$ " in text
    text = latex.render(compared([RUNS[0], RUNS[1], RUNS[2]]))
    assert "over $n$ seeds" in text
    assert "($n=2$)" in text and "($n=1$)" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex; .ci/run installs it")
@pytest.mark.parametrize("runs", [RUNS, [*RUNS, *LABELLED_ONLY]])
def test_latex_sets_it_within_the_text(runs: list[Run], tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(latex.render(compared(runs)))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n"
        "\\begin{document}\n\\input{table.tex}\n\\end{document}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
    assert "Overfull" not in said.stdout


def test_columns() -> None:
    assert ",".join(frames.RUN_COLUMNS) == (
        "labels,seed,implementation,status,iterations,evaluations,"
        "best_top1,last_top1,mean20_top1,median20_top1,judged_top1,"
        "wall_seconds,images_per_second,device,precision,"
        "data_sha256,split_sha256,initial_weights_sha256,"
        "own_commit,torchssl_commit,torch_version,"
        "source_sha256,processor,threads,taken_from,schema"
    )
    # labels, seed, implementation, iteration, epoch, top1, top5, losses, mask, seconds
    assert ",".join(frames.POINT_COLUMNS) == (
        "labels,seed,implementation,iteration,epoch,top1,top5,"
        "eval_loss,loss,loss_x,loss_u,mask,seconds,status,schema"
    )


def test_a_row_by_hand() -> None:
    row = rows(table.to_csv(frames.runs_frame(RUNS[4:5])))[0]
    assert row["iterations"] == "2001"
    assert row["evaluations"] == "21"
    assert (row["best_top1"], row["last_top1"]) == ("90.00", "90.00")
    assert (row["mean20_top1"], row["median20_top1"]) == ("80.50", "80.50")  # of 71 ... 90
    assert row["wall_seconds"] == "600.0"
    assert row["images_per_second"] == "166.8"  # 2001 iterations of 10 * (1 + 4) in 600 s
    assert row["judged_top1"] == ""


def test_a_point_by_hand() -> None:
    row = rows(table.to_csv(frames.points_frame(RUNS[:1])))[1]
    assert row == {
        "labels": "40", "seed": "0", "implementation": "own", "iteration": "101",
        "epoch": "1.0100", "top1": "62.00", "top5": "98.77", "eval_loss": "0.5000",
        "loss": "1.2500", "loss_x": "1.0000", "loss_u": "0.2500", "mask": "0.8750",
        "seconds": "12.0", "status": "done", "schema": "1",
    }  # fmt: skip


def test_points_of_every_run_are_kept_with_its_status() -> None:
    stopped = run("own", 40, 5, status=Status.FAILED, points=curve(33.0))
    points = rows(table.to_csv(frames.points_frame([*RUNS[5:6], stopped])))
    assert [(p["top1"], p["status"]) for p in points] == [
        ("10.00", "incomparable"), ("99.00", "incomparable"), ("33.00", "failed"),
    ]  # fmt: skip


def test_a_run_that_stopped_on_its_way_has_evaluations_and_no_accuracy() -> None:
    stopped = run("own", 40, 5, status=Status.FAILED, points=curve(33.0, 44.0))
    [row] = rows(table.to_csv(frames.runs_frame([stopped])))
    assert (row["iterations"], row["evaluations"]) == ("101", "2")
    assert {row[f"{rule}_top1"] for rule in ("best", "last", "mean20", "median20")} == {""}


def test_nothing_yet() -> None:
    assert rows(table.to_csv(frames.runs_frame([]))) == []
    assert rows(table.to_csv(frames.points_frame([]))) == []
    assert markdown.render(compared([])).endswith("\n")
    assert latex.render(compared([])).endswith("\\end{table}\n")


def test_only_failures() -> None:
    failures = [RUNS[3], RUNS[7]]
    assert [row["status"] for row in rows(table.to_csv(frames.runs_frame(failures)))] == [
        "failed", "unavailable",
    ]  # fmt: skip
    text = markdown.render(compared(failures))
    assert "| FixMatch (TorchSSL) | failed | unavailable |" in text


@pytest.mark.parametrize("reason", ["a | b", "a\nb", "a\r\nb", "|\n|", "end\n", "a\rb", "\\|"])
def test_any_reason_leaves_the_markdown_table_whole(reason: str) -> None:
    lost = run("own", 40, 0, status=Status.FAILED, reason=reason)
    text = markdown.render(compared([lost]))
    [line] = [line for line in text.splitlines() if line.startswith("| 40-seed0-own ")]
    assert line.endswith(" |")
    assert len(line.replace("\\\\", "").replace("\\|", "").split("|")) == 7 + 2


def test_no_reason_becomes_markup() -> None:
    reason = "<script>alert(1)</script> [click](https://example.org) `code` &amp;"
    text = markdown.render(compared([run(status=Status.FAILED, reason=reason)]))
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\[click\\](https" in text
    assert "\\`code\\` &amp;amp;" in text


def test_one_rule_a_table() -> None:
    """The runs are listed under the rule of the accuracies above them, and no other."""
    for rule, header in (("last", "| last |"), ("best", "| best, chosen on the test set |")):
        text = markdown.render(compared(RUNS, rule=rule))
        [line] = [line for line in text.splitlines() if line.startswith("| run |")]
        assert header in line
        assert sum(word in line for word in ("best", "last", "mean", "median")) == 1
    assert "| 40-seed0-own | done | 201 | 3 | 62.00 |" in text


def test_the_profiles_rule_is_used_and_said() -> None:
    text = markdown.render(compared(RUNS, "cifar10"))
    assert "| FixMatch (own) | too few evaluations | 80.50 (n=1) | too few evaluations |" in text
    assert "Selection: median of the last 20 evaluations." in text


@pytest.mark.parametrize("character", "\\{}$&#_%~^")
def test_latex_of_any_text(character: str) -> None:
    escaped = latex.escape(f"a{character}b\nc")
    assert escaped != f"a{character}b c"
    assert escaped.startswith("a\\") and escaped.endswith("b c")


def test_published_rows_of_the_same_rule_are_in_the_tables() -> None:
    runs = [one for one in RUNS if one.manifest.labels == 250]
    for one in runs:
        one.manifest.settings["data"] = "cifar10"
    found = compared(runs, "cifar10")
    beside, apart = markdown.render(found).split("## Published, by other rules")
    SETTINGS["data"] = "mnist5k"
    assert (
        "| published: FixMatch paper, RandAugment (arXiv 2001.07685) | 94.93 ± 0.65 (n=5) |"
        in beside
    )
    assert "TorchSSL README" in apart and "FixMatch paper, RandAugment" not in apart
    assert "$94.93 \\pm 0.65$ ($n=5$)" in latex.render(found)
