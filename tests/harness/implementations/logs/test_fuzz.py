"""Whatever is done to a log on its way here, its reader never tells other numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, configuration, given, settings
from hypothesis import strategies as st

from harness.errors import LogError
from tests.helpers.plain_logs import PLAIN, Read, joined, read

EXAMPLES = 150  # of each log; some seconds in all
Wrap = Callable[[int, int, str], str]  # of rank r, line number n, and a line

RANKED: list[Wrap] = [
    lambda r, n, line: f"[default{r}]:{line}",
    lambda r, n, line: f"[rank{r}]: {line}",
    lambda r, n, line: f"{r}: {line}",
    lambda r, n, line: f"[1,{r}]<stdout>:{line}",
    lambda r, n, line: f"2024-03-01T10:{n % 60:02}:00.1234567Z [default{r}|{r}]:{line}",
]
WRAPS: list[Wrap] = [
    *RANKED,
    lambda r, n, line: line,
    lambda r, n, line: f"\x1b[32m{line}\x1b[0m",
    lambda r, n, line: f"2024-03-01T10:{n % 60:02}:00.1234567Z {line}",
    lambda r, n, line: f"2024-03-01T10:{n % 60:02}:00.123456789Z stdout F {line}",
    lambda r, n, line: f"Mar  1 10:{n % 60:02}:00 node7 python[{4000 + n}]: {line}",
    lambda r, n, line: f"train\trun\t2024-03-01T10:{n % 60:02}:00.1Z {line}",
    lambda r, n, line: f"trainer-1  | {line}",
    lambda r, n, line: f"(train pid={n}) {line}",
    lambda r, n, line: f"{n:6}\t{line}",
    lambda r, n, line: f"\r{line}  ",
    lambda r, n, line: f"    {line}\r",
    lambda r, n, line: f"> {line}",
]
UNKNOWN = st.text("abc [](){}|:;,.-_#<>=/0123456789'\"é", max_size=12).map(
    lambda prefix: lambda r, n, line: f"{prefix}{line}"
)


@pytest.fixture(scope="module", autouse=True)
def _no_folder_is_left_here(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hypothesis keeps what it finds out of a project's constants in a folder."""
    configuration.set_hypothesis_home_dir(tmp_path_factory.mktemp("hypothesis"))


@cache
def prefixes(name: str, path: Path) -> list[Read]:
    """What a log gives after each of its lines; the whole log's comes last."""
    lines = PLAIN[name]
    return [read(name, path, joined(lines[:number])) for number in range(len(lines) + 1)]


@st.composite
def mangled(draw: st.DrawFn, lines: Sequence[str]) -> tuple[str, bool]:
    """(a log to which things were done, whether its end was cut off).

    Lines are repeated, shortened, wrapped, mixed with those of other ranks and broken in two. One
    that is shortened keeps some letters: none can miss a line of which nothing is left.
    """
    numbers = st.integers(0, len(lines) - 1)
    repeated = draw(st.sets(numbers, max_size=3))
    kept = draw(st.dictionaries(numbers, st.integers(8, 200), max_size=2))
    ranks = draw(st.integers(1, 3))
    # Bars that nobody labelled do not tell whose they are, and training that goes back began again.
    is_labelled = ranks > 1 and "Batch: " in lines[-1]
    ranked, wraps = st.sampled_from(RANKED), st.sampled_from(WRAPS)
    wrap: Wrap = draw(ranked if is_labelled else (ranked if ranks > 1 else wraps) | wraps | UNKNOWN)
    copies = [
        [
            wrap(rank, number, line[: kept.get(number)].strip() or line)
            for number, line in enumerate(lines)
            for _ in range(1 + (number in repeated))
        ]
        for rank in range(ranks)
    ]
    mixed: list[str] = []
    while any(copies):
        copy = draw(st.sampled_from([copy for copy in copies if copy]))
        taken = draw(st.integers(1, 12)) if ranks > 1 else len(copy)
        mixed += copy[:taken]
        del copy[:taken]
    width = draw(st.none() | st.integers(40, 200))
    if width and draw(st.booleans()):
        mixed = [line[at : at + width] for line in mixed for at in range(0, len(line), width)]
    text = joined(mixed)
    # What two runs wrote without labels, cut off, may be of one that was started again.
    is_ambiguous = ranks > 1 and wrap not in RANKED
    is_cut = not is_ambiguous and draw(st.booleans())
    if is_cut:
        text = text[: draw(st.integers(0, len(text)))]
    return text, is_cut or len(lines) - 1 in kept


@pytest.mark.parametrize("name", PLAIN)
def test_the_same_numbers_or_an_error_with_its_line(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "log"
    expected = prefixes(name, path)
    assert len(expected[-1]) >= 3
    outcomes = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mangled(PLAIN[name]))
    def check(log: tuple[str, bool]) -> None:
        text, is_cut = log
        try:
            found = read(name, path, text)
        except LogError as error:
            assert re.search(r"log:\d+: ", str(error))
            outcomes.append("error")
        else:
            assert found in expected if is_cut else found == expected[-1]
            outcomes.append("read")

    check()
    assert {"read", "error"} == set(outcomes)
    assert outcomes.count("read") > EXAMPLES / 4
