"""diff over random tables, against the rules written once more without a table in sight.

A side is {(labels, implementation): {seed: run}}. A run is hundredths of a percent where it is
done, None where it is done without an accuracy, and a status where it is not done.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from harness.analysis import frames, results
from harness.analysis.diff import base_table
from harness.analysis.diff import rows as diff
from harness.commands import cli
from harness.experiment import profile
from harness.report import outputs
from tests.helpers import made

QUICK = profile.load("quick")
KEYS = [(40, "own"), (40, "torchssl"), (250, "own")]
TOLERANCE = {40: 600, 250: 300}
EDITS = ("drop", "add", "empty", "renumber", "stop", "all", "shift", "shift", "shift", "add")
NOT_DONE = ("failed", "running", "incomparable", "missing", "unavailable")

Run = int | str | None
Side = Mapping[tuple[int, str], Mapping[int, Run]]


def verdict(labels: int, old: Mapping[int, Run], new: Mapping[int, Run]) -> tuple[bool, set[str]]:
    """Whether a cell passes, and the verdicts that may be said of it."""
    was = {seed: run for seed, run in old.items() if not isinstance(run, str)}
    now = {seed: run for seed, run in new.items() if not isinstance(run, str)}
    not_done = {run for run in new.values() if isinstance(run, str)}
    if was and now and not set(was) & set(now):
        return False, {"no common seed"}
    if not_done or set(was) - set(now) or not now:
        return False, not_done | {"missing"}
    if None in was.values() or None in now.values():
        return False, {"no accuracy"}
    if not was:
        return True, {"new"}
    pairs = [(was[seed], now[seed]) for seed in set(was) & set(now)]
    moved = sum(b - a for a, b in pairs)  # type: ignore[operator]
    if abs(moved) > TOLERANCE[labels] * len(pairs):
        return False, {"moved"}
    return True, {"same" if all(a == b for a, b in pairs) else "within tolerance"}


def passes(old: Side, new: Side) -> bool:
    return all(verdict(key[0], old.get(key, {}), new.get(key, {}))[0] for key in {*old, *new})


# Multiples of 0.2, as 500 test images give: means of up to four have no tie to round.
accuracies = some.integers(0, 500).map(lambda images: images * 20)
steps = some.sampled_from([0, 0, 20, -20, 300, -300, 580, 600, 620, -600, -620, 1200, -2000])


@some.composite
def edits(draw: some.DrawFn, side: Side) -> Side:
    """The side with seeds dropped, added, emptied, moved to another number and to another value."""
    changed = {key: dict(cell) for key, cell in side.items()}
    for _ in range(draw(some.integers(0, 5))):
        key = draw(some.sampled_from(KEYS))
        cell = changed.setdefault(key, {})
        seed = draw(some.integers(0, 3))
        what = draw(some.sampled_from(EDITS))
        if what == "drop":
            cell.pop(seed, None)
        elif what == "add":
            cell.setdefault(seed, draw(accuracies))
        elif what == "empty" and seed in cell:
            cell[seed] = None
        elif what == "renumber" and seed in cell:
            cell[draw(some.integers(0, 3))] = cell.pop(seed)
        elif what == "stop" and seed in cell:
            cell[seed] = draw(some.sampled_from(NOT_DONE))
        elif what == "all":
            cell.clear()
        elif what == "shift":
            by, each = draw(steps), draw(some.booleans())
            for one in list(cell) if each else [seed]:
                if isinstance(before := cell.get(one), int):
                    cell[one] = min(10000, max(0, before + by))
    return {key: cell for key, cell in changed.items() if cell}


cells = some.dictionaries(some.integers(0, 3), accuracies, min_size=1, max_size=3)
sides = some.fixed_dictionaries(dict.fromkeys(KEYS, cells))
pairs_of_sides = sides.flatmap(lambda side: some.tuples(some.just(side), edits(side)))


def written(side: Side, empty: str = "") -> str:
    """The side as a table.csv."""
    rows = []
    for (labels, implementation), cell in side.items():
        for seed, run in cell.items():
            row = dict.fromkeys(frames.RUN_COLUMNS, "") | {
                "labels": labels, "seed": seed, "implementation": implementation, "schema": 1,
                "status": run if isinstance(run, str) else "done", "iterations": 5000,
                "evaluations": 22, "last_top1": empty,
            }  # fmt: skip
            if isinstance(run, int):
                row["last_top1"] = f"{run // 100}.{run % 100:02d}"
            rows.append(",".join(map(str, row.values())))
    return "\n".join([",".join(frames.RUN_COLUMNS), *rows]) + "\n"


@settings(max_examples=250, derandomize=True, deadline=None)
@given(pair=pairs_of_sides, swapped=some.booleans(), empty=some.sampled_from(["", "nan"]))
def test_the_verdicts_are_those_of_the_rules(
    pair: tuple[Side, Side], swapped: bool, empty: str
) -> None:
    old, new = reversed(pair) if swapped else pair
    frames = (base_table.read(written(side, empty).encode(), "table.csv") for side in (old, new))
    rows = diff.cells(*frames, QUICK, "last")
    assert [(row.labels, row.implementation) for row in rows] == sorted({*old, *new})
    for row in rows:
        key = (row.labels, row.implementation)
        good, verdicts = verdict(row.labels, old.get(key, {}), new.get(key, {}))
        assert (row.passes, row.verdict in verdicts) == (good, True), (row, verdicts)
    assert diff.Diff("base", "last", rows).holds == passes(old, new)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Side]:
    """A results folder of two seeds, its table.csv, and the same as a side."""
    folder = made.results(
        tmp_path_factory.mktemp("here") / "quick", (40, 250), (0, 1), judged=False
    )
    for name, content in outputs.tables(results.read(folder), QUICK).items():
        (folder / name).write_bytes(content)
    side: dict[tuple[int, str], dict[int, Run]] = {}
    for run in results.load_all(folder):
        key = (run.manifest.labels, run.manifest.implementation)
        side.setdefault(key, {})[run.manifest.seed] = round(run.points[-1].top1 * 100)
    return folder, (folder / "table.csv").read_text(), side


@settings(
    max_examples=20, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(data=some.data())
def test_the_exit_code_is_that_of_the_rules(
    here: tuple[Path, str, Side],
    data: some.DataObject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, text, new = here
    old = data.draw(edits(new))
    # The rows that were made, with the seeds, statuses and accuracies that were drawn.
    at = {name: number for number, name in enumerate(frames.RUN_COLUMNS)}
    header, *lines = text.splitlines()
    known = {tuple(line.split(",")[:3]): line.split(",") for line in lines}
    rows = []
    for (labels, implementation), cell in old.items():
        for seed, run in cell.items():
            row = list(known[str(labels), str(seed % 2), implementation])
            row[at["seed"]] = str(seed)
            for column in ("split_sha256", "initial_weights_sha256"):
                row[at[column]] = row[at[column]].replace(f"000{seed % 2}", f"000{seed}")
            row[at["status"]] = run if isinstance(run, str) else "done"
            row[at["last_top1"]] = f"{run / 100:.2f}" if isinstance(run, int) else ""
            rows.append(",".join(row))
    base = folder.parent / "base.csv"
    base.write_text("\n".join([header, *rows]) + "\n")
    words = ["diff", "--profile", "quick", "--results", str(folder.parent), "--base", str(base)]
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    code = cli.main()
    shown = capsys.readouterr()
    assert code == (0 if passes(old, new) else 1), (shown.out, shown.err)
