"""bench of an implementation that a file describes: timed in its own process, or a row with why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.commands.bench import command as bench
from harness.commands.bench.asked import BenchQuestion
from harness.errors import Incomplete
from harness.implementations import registry
from tests.conftest import use_fake
from tests.harness.commands.test_bench import COUNTS, says
from tests.harness.commands.test_terminal import plain
from tests.helpers import foreign

DISCARD, TIMED = 2, 3


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_fake(monkeypatch, tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def _bench(
    tmp_path: Path, data_dir: Path, *implementations: str, blocks: int = 1
) -> tuple[dict[str, Any], str]:
    """(bench.json, bench.md)."""
    question = BenchQuestion(
        profile="quick",
        device="cpu",
        variants=(),
        blocks=blocks,
        iterations=TIMED,
        discard=DISCARD,
        results=tmp_path / "results",
        data_dir=data_dir,
        implementations=implementations,
    )
    bench.run(question, plain()[0])
    return _written(tmp_path)


def _written(tmp_path: Path) -> tuple[dict[str, Any], str]:
    folder = tmp_path / "results/quick"
    return json.loads((folder / "bench.json").read_text()), (folder / "bench.md").read_text()


def _enter(tmp_path: Path, **changes: Any) -> str:
    return registry.enter(str(foreign.write(tmp_path / "mine", foreign.described(**changes))))


def test_its_updates_are_timed_in_turn_with_ours(tmp_path: Path, data_dir: Path) -> None:
    result, page = _bench(tmp_path, data_dir, "own", _enter(tmp_path), blocks=2)
    own, mine = result["contenders"]
    assert (own["name"], mine["name"], mine["variant"]) == ("own", "mine", "fp32")
    assert result["not_timed"] == []
    for contender in (own, mine):
        assert len(contender["blocks"]) == 2
        assert contender["median"]["seconds_per_iteration"] > 0
        assert contender["median"]["seconds_per_evaluation"] > 0
        assert contender["median"]["peak_host_bytes"] > 100 * 2**20
    ms = 1000 * mine["median"]["seconds_per_iteration"]
    assert f"| mine | fp32 | {ms:.1f} | " in page
    torch = own["blocks"][0]["torch_version"]
    assert f"in the same turn: mine (torch {torch}, 1 thread). An iteration is from" in page
    assert str(tmp_path) not in json.dumps(result)


def test_it_is_given_what_a_run_is_given_and_its_source_is_not_written_to(
    tmp_path: Path, data_dir: Path
) -> None:
    """Its data are a copy, where it looks for them, and the weights where its file says."""
    words = f"{foreign.ARGUMENTS} --data my/images"
    places = {"my/images": "data", "my/weights": "weights", "my/labelled.npy": "labelled"}
    run = {"script": "train.py", "arguments": words, "places": places}
    name = _enter(tmp_path, run=run)
    before = sorted(path for path in (tmp_path / "mine").rglob("*"))
    result, _ = _bench(tmp_path, data_dir, name)
    assert [one["name"] for one in result["contenders"]] == ["mine"]
    assert sorted(path for path in (tmp_path / "mine").rglob("*")) == before


def test_one_that_makes_more_updates_is_ended(tmp_path: Path, data_dir: Path) -> None:
    """A number of steps that its code fixes is no reason to train for hours."""
    words = foreign.ARGUMENTS.replace("{iterations}", "1000000").replace("{eval_every}", "1000000")
    result, page = _bench(tmp_path, data_dir, _enter(tmp_path, run__arguments=words))
    (mine,) = result["contenders"]
    assert mine["median"]["seconds_per_iteration"] > 0
    assert mine["median"]["seconds_per_evaluation"] is None
    row = next(line for line in page.splitlines() if line.startswith("| mine |"))
    assert [cell.strip() for cell in row.split("|")][7:10] == ["-", "-", "-"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"run": {"command": ["python", "train.py"]}},
            "run.command has no witness that could time its updates; name a script or module",
        ),
        ({"mode": "nothing"}, "no update of an optimiser was seen in its process"),
        ({"mode": "missing-module"}, "a_module_that_nobody_has"),
        ({"run__arguments": foreign.ARGUMENTS.replace("{iterations}", "3")}, "it made 3 updates"),
    ],
)
def test_what_cannot_be_timed_is_a_row_with_its_reason(
    tmp_path: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    reason: str,
) -> None:
    says(monkeypatch, COUNTS.format(counter=str(tmp_path / "count")))
    with pytest.raises(Incomplete, match=r"not all could be timed: .*mine"):
        _bench(tmp_path, data_dir, "own", _enter(tmp_path, **changes))
    result, page = _written(tmp_path)
    assert [one["name"] for one in result["contenders"]] == ["own"]
    (lacking,) = result["not_timed"]
    assert lacking["name"] == "mine" and reason in lacking["reason"]
    assert f"not timed: {lacking['reason']}" in page
    lengths = {
        line.count("|") for line in page.splitlines() if line.startswith(("| own", "| mine"))
    }
    assert len(lengths) == 1


@pytest.mark.skipif("OLDEST_PYTHON" not in os.environ, reason="OLDEST_PYTHON names no interpreter")
def test_in_the_oldest_environment(tmp_path: Path, data_dir: Path) -> None:
    result, page = _bench(tmp_path, data_dir, _enter(tmp_path, python=os.environ["OLDEST_PYTHON"]))
    (mine,) = result["contenders"]
    assert mine["blocks"][0]["torch_version"].startswith("1.12")
    assert "mine (torch 1.12" in page
