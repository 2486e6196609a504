"""What goes wrong with a foreign implementation, each caused for real, and what a user reads."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.analysis import results
from tests.conftest import use_fake
from tests.faults.test_foreign_flow import NAME, Flow
from tests.helpers import foreign

pytestmark = pytest.mark.usefixtures("untraced")  # test_foreign_flow measures what is beside it


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch, tmp_path):
    use_fake(monkeypatch, tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def content_sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("mode", "status", "says"),
    [
        ("no-log", "failed", "nothing matches log.file out/log.txt in"),
        ("half-log", "failed", "no evaluation in out/log.txt; see log in its file"),
        ("fraction", "failed", "scale: {top1: 100}"),
        ("other-split", "incomparable", "rung 2, same labelled images"),
        ("few-steps", "failed", "it made 3 updates, asked for were 4"),
        ("nothing", "failed", "it ended without training"),
        ("crash", "failed", "exit code 1: out of luck"),
        ("missing-module", "failed", "No module named 'a_module_that_nobody_has'; install it"),
        ("other-lr", "incomparable", "rung 4, same hyper-parameters: lr: it used 0.06"),
    ],
)
def test_faults(tmp_path, mode, status, says):
    flow = Flow(tmp_path, foreign.described(mode=mode))
    said = flow.train(iterations=4)
    (run,) = results.load_all(flow.folder)
    assert run.status.value == status
    assert says in (said if status == "failed" else run.reason)


def test_writing_into_its_data_spoils_its_copy_alone(tmp_path):
    flow = Flow(tmp_path, foreign.described(mode="spoils-data"))
    before = content_sha256(flow.data_dir)
    flow.train(iterations=4)
    assert content_sha256(flow.data_dir) == before
    if os.geteuid() == 0:  # whom no mode of a file stops
        assert flow.manifest(NAME)["status"] == "done"
    else:
        assert flow.manifest(NAME)["failure"] == "not writable"


def test_a_checkpoint_of_other_keys_is_not_judged(tmp_path):
    flow = Flow(tmp_path, foreign.described(mode="other-keys"))
    said = flow.train(iterations=4)
    assert "not judged: " in said and "judge.state: no 'weights' in" in said
    assert "it has something_else, step" in said
    assert flow.manifest(NAME)["judged_top1"] is None


def test_nobody_else_is_incomparable_for_another_split(tmp_path):
    flow = Flow(tmp_path, foreign.described(mode="other-split"), implementations=["mine", "fake"])
    assert f"not all runs are done: {NAME} incomparable" in flow.run(iterations=4)
    statuses = dict(zip(flow.table()["implementation"], flow.table()["status"], strict=True))
    assert statuses == {"mine": "incomparable", "fake": "done"}
