"""Files of claims: what is asked stands in them, verdicts do not, and a wrong file is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.analysis.claims.measures import MEASURES
from harness.errors import BadInput
from harness.experiment import claims, profile
from harness.experiment import study as studies
from tests.helpers import weighed

MEASURED: dict[str, Any] = {"id": "a", "says": "It is so.", "measure": "pool-an-iteration"}
UNMEASURED = {
    "id": "b", "says": "So it is.", "measure": "none", "reason": "No run.", "experiment": "One.",
}  # fmt: skip


def test_the_report_is_taken_at_its_word() -> None:
    shipped = claims.load("fixmatch-mixmatch")
    assert shipped.contenders == {
        "own": ("own", "own-mixmatch"), "torchssl": ("torchssl", "torchssl-mixmatch"),
    }  # fmt: skip
    assert (shipped.labels, shipped.seeds) == ((40, 250, 4000), (0, 1, 2, 3, 4))
    assert shipped.looked_at is not None and shipped.looked_at.seeds == (0, 1, 2)
    assert {one.measure for one in shipped.claims} == {*MEASURES, "none"}
    assert shipped.asked == profile.load("quick")
    assert [one.name for one in claims.of_profile("quick")] == ["fixmatch-mixmatch"]
    assert claims.of_profile("cifar10") == []


def test_every_measure_has_its_rule() -> None:
    names = set(claims.Claim.model_fields["measure"].annotation.__args__)  # type: ignore[union-attr]
    assert names == {*MEASURES, "none"}
    for name in claims.THRESHOLDS:
        assert "{threshold" in MEASURES[name].rule
    for name in MEASURES.keys() - claims.THRESHOLDS.keys():
        assert "{threshold" not in MEASURES[name].rule


def test_no_name_is_that_of_a_study() -> None:
    assert not set(claims.names()) & set(studies.names())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"claims": [MEASURED | {"verdict": "false"}]}, ["claims.0.verdict", "Extra inputs"]),
        ({"claims": [MEASURED | {"measure": "vote"}]}, ["claims.0.measure", "'share-in-the-loss'"]),
        ({"claims": [MEASURED | {"threshold": 0.5}]}, ["a: pool-an-iteration takes no threshold"]),
        (
            {"claims": [MEASURED | {"reason": "x"}]},
            ["a: reason and experiment are of measure none"],
        ),
        ({"claims": [UNMEASURED | {"experiment": ""}]}, ["b: measure none needs a reason and an"]),
        ({"claims": [UNMEASURED, UNMEASURED]}, ["claims: b is there twice"]),
        ({"claims": [MEASURED | {"says": " "}]}, ["claims.0.says"]),
        ({"claims": [MEASURED | {"id": "A b"}]}, ["claims.0.id", "pattern"]),
        ({"claims": []}, ["claims", "at least 1"]),
        ({"algorithm": "fixmatch"}, ["algorithm fixmatch: unknown; use mixmatch, "]),
        ({"profile": "fast"}, ["profile fast: unknown", "quick"]),
        ({"name": "other"}, ["name: other"]),
        ({"labels": [0]}, ["labels.0"]),
        ({"seeds": []}, ["seeds"]),
        ({"looked_at": {"seeds": [0]}}, ["looked_at.why"]),
        ({"schema": 2}, ["schema"]),
    ],
)
def test_a_wrong_file_is_named_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: list[str]
) -> None:
    path = weighed.define(monkeypatch, tmp_path, **changes)
    with pytest.raises(BadInput) as caught:
        claims.load("trial")
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("measure", "threshold", "said"),
    [
        ("iterations-to-accuracy", None, "needs a threshold above 0 and below 1"),
        ("iterations-to-accuracy", 0.0, "needs a threshold above 0 and below 1"),
        ("iterations-to-accuracy", 1.0, "needs a threshold above 0 and below 1"),
        ("iterations-to-accuracy", float("nan"), "needs a threshold above 0 and below 1"),
        ("iterations-to-accuracy", 0.5, ""),
        ("pool-in-the-run", None, "needs a threshold above 0"),
        ("pool-in-the-run", 2.0, ""),
    ],
)
def test_a_threshold_is_given_where_one_is_needed(
    measure: str, threshold: float | None, said: str
) -> None:
    content = MEASURED | {"measure": measure, "threshold": threshold}
    if not said:
        assert claims.Claim.model_validate(content).threshold == threshold
        return
    with pytest.raises(ValueError, match=said):
        claims.Claim.model_validate(content)


def test_an_unknown_name_gives_the_known_ones() -> None:
    with pytest.raises(BadInput, match="NAME vat: unknown; use fixmatch-mixmatch"):
        claims.load("vat")


def test_the_file_says_what_would_show_what_is_not_measured() -> None:
    for one in yaml.safe_load(weighed.SHIPPED.read_text())["claims"]:
        assert one["measure"] != "none" or len(one["experiment"]) > 80
