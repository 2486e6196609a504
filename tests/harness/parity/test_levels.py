"""Levels of proof of one that is not held to every sum, and what a verdict then needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.analysis import comparison, frames, proven, published
from harness.analysis.diff.accepted import Accepted
from harness.experiment import profile
from harness.experiment.contender import Contender
from harness.implementations import registry
from harness.implementations.reported import Facts, Level, Point, Proof, Resolved
from harness.parity import levels
from harness.parity.checklist import Ladder, check, rung
from harness.parity.levels import BUDGET
from harness.parity.terms import mark_incomparable
from harness.report import markdown, page, proof, table
from harness.runs.folder import Run
from harness.runs.manifest import Manifest, Status

PROFILE = profile.load("quick")
SETTINGS = PROFILE.hyper_parameters() | {
    "iterations_per_epoch": 282,
    "data": "mnist5k",
    "test_class_counts": [50] * 10,
    "data_sha256": "da7a" * 16,
    "split_sha256": "5411" * 16,
}
SEEN = {
    name: Resolved(SETTINGS.get(name, 40), "witness")
    for name in ("labels", "iterations", "batch_size", "mu", "lr", "momentum", "weight_decay")
}
SHOWN = tuple(Proof(rung=rung, level=Level.SHOWN, text="seen") for rung in (1, 2))
CONTENDERS = {
    "mine": Contender(name="mine", title="Mine", implementation="mine", note="A note."),
    **{name: registry.contender(name) for name in ("own", "torchssl")},
}


def run(name: str = "mine", seed: int = 0, judged: float | None = 80.0, **changes: Any) -> Run:
    mine = name == "mine"
    facts = Facts(
        data_sha256=SETTINGS["data_sha256"],
        split_sha256=SETTINGS["split_sha256"],
        initial_weights_sha256="" if mine else "1" * 64,
        torch_version="2.11",
        device="cpu",
        proof=changes.pop("proof", SHOWN) if mine else (),
    )
    facts = facts.model_copy(update=changes.pop("facts", {}))
    points = (Point(SETTINGS["iterations"], 80.0),)
    manifest = Manifest(
        implementation=name, labels=40, seed=seed, settings=SETTINGS, status=Status.DONE,
        facts=facts, judged_top1=judged, source_commit="c0ffee" if mine else "",
    )  # fmt: skip
    settings = changes.pop("settings", SEEN)
    return Run(manifest, points, Status.DONE, "", settings, changes.pop("differs", {}))


def compared(runs: Sequence[Run]) -> comparison.Comparison:
    built = comparison.build(runs, PROFILE, CONTENDERS, {}, published.load())
    return proven.hold(built, levels.of_contenders(runs, None))


def test_level_of_each_rung():
    found = levels.of_run(run(differs={"replacement": False, "order": "crop first"}), None)
    assert {rung: one.level.value for rung, one in found.items()} == {
        1: "shown", 2: "shown", 3: "not shown", 4: "departs", 5: "not shown", 6: "not shown",
        7: "departs", 8: "shown", BUDGET: "shown",
    }  # fmt: skip
    assert "departs in: replacement" in found[4].text and "order" in found[7].text


def test_rung_4_says_what_is_seen_declared_and_not_known():
    declared = SEEN | {"threshold": Resolved(0.95, "declared: settings")}
    found = levels.of_run(run(settings=declared), None)[4]
    assert found.level is Level.NOT_SHOWN
    assert "seen: lr" in found.text and "declared: threshold" in found.text
    assert "not known: lambda_u" in found.text


def test_the_budget_is_shown_only_where_it_was_seen():
    partly = SEEN | {"mu": Resolved(1, "declared: settings")}
    assert levels.of_run(run(settings=partly), None)[BUDGET].level is Level.DECLARED
    less = {name: one for name, one in SEEN.items() if name != "iterations"}
    found = levels.of_run(run(settings=less), None)[BUDGET]
    assert (found.level, found.text) == (Level.NOT_SHOWN, "not seen: iterations")


def test_none_where_all_are_held_to_every_sum():
    assert levels.of_contenders([run("own"), run("torchssl")], None) == []


def test_the_weakest_of_its_runs_counts():
    runs = [run(), run(seed=1, judged=None), run("torchssl")]
    mine, reference = levels.of_contenders(runs, None)
    assert [one.rung for one in mine.lacking] == [8]
    assert reference.is_peer and not reference.lacking


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"judged": None}, "same judge is not shown of Mine"),
        ({"proof": SHOWN[:1]}, "same labelled images is not shown of Mine"),
        ({"settings": {}}, "same budget is not shown of Mine"),
        (
            {"proof": (*SHOWN[1:], Proof(rung=1, level=Level.HANDED_OUT))},
            "same images is handed out of Mine",
        ),
    ],
)
def test_no_verdict_without_what_it_needs(changes, says):
    runs = [run(seed=seed, **dict(changes)) for seed in (0, 1)]
    runs += [run("torchssl", seed) for seed in (0, 1)]
    (pairing,) = compared(runs).pairings
    assert pairing.lacking == says
    text = markdown.render(compared(runs))
    assert "| no verdict |" in text and f"there is no verdict: {says}." in text


def test_differences_of_method_stand_beside_the_verdict():
    runs = [run(seed=seed, differs={"replacement": False}) for seed in (0, 1)]
    runs += [run("torchssl", seed) for seed in (0, 1)]
    text = markdown.render(compared(runs))
    assert "**equivalent**" in text and "Differences of method: Mine: replacement: False." in text
    assert "## Levels of proof" in text and "| Mine | shown | shown | not shown | departs |" in text
    assert "A note." in text


def test_columns_at_the_end_of_the_table_only_where_one_is_described():
    plain = [run("own"), run("torchssl")]
    frame = frames.runs_frame(plain)
    assert proof.with_levels(frame, plain, None) is frame
    runs = [run(differs={"replacement": False}), run("torchssl")]
    csv = table.to_csv(proof.with_levels(frames.runs_frame(runs), runs, None))
    head, mine, reference = csv.splitlines()
    assert head.endswith("schema,rung_1,rung_2,rung_3,rung_4,rung_5,rung_6,rung_7,rung_8,"
                         "budget,departs,source_commit")  # fmt: skip
    assert mine.endswith("shown,shown,replacement: False,c0ffee")
    assert reference.split(",")[-3:] == ["shown", "", ""]


def test_one_that_strayed_is_nobodys_peer():
    """Ours and the reference's have other weights than a third, whose labelled set is wrong."""
    other = {"split_sha256": "0" * 64, "initial_weights_sha256": "2" * 64}
    runs = [run("own"), run("torchssl"), replace(run("torchssl", facts=other))]
    assert [one.status for one in mark_incomparable(runs)] == ["done", "done", "incomparable"]


