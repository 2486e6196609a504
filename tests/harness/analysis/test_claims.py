"""Claims over a comparison: what cells and claims come to, what is lacking, what either costs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness.analysis.claims import answers as claims
from harness.analysis.claims.answers import Ruled, Weighed, costs
from harness.analysis.claims.measures import Ruling
from harness.errors import BadInput
from harness.experiment import claims as definition
from harness.experiment import profile
from harness.runs.manifest import Status
from tests.helpers import made, weighed

TRUE, FALSE, NOT_SHOWN = Ruling.TRUE, Ruling.FALSE, Ruling.NOT_SHOWN


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    weighed.define(monkeypatch, tmp_path / "configs")
    return weighed.make(tmp_path / "results")


def read(results: Path) -> Weighed:
    return claims.read(results / "quick", definition.load("trial"))


def judged(results: Path, name: str) -> Ruled:
    return next(one for one in read(results).judged if one.claim.id == name)


def place(results: Path, name: str, labels: int = 40, seed: int = 3) -> Path:
    return results / "quick" / "runs" / f"{labels}-seed{seed}-{name}"


def test_every_claim_is_judged(results: Path) -> None:
    assert {one.claim.id: one.ruling.value for one in read(results).judged} == {
        "entropy": "false",
        "mixup": "not shown",
        "confidence": "true",
        "added": "not shown",
        "one-iteration": "false",
        "all-each-iteration": "false",
        "part-forwarded": "false",
        "part-in-loss": "true",
    }


def test_an_answer_for_each_label_count_and_implementation(results: Path) -> None:
    one = judged(results, "entropy")
    assert [(a.labels, a.implementation, a.ruling) for a in one.answers] == [
        (40, "own", FALSE), (40, "torchssl", None), (250, "own", FALSE), (250, "torchssl", None),
    ]  # fmt: skip
    assert list(one.answers[0].readings) == [0, 3, 4]
    last = one.spread("last")
    assert last is not None and (last.n, last.median) == (6, pytest.approx(0.17))
    assert judged(results, "mixup").answers == []


def test_one_seed_that_disagrees_leaves_its_cell_and_the_claim_open(results: Path) -> None:
    weighed.edit(place(results, "own-mixmatch"), -1, guess_entropy=2.3)
    one = judged(results, "entropy")
    assert [answer.ruling for answer in one.answers] == [NOT_SHOWN, None, FALSE, None]
    assert one.ruling is NOT_SHOWN


def test_a_nan_decides_nothing_and_is_seen(results: Path) -> None:
    weighed.edit(place(results, "own-mixmatch"), -1, guess_entropy=math.nan)
    one = judged(results, "entropy")
    assert one.ruling is NOT_SHOWN and one.answers[0].ruling is NOT_SHOWN
    found = one.answers[0].spread("last")
    assert found is not None and found.n == 3 and math.isnan(found.median)


def test_what_one_seed_does_not_record_the_others_decide(results: Path) -> None:
    for at in range(12):
        weighed.edit(place(results, "own-mixmatch"), at, guess_entropy=None)
    one = judged(results, "entropy")
    assert one.ruling is FALSE and list(one.answers[0].readings) == [0, 4]


def test_a_whole_comparison_lacks_nothing(results: Path) -> None:
    found = read(results)
    assert not found.lacking and not found.empty and len(found.done) == 24


def test_what_is_lacking_is_told_with_its_status(results: Path) -> None:
    weighed.run(results, "own", 250, 4, status=Status.FAILED, reason="exit code 7")
    made.run(results / "quick", "own", 250, 9)  # a seed that nobody asked for is asked of all
    found = read(results)
    told = [(one.labels, one.contender, one.seed, one.status.value) for one in found.lacking]
    assert (250, "own", 4, "failed") in told
    assert (250, "torchssl-mixmatch", 9, "missing") in told and (40, "own", 9, "missing") in told
    assert len(told) == 1 + 7 and not found.empty


def test_a_cell_without_a_run_that_counts_is_empty(results: Path) -> None:
    for seed in (0, 3, 4):
        manifest = place(results, "own-mixmatch", 250, seed) / "manifest.json"
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps(content | {"source_sha256": "99" * 32}))
    found = read(results)
    assert found.empty == [(250, "own-mixmatch")]
    assert {one.status for one in found.lacking} == {Status.STALE}
    assert judged(results, "entropy").ruling is FALSE  # of what is there
    assert judged(results, "entropy").answers[2].readings == {}


def test_other_contenders_and_label_counts_are_left_out(results: Path) -> None:
    before = read(results)
    made.run(results / "quick", "labelled_only", 40, 0)
    made.run(results / "quick", "own", 4000, 0)
    after = read(results)
    assert after.done == before.done and after.lacking == before.lacking
    assert claims.sums(after.results) == claims.sums(before.results)


def test_the_sums_are_of_the_runs_that_are_used_as_seen_from_the_page(results: Path) -> None:
    lines = claims.sums(read(results).results).splitlines()
    assert len(lines) == 24 * 3  # manifest, log, predictions
    page = results / "studies" / "trial"
    page.mkdir(parents=True)
    for line in lines:
        assert (page / line.split("  ", 1)[1]).is_file()


def test_seeds_that_were_looked_at_are_told_apart(results: Path) -> None:
    found = read(results)
    every = {(p.labels, p.implementation): set(p.differences) for p in found.comparison.contrasts}
    unseen = {(p.labels, p.implementation): set(p.differences) for p in found.unseen}
    assert set(every) == set(unseen) == {(n, s) for n in (40, 250) for s in ("own", "torchssl")}
    assert all(seeds == {0, 3, 4} for seeds in every.values())
    assert all(seeds == {3, 4} for seeds in unseen.values())


def test_without_seeds_that_were_looked_at(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed.define(monkeypatch, tmp_path / "configs", looked_at=None)
    assert read(results).unseen == []


def test_no_run_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weighed.define(monkeypatch, tmp_path / "configs")
    (tmp_path / "results" / "quick" / "runs").mkdir(parents=True)
    found = read(tmp_path / "results")
    assert {one.ruling for one in found.judged} == {NOT_SHOWN}
    assert len(found.lacking) == 24 and len(found.empty) == 8


def test_times_are_of_the_logs(results: Path) -> None:
    ours, theirs = read(results).costs[:2]
    assert (ours.implementation, theirs.implementation) == ("own", "torchssl")
    assert ours.default is not None and ours.default.median == pytest.approx(60.0)
    assert theirs.other is not None and theirs.other.median == pytest.approx(100.0, rel=1e-3)
    assert ours.ratio is not None and (ours.ratio.n, ours.ratio.median) == (3, pytest.approx(1.0))


def test_times_of_other_machines_have_no_ratio(results: Path) -> None:
    for seed in (0, 3, 4):
        manifest = place(results, "own-mixmatch", 40, seed) / "manifest.json"
        content = json.loads(manifest.read_text())
        content["facts"]["processor"] = "another"
        manifest.write_text(json.dumps(content))
    cost = read(results).costs[0]
    assert cost.ratio is None and cost.default is not None and cost.other is not None


def test_a_run_that_was_taken_from_elsewhere_has_no_time(results: Path) -> None:
    manifest = place(results, "torchssl", 40, 3) / "manifest.json"
    content = json.loads(manifest.read_text())
    content["taken"] = {"folder": "there", "started": "2026-01-01"}
    manifest.write_text(json.dumps(content))
    cost = read(results).costs[1]
    assert cost.default is not None and cost.default.n == 2
    assert cost.other is not None and cost.other.n == 3
    assert cost.ratio is not None and cost.ratio.n == 2


def test_memory_is_a_benchmarks(results: Path) -> None:
    assert read(results).memory == {}
    timed = [("own", 100), ("own", 200), ("own-mixmatch", 300), ("torchssl", None), ("other", 1)]
    contenders = [
        {"name": name, "variant": "fp32", "median": {"peak_host_bytes": peak}}
        for name, peak in timed
    ]
    bench = results / "quick" / "bench.json"
    bench.write_text(json.dumps({"contenders": contenders}))
    assert read(results).memory == {"own": 100, "own-mixmatch": 300}
    other = {"name": "torchssl-mixmatch", "median": {"peak_host_bytes": 400}}
    (results / "quick" / "bench-mixmatch.json").write_text(json.dumps({"contenders": [other]}))
    assert read(results).memory == {"own": 100, "own-mixmatch": 300, "torchssl-mixmatch": 400}
    for content in ("[", "{}", "[1]", '{"contenders": [3]}'):
        bench.write_text(content)
        with pytest.raises(BadInput, match=r"bench\.json: not of a benchmark .*'make bench'"):
            read(results)


def test_a_single_value_and_none() -> None:
    assert costs.spread([]) is None
    one = costs.spread([2.0])
    assert one is not None and (one.n, one.median, one.lowest, one.highest) == (1, 2.0, 2.0, 2.0)
    three = costs.spread([5.0, 1.0, 2.0])
    assert three is not None and (three.median, three.lowest, three.highest) == (2.0, 1.0, 5.0)


def test_the_profile_is_the_files(results: Path) -> None:
    assert read(results).comparison.profile == profile.load("quick")
