"""Threads and processor change a run's numbers and no code does: said where they differ."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from harness.commands.results import table
from harness.experiment import profile
from harness.report.figures import curves as figure
from harness.runs.execution import pool, processor
from tests.faults.comparison import Comparison

QUICK = profile.load("quick")


@pytest.fixture
def case(tmp_path: Path, data_dir: Path, fake: None, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Nothing is drawn: that takes most of the time."""
    monkeypatch.setattr(figure, "render", lambda _drawn, _kind: b"<svg></svg>")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    return Comparison(tmp_path / "results", data_dir)


def made_with(case: Comparison, seed: int, labels: int = 40, **facts: object) -> None:
    """The run of `seed` says that it was made so."""
    path = case.folder / "runs" / f"{labels}-seed{seed}-fake" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["facts"] |= facts
    path.write_text(json.dumps(manifest))


def test_finished_runs_of_other_threads_are_noticed(case: Comparison) -> None:
    case.run()
    made_with(case, 0, threads=1, processor="A CPU")
    text = case.run(seeds=[0, 1])
    assert "Notice: finished runs here were made with threads 1, now it is 2" in text
    assert f"made with processor A CPU, now it is {processor.name()}" in text


def test_where_nothing_is_to_be_made_nothing_is_noticed(case: Comparison) -> None:
    case.run()
    made_with(case, 0, threads=1, processor="A CPU")
    text = case.run()
    assert "Nothing to do" in text and "Notice: finished runs" not in text


def test_the_page_says_where_they_differ_and_how_to_have_them_again(case: Comparison) -> None:
    case.run(seeds=[0, 1])
    for seed in (0, 1):
        made_with(case, seed, threads=2)
    table.write(case.folder, QUICK)
    page = (case.folder / "report.html").read_text()
    assert "OMP_NUM_THREADS=2 make compare" in page and "share of one" not in page

    made_with(case, 1, threads=1, processor="A CPU")
    made_with(case, 0, processor="Another CPU")
    table.write(case.folder, QUICK)
    said = "machine or share of one: 1 and 2 threads, on A CPU and Another CPU"
    assert said in (case.folder / "table.md").read_text()
    page = (case.folder / "report.html").read_text()
    assert said in page and "OMP_NUM_THREADS" not in page


def test_label_counts_of_a_machine_each_are_told_apart_from_a_mixture(case: Comparison) -> None:
    """Differences are between runs of one label count: it matters whether these are mixed."""
    case.run(labels=[20, 40, 100])
    for labels in (20, 40):
        made_with(case, 0, labels, threads=1, processor="A CPU")
    made_with(case, 0, 100, threads=2, processor="Another CPU")
    table.write(case.folder, QUICK)
    page = (case.folder / "table.md").read_text()
    assert (
        "The runs of one label count come from one machine, and each difference with them: "
        "20 and 40 labels on A CPU with 1 thread, 100 labels on Another CPU with 2 threads."
    ) in page
    assert "more than one machine" not in page

    made_with(case, 0, 100, threads=None, processor="Another CPU")
    table.write(case.folder, QUICK)
    assert (
        "machine or share of one: on A CPU and Another CPU"
        in (case.folder / "table.md").read_text()
    )


def test_a_share_has_its_part_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 3})
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [processor.threads(jobs) for jobs in (1, 2, 8)] == [3, 2, 1]
    assert pool.slots(2, "cpu")[0].environment["OMP_NUM_THREADS"] == "2"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert processor.threads(1) == 4
    monkeypatch.delattr("os.sched_getaffinity")  # as on a Mac
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert processor.threads(1) == 8


EPYC = "vendor_id\t: AuthenticAMD\ncpu family\t: {family}\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (
            EPYC.format(family=25) + "flags\t\t: sse avx avx2\n",
            "AMD EPYC (family 25, model 1, AVX2)",
        ),
        (
            EPYC.format(family=26) + "flags\t\t: avx2 avx512f\n\nmodel name\t: second\n",
            "AMD EPYC (family 26, model 1, AVX-512)",
        ),
        ("processor\t: 0\nFeatures\t: fp asimd\n", f"{platform.machine()} (NEON)"),
        ("model name\t: A CPU\n", "A CPU"),
    ],
)
def test_processors_of_one_name_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, name: str
) -> None:
    """A virtual machine's name says neither generation nor width, which change the numbers."""
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    processor.CPUINFO.write_text(told)
    assert processor.name() == name


def test_what_a_child_told_is_said_in_full(
    case: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    processor.CPUINFO.write_text(EPYC.format(family=25))
    full = "AMD EPYC (family 25, model 1)"
    told = [processor.in_full(plain) for plain in ("AMD EPYC", "AMD", "", full)]
    assert told == [full, "AMD", "", full]
