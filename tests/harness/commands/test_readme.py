"""Tables in the README and in docs/ are lines of committed result files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"<!-- from (\S+) -->\n(.*?)<!-- end -->", re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_the_published_results_are_quoted() -> None:
    assert {source for page in PAGES for source, _ in blocks(page)} == {
        "results/published/quick/table.md",
        "results/published/quick/bench.md",
        "results/published/cifar10-jpeg75/photographs/table.md",
        "results/published/cifar10-jpeg75/cifar10/bench.md",
        "results/published/studies/*/README.md",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_number_in_a_table_is_in_the_results_it_names(page: Path) -> None:
    for source, block in blocks(page):
        files = [path.read_text(encoding="utf-8") for path in REPOSITORY.glob(source)]
        there = "\n".join(files).splitlines()
        assert [line for line in block.splitlines() if line and line not in there] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_it_links_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
