"""Which runs may be compared: the rungs that their own sums prove."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis import results
from harness.errors import BadInput
from harness.implementations.reported import Facts, Point, Resolved
from harness.parity import terms
from harness.runs import folder as runs
from harness.runs.folder import Run
from harness.runs.manifest import Manifest, Status, write_manifest

DATA, SPLIT, WEIGHTS = "d" * 64, "5" * 64, "1" * 64
OTHER = "0123456789abcdef" * 4
RUNGS = [
    ("data_sha256", "rung 1, same images"),
    ("split_sha256", "rung 2, same labelled images"),
    ("initial_weights_sha256", "rung 3, same initial weights"),
]


def facts(**change: str) -> Facts:
    sums = {"data_sha256": DATA, "split_sha256": SPLIT, "initial_weights_sha256": WEIGHTS}
    return Facts(torch_version="2.11.0", device="cpu", **(sums | change))


def run(
    implementation: str = "own",
    seed: int = 0,
    used: Facts | None = None,
    status: Status = Status.DONE,
    labels: int = 40,
    **asked: str,
) -> Run:
    settings = {"data_sha256": DATA, "split_sha256": SPLIT, "initial_weights_sha256": WEIGHTS}
    manifest = Manifest(
        implementation=implementation,
        labels=labels,
        seed=seed,
        settings=settings | asked,
        status=status,
        facts=used,
    )
    return Run(manifest, (Point(1, 10.0),), status, "")


def judged(*given: Run) -> list[tuple[Status, str]]:
    return [(r.status, r.reason) for r in terms.mark_incomparable(given)]


def test_folder_names() -> None:
    assert runs.folder_name(4000, 2, "torchssl") == "4000-seed2-torchssl"
    assert runs.attempt_folder(Path("a"), 3) == Path("a/attempt-3")


def test_runs_that_agree_are_done() -> None:
    pair = [run("own", used=facts()), run("torchssl", used=facts())]
    assert terms.mark_incomparable(pair) == pair


def test_runs_may_have_used_other_values_of_what_is_varied() -> None:
    pair = [
        replace(run("own", used=facts()), settings={"unlabelled_pool": Resolved(n, "log")})
        for n in (4500, 4460)
    ]
    assert terms.mark_incomparable(pair, {"unlabelled_pool"}) == pair
    assert {r.status for r in terms.mark_incomparable(pair)} == {Status.INCOMPARABLE}


@pytest.mark.parametrize(("field", "rung"), RUNGS)
def test_a_run_on_something_else_than_asked_names_the_rung(field: str, rung: str) -> None:
    [(status, reason)] = judged(run(used=facts(**{field: OTHER})))
    assert status is Status.INCOMPARABLE
    asked = {"data_sha256": DATA, "split_sha256": SPLIT, "initial_weights_sha256": WEIGHTS}[field]
    assert reason == f"{rung}: it used {OTHER[:12]}, asked for was {asked[:12]}"


@pytest.mark.parametrize(("field", "rung"), RUNGS)
def test_two_runs_that_differ_are_both_out(field: str, rung: str) -> None:
    """Where nothing was asked for, neither is right."""
    pair = [run("own", used=facts()), run("torchssl", used=facts(**{field: OTHER}))]
    for one in pair:
        del one.manifest.settings[field]
    own, torchssl = judged(*pair)
    assert own[0] is torchssl[0] is Status.INCOMPARABLE
    assert own[1].startswith(f"{rung}: it used ")
    assert own[1].endswith(f", torchssl {OTHER[:12]}")
    assert torchssl[1].startswith(f"{rung}: it used {OTHER[:12]}, own ")


def test_the_first_rung_that_fails_is_named() -> None:
    other = facts(data_sha256=OTHER, split_sha256=OTHER, initial_weights_sha256=OTHER)
    [(_, reason)] = judged(run(used=other))
    assert reason.startswith("rung 1, same images: ")


def test_a_done_run_without_facts_is_out() -> None:
    [(status, reason)] = judged(run(used=None))
    assert status is Status.INCOMPARABLE
    assert reason == "rung 1, same images: it recorded nothing of the images that it used"


@pytest.mark.parametrize("key", [{"seed": 1}, {"labels": 250}])
def test_runs_of_another_seed_or_label_count_may_differ(key: dict[str, int]) -> None:
    second = run("torchssl", used=facts(split_sha256=OTHER), split_sha256=OTHER, **key)  # type: ignore[arg-type]
    assert [status for status, _ in judged(run("own", used=facts()), second)] == [Status.DONE] * 2


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.DONE])
def test_a_run_that_is_not_done_keeps_its_status_and_accuses_nobody(status: Status) -> None:
    failed = run("torchssl", used=facts(data_sha256=OTHER), status=status)
    assert [s for s, _ in judged(run("own", used=facts()), failed)] == [Status.DONE, status]


def test_the_reason_of_a_failed_run_is_kept() -> None:
    failed = Run(run(status=Status.FAILED).manifest, (), Status.FAILED, "exit code 1")
    assert judged(failed) == [(Status.FAILED, "exit code 1")]


def test_runs_are_loaded_in_order_with_what_became_of_them(tmp_path: Path) -> None:
    asked = [("torchssl", 4000, 0), ("own", 250, 0), ("torchssl", 40, 10), ("own", 40, 2)]
    for implementation, labels, seed in asked:
        given = run(implementation, seed, labels=labels, status=Status.FAILED).manifest
        manifest = given.model_copy(update={"reason": "exit code 1"})
        folder = tmp_path / "runs" / runs.folder_name(labels, seed, implementation)
        write_manifest(folder, manifest)
    (tmp_path / "runs" / "40-seed9-own").mkdir()  # prepared, not begun
    (tmp_path / "runs" / "notes").mkdir()
    loaded = results.load_all(tmp_path)
    keys = [(r.manifest.labels, r.manifest.seed, r.manifest.implementation) for r in loaded]
    assert keys == [(40, 2, "own"), (40, 10, "torchssl"), (250, 0, "own"), (4000, 0, "torchssl")]
    assert {(r.status, r.reason, r.points) for r in loaded} == {(Status.FAILED, "exit code 1", ())}


def test_no_runs(tmp_path: Path) -> None:
    assert results.load_all(tmp_path) == []


def test_a_manifest_of_another_schema_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "40-seed0-own"
    write_manifest(folder, run().manifest.model_copy(update={"schema_version": 9}))
    with pytest.raises(BadInput, match="update this checkout"):
        results.load_all(tmp_path)