def test_a_method_of_its_own_holds_nobody_else_to_it():
    told = {"replacement": Resolved(True, "log")}
    mine = run(settings=SEEN | {"replacement": Resolved(False, "witness")})
    others = [run("own", settings=told), run("torchssl", settings=told)]
    statuses = [one.status.value for one in mark_incomparable([mine, *others])]
    assert statuses == ["incomparable", "done", "done"]
    declared = replace(mine, differs={"replacement": False})
    assert [one.status.value for one in mark_incomparable([declared, *others])] == ["done"] * 3
    wrongly = replace(mine, differs={"replacement": True})
    reason = mark_incomparable([wrongly, *others])[0].reason
    assert "it used False, declared in differs is True" in reason


@pytest.mark.parametrize(("judged", "status"), [(80.05, "done"), (80.2, "incomparable")])
def test_accuracies_that_are_logged_with_one_digit(judged, status):
    assert mark_incomparable([run(judged=judged)])[0].status.value == status


def test_rungs_5_to_7_are_shown_by_the_ladder_of_its_algorithm() -> None:
    step = rung(6, "same step", (check("loss", "0", "exact", True),))
    climbed = Ladder(schema=1, profile="quick", holds=True, rungs=(step,))
    found = run("own-mixmatch")
    told = found.manifest.model_copy(update={"settings": SETTINGS | {"algorithm": "mixmatch"}})
    mixed = replace(found, manifest=told)
    assert levels.of_run(mixed, climbed)[6].level is Level.NOT_SHOWN
    assert levels.of_run(mixed, None, {"mixmatch": climbed})[6].level is Level.SHOWN
    assert levels.of_run(run("own"), None, {"mixmatch": climbed})[6].level is Level.NOT_SHOWN
    assert levels.of_run(run("own"), climbed)[6].level is Level.SHOWN


def test_the_page_has_them():
    runs = [run(judged=None, differs={"replacement": "<no>"}), run("torchssl")]
    text = page.render(compared(runs), [], [], None, Accepted())
    assert '<section id="levels">' in text and '<th scope="row">Mine</th>' in text
    assert "same judge is not shown of Mine" in text and "replacement: &lt;no&gt;" in text
    plain = page.render(compared(runs[1:]), [], [], None, Accepted())
    assert '<section id="levels">' not in plain
    commands = page.commands(compared([replace(runs[0], manifest=runs[0].manifest.model_copy(
        update={"spec_sha256": "5" * 64}))]))  # fmt: skip
    assert any("<mine's compare.yaml>" in command for command in commands)
