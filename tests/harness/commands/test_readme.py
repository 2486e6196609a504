"""Tables in the README are lines of committed result files."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- from (\S+) -->\n(.*?)<!-- end -->", README, re.DOTALL)


def test_every_number_in_a_table_of_the_readme_is_in_the_results_it_names() -> None:
    assert {source for source, _ in BLOCKS} == {
        "results/published/quick/table.md",
        "results/published/quick/bench.md",
        "results/published/cifar10-jpeg75/quick/table.md",
        "results/published/cifar10-jpeg75/cifar10/bench.md",
        "results/published/studies/*/README.md",
    }
    for source, block in BLOCKS:
        files = [path.read_text(encoding="utf-8") for path in REPOSITORY.glob(source)]
        there = "\n".join(files).splitlines()
        assert [line for line in block.splitlines() if line and line not in there] == []


def test_what_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
