"""The committed tables, figures and reports are what the committed runs give, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis import provenance, results
from harness.commands import verify
from harness.commands.results import claims as claims_command
from harness.experiment import claims, profile
from harness.experiment import study as studies
from tests.conftest import REPOSITORY

RESULTS = REPOSITORY / "results" / "published"
# published/<profile>, and published/<data>/<profile> where the data are not the profile's own.
COMMITTED = sorted(
    str(path.parent.relative_to(RESULTS))
    for path in RESULTS.rglob("table.csv")
    if "studies" not in path.parts
)


@pytest.mark.parametrize("folder", COMMITTED)
def test_rebuilding_gives_the_committed_bytes(folder: str) -> None:
    verify.require(verify.check(RESULTS / folder, profile.load(Path(folder).name)))


def test_rebuilding_gives_the_bytes_of_each_committed_study() -> None:
    for path in sorted((RESULTS / "studies").glob("*/table.csv")):
        study = studies.load(path.parent.name)
        verify.require(verify.check_study(studies.place(RESULTS, study.name), study))


def test_rebuilding_gives_the_bytes_of_each_committed_page_of_claims() -> None:
    for one in map(claims.load, claims.names()):
        if claims_command.is_there(RESULTS, one):
            verify.require(verify.check_claims(RESULTS, one))


def test_every_cell_of_the_published_digits_is_of_one_source() -> None:
    """Of each contender, by its runs' own manifests; and all on one kind of processor, with as many
    threads."""
    found = results.read(RESULTS / "quick")
    published = provenance.read(RESULTS / "quick")
    assert published is not None and not published.mixed
    made = {(run.manifest.implementation, run.manifest.source_sha256) for run in found.runs}
    assert dict(made) == dict(published.sources) and len(made) == len(published.sources)
    on = {
        (run.manifest.facts.processor, run.manifest.facts.threads)
        for run in found.runs
        if run.manifest.facts is not None
    }
    assert len(on) == 1
