"""The page of claims: golden text, the same bytes each time, what is said of what is lacking."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis import provenance
from harness.analysis.provenance import Provenance
from harness.commands.results import claims as command
from harness.experiment import claims as definition
from harness.experiment.claims import Claims
from harness.report.study import claims_outputs as files
from tests.helpers import weighed

GOLDEN = Path(__file__).parents[2] / "golden" / "claims"


@pytest.fixture
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Claims:
    weighed.define(monkeypatch, tmp_path / "configs")
    return definition.load("trial")


@pytest.fixture
def results(tmp_path: Path, claims: Claims) -> Path:
    return weighed.make(tmp_path / "results")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    weighed.draw_nothing(monkeypatch)


def written(results: Path, claims: Claims) -> str:
    command.write(results, claims)
    return (results / "studies" / "trial" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["README.md", "numbers.csv"])
def test_golden(results: Path, claims: Claims, undrawn: None, name: str) -> None:
    written(results, claims)
    there = (results / "studies" / "trial" / name).read_text("utf-8")
    assert there == (GOLDEN / name).read_text("utf-8")


def test_the_same_runs_give_the_same_bytes_wherever_they_lie(
    results: Path, claims: Claims, tmp_path: Path
) -> None:
    written(results, claims)
    again = tmp_path / "elsewhere"
    shutil.copytree(results / "quick", again / "quick")
    written(again, claims)
    folder = again / "studies" / "trial"
    assert sorted(path.name for path in folder.iterdir()) == sorted(files.NAMES)
    for name in files.NAMES:
        there = (results / "studies" / "trial" / name).read_bytes()
        assert (folder / name).read_bytes() == there, name
    assert (folder / "guesses.svg").read_bytes().startswith(b"<?xml")
    assert (folder / "accuracy-vs-images.png").read_bytes().startswith(b"\x89PNG")


def test_every_link_of_the_page_leads_somewhere(
    results: Path, claims: Claims, undrawn: None
) -> None:
    text = written(results, claims)
    heads = re.findall(r"^### (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
    links = re.findall(r"\]\(#([^)]*)\)", text)
    assert len(links) == len(claims.claims) and set(links) == anchors
    for name in re.findall(r"!\[[^]]*\]\(([^)]*)\)", text):
        assert (results / "studies" / "trial" / name).is_file()


def test_the_numbers_are_of_each_seed(results: Path, claims: Claims, undrawn: None) -> None:
    written(results, claims)
    frame = pd.read_csv(results / "studies" / "trial" / "numbers.csv", dtype={"verdict": str})
    assert list(frame.columns) == files.COLUMNS and set(frame["schema"]) == {1}
    of = frame[(frame["claim"] == "entropy") & (frame["number"] == "last")]
    assert of["seed"].tolist() == [0, 3, 4, 0, 3, 4] and set(of["implementation"]) == {"own"}
    assert of["value"].tolist() == pytest.approx([0.17] * 6) and set(of["verdict"]) == {"false"}
    theirs = frame[(frame["claim"] == "confidence") & (frame["implementation"] == "torchssl")]
    assert theirs["verdict"].isna().all() and set(theirs["number"]) == {"share", "end"}


def test_a_nan_stands_in_the_table(results: Path, claims: Claims, undrawn: None) -> None:
    place = results / "quick" / "runs" / "40-seed3-own-mixmatch"
    weighed.edit(place, -1, guess_entropy=math.nan)
    text = written(results, claims)
    assert "| 40 | own | 0, 3, 4 | 2.12 | nan | nan | not shown |" in text
    assert "entropy of the guesses 2.12 → nan nats |" in text
    assert "### `entropy`: not shown" in text


def test_what_is_lacking_is_said_first(results: Path, claims: Claims, undrawn: None) -> None:
    for name in ("40-seed4-own", "40-seed4-own-mixmatch", "250-seed0-torchssl"):
        shutil.rmtree(results / "quick" / "runs" / name)
    text = written(results, claims)
    assert text.index("Not all runs of a whole") < text.index("| claim |")
    assert "- own, own-mixmatch at 40 labels: seed 4 missing\n" in text
    assert "- torchssl at 250 labels: seed 0 missing\n" in text
    assert 'LABELS="40 250" SEEDS="0 3 4" PROFILE=quick\nmake study NAME=trial\n' in text


def test_a_cell_without_a_run_says_so(results: Path, claims: Claims, undrawn: None) -> None:
    for place in (results / "quick" / "runs").glob("40-*-own-mixmatch"):
        shutil.rmtree(place)
    text = written(results, claims)
    section = text.split("### `entropy`")[1].split("\n### ")[0]
    assert "| 40 | own |  |  |  |  | no run |" in section
    assert "| 40 | torchssl |  |  |  |  | not recorded |" in section
    section = text.split("### `one-iteration`")[1].split("\n### ")[0]  # decided by FixMatch alone
    assert re.search(r"\| 40 \| own \| 0, 3, 4 \|.*\|  \|  \| false \|", section)
    assert "| 40 | own - own-mixmatch | all |  |  |  | no pair |" in text


def test_no_run_is_no_verdict(claims: Claims, tmp_path: Path, undrawn: None) -> None:
    (tmp_path / "results" / "quick" / "runs").mkdir(parents=True)
    text = written(tmp_path / "results", claims)
    assert "**No run is here, so nothing can be said.**" in text
    assert "| [`entropy`](#entropy-not-shown) |" in text and "| **not shown** | - |" in text


def test_runs_of_other_data_and_length_are_in_the_command(
    claims: Claims, tmp_path: Path, undrawn: None
) -> None:
    for name in weighed.NAMES:
        place = weighed.run(tmp_path / "results", name, 40, 0, data="cifar10-jpeg75")
        manifest = place / "manifest.json"
        manifest.write_text(
            manifest.read_text().replace('"iterations": 5000', '"iterations": 4000')
        )
    text = written(tmp_path / "results", claims)
    assert 'ITERATIONS=4000 DATA_DIR="<folder of cifar10-jpeg75>"\n' in text


def test_evidence_says_why_it_was_published(results: Path, claims: Claims, undrawn: None) -> None:
    sources = {name: ("50" if name.startswith("own") else "70") * 32 for name in weighed.NAMES}
    said = Provenance(date="2026-01-02", reason="five | seeds", commit="3" * 40, sources=sources)
    provenance.write(results / "quick", said)
    text = written(results, claims)
    assert r"Published 2026-01-02 at `333333333333`: five \| seeds." in text
    assert "| `own` | 40: 0, 3, 4; 250: 0, 3, 4 | `505050505050` | `111111111111` |" in text


def test_a_commit_that_was_changed_says_so(claims: Claims, tmp_path: Path, undrawn: None) -> None:
    manifest = weighed.run(tmp_path / "results", "own", 40, 0) / "manifest.json"
    manifest.write_text(manifest.read_text().replace("1" * 40, "1" * 40 + "-dirty"))
    text = written(tmp_path / "results", claims)
    assert "| `111111111111-dirty` |" in text
    assert "No implementation has runs of both FixMatch and MixMatch here." in text


def test_memory_where_a_benchmark_is_there(results: Path, claims: Claims, undrawn: None) -> None:
    command_line = 'make bench PROFILE=quick IMPLEMENTATIONS="own torchssl"'
    assert command_line in written(results, claims)
    peak = '{"name": "own", "median": {"peak_host_bytes": 816730112}}'
    (results / "quick" / "bench.json").write_text(f'{{"contenders": [{peak}]}}')
    text = written(results, claims)
    assert "| `own` | 779 |" in text and "| `torchssl` | - |" in text
    assert command_line not in text


def test_seeds_that_were_looked_at_are_named(results: Path, claims: Claims, undrawn: None) -> None:
    text = written(results, claims)
    assert "Looked at, of the seeds here: 0; not looked at: 3, 4." in text
    assert "| 40 | own - own-mixmatch | not looked at | 3: " in text
