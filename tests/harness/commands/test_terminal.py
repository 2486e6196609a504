"""What people are told of a run in progress."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.commands.console.terminal import Terminal, describe, duration
from harness.implementations.reported import Point, Progress


def plain() -> tuple[Terminal, io.StringIO]:
    out = io.StringIO()
    return Terminal(Console(file=out, highlight=False, soft_wrap=True)), out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0, "0s"),
        (0.4, "0s"),
        (48.3, "48s"),
        (59.7, "1m 00s"),
        (200, "3m 20s"),
        (3599.9, "1h 00m"),
        (7500, "2h 05m"),
        (86400, "1d 0h"),
        (76 * 3600, "3d 4h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_describe_a_run_in_full() -> None:
    progress = Progress(400, 1600, 40.0)
    latest = Point(iteration=351, top1=41.6, mask=0.314)
    assert describe(progress, latest) == (
        "iteration 400/1600 (25%), 10.0 it/s, 2m 00s left, top-1 41.60 at 351, mask 0.31"
    )


def test_describe_a_run_that_has_not_begun() -> None:
    assert describe(Progress(0, 1600, 0.0), None) == "iteration 0/1600 (0%)"


def test_describe_prefers_the_newer_mask() -> None:
    latest = Point(iteration=1, top1=10.0, mask=0.1)
    assert describe(Progress(5, 10, 0.0, mask=0.5), latest).endswith("mask 0.50")
    assert describe(Progress(5, 10, 0.0, mask=0.0), latest).endswith("mask 0.00")


def test_describe_without_a_mask() -> None:
    assert "mask" not in describe(Progress(5, 10, 1.0), Point(iteration=1, top1=10.0))


def test_describe_the_end() -> None:
    text = describe(Progress(10, 10, 5.0), None)
    assert text == "iteration 10/10 (100%), 2.0 it/s, 0s left"


def test_without_a_terminal_only_news_is_printed() -> None:
    terminal, out = plain()
    with terminal.run("40 labels, seed 0, own [1/2]") as line:
        line.update(None, None)
        line.update(Progress(1, 100, 1.0), None)
        first = Point(iteration=1, top1=10.0)
        line.update(Progress(2, 100, 2.0), first)
        line.update(Progress(3, 100, 3.0), first)
        line.update(Progress(4, 100, 4.0), Point(iteration=1, top1=10.0))
        line.update(Progress(60, 100, 60.0), Point(iteration=51, top1=62.5))
    title = "40 labels, seed 0, own [1/2]"
    assert out.getvalue().splitlines() == [
        f"{title}: starting",
        f"{title}: iteration 2/100 (2%), 1.0 it/s, 1m 38s left, top-1 10.00 at 1",
        f"{title}: iteration 60/100 (60%), 1.0 it/s, 40s left, top-1 62.50 at 51",
    ]


def test_on_a_terminal_one_line_is_redrawn_and_removed() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200, color_system=None)
    with Terminal(console).run("own") as line:
        line.update(Progress(2, 100, 2.0), None)
        line.update(Progress(3, 100, 3.0), None)
    text = out.getvalue()
    assert "own: iteration 3/100" in text
    assert text.endswith("\x1b[2K")  # the line is wiped at the end


def test_a_line_is_said_as_it_is() -> None:
    terminal, out = plain()
    long = "x" * 300
    terminal.say("[bold]not markup[/bold] :smile:")
    terminal.say(long)
    terminal.say()
    assert out.getvalue() == f"[bold]not markup[/bold] :smile:\n{long}\n\n"


def test_a_table_shows_its_cells_as_they_are() -> None:
    terminal, out = plain()
    terminal.table("Runs", ["run", "status"], [["40-seed0-own", "[failed] " + "y" * 100]])
    text = out.getvalue()
    assert text.splitlines()[0].rstrip() == "Runs"
    assert "[failed] " + "y" * 100 in text
