"""What rounding alone moves stands beside the margins, where the profile knows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis import results
from harness.analysis import study as findings
from harness.experiment import profile
from harness.experiment import study as studies
from harness.report import markdown, outputs, page, wording
from tests.conftest import REPOSITORY
from tests.helpers import made

QUICK = profile.load("quick")
FLOOR = "two runs of ours that have all of it and differ in rounding alone"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("floor") / "quick"
    for name in ("own", "torchssl"):
        made.run(place, name, 40, 0)
    return place


@pytest.mark.parametrize(
    ("floor", "said"), [({40: 4.2, 250: 0.5}, "up to 4.20 points with 40 labels apart"), ({}, "")]
)
def test_it_is_said_of_the_label_counts_that_are_there(
    folder: Path, floor: dict[int, float], said: str
) -> None:
    known = QUICK.model_copy(update={"floor": floor})
    found = results.read(folder)
    compared = replace(outputs.compare(found, QUICK, "last"), profile=known)
    for text in (markdown.render(compared), page.render(compared, [], [], None, found.accepted)):
        assert (FLOOR in " ".join(text.split())) is bool(said)
        assert said in " ".join(text.split())


def test_runs_of_other_length_or_images_have_another(folder: Path) -> None:
    known = QUICK.model_copy(update={"floor": {40: 4.2}})
    compared = replace(outputs.compare(results.read(folder), QUICK, "last"), profile=known)
    assert wording.floor(compared)
    for other in ({"iterations": 4000}, {"data": "cifar10"}):
        profile_ = known.model_copy(update=other)
        assert wording.floor(replace(compared, profile=profile_)) == []


def test_it_is_what_the_published_study_measured() -> None:
    """The most that a run of any variant is apart from the baseline's of its seed."""
    study = studies.load("noise")
    found = findings.read(studies.place(REPOSITORY / "results" / "published", study.name), study)
    assert found.study.profile == QUICK.name and found.rule == QUICK.selection
    assert QUICK.floor == {
        labels: max(
            round(abs(difference), 2)
            for row in found.at(labels)
            if row.pairing is not None
            for difference in row.pairing.differences.values()
        )
        for labels in found.labels
    }


def test_it_is_no_setting_that_runs_must_share() -> None:
    assert "floor" not in QUICK.model_copy(update={"floor": {40: 1.0}}).hyper_parameters()
