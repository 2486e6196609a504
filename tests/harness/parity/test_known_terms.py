"""On what terms runs stand side by side, and what is said where something outside is amiss."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import git
import pytest

from harness.commands import cli
from harness.commands.results import notices
from harness.commands.results.entry import Means
from harness.errors import BadInput
from harness.experiment import data, gpu
from harness.implementations import registry
from harness.implementations.interface import REPOSITORY
from harness.implementations.source import commit_of
from harness.implementations.torchssl.child.entry import _facts_of_resumption
from tests.faults.comparison import NAME, Comparison

ENTRY = {"kind": "start", "schema": 1, "torch_version": "2", "device": "cpu"}
SUMS = {"data_sha256": "d", "split_sha256": "s", "initial_weights_sha256": "w"}


@pytest.fixture
def done(tmp_path: Path, data_dir: Path, fake: None) -> Comparison:
    comparison = Comparison(tmp_path / "results", data_dir)
    comparison.run()
    return comparison


def change_facts(comparison: Comparison, **change: Any) -> None:
    manifest = comparison.manifest()
    manifest["facts"] |= {k: v for k, v in change.items() if k in manifest["facts"]}
    manifest |= {k: v for k, v in change.items() if k in manifest}
    (comparison.run_folder / "manifest.json").write_text(json.dumps(manifest))


def test_more_runs_at_once_than_gpus_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "count", lambda: 2)

    monkeypatch.setattr(gpu, "name", lambda: "a GPU")

    def told(jobs: int, device: str = "cuda") -> list[str]:
        return [line for line in notices.notices([], Means(jobs), device) if "JOBS" in line]

    assert told(3) == ["JOBS 3: 2 GPUs are here, which runs share; their times say little"]
    assert told(2) == [] == told(3, "cpu")


def test_runs_of_a_gpu_and_of_a_cpu_do_not_mix(done: Comparison) -> None:
    change_facts(done, device="NVIDIA H100")
    text = done.run(seeds=[0, 1])
    assert f"{NAME}: made with device cuda, now it is cpu; kept in" in text
    assert done.manifest()["facts"]["device"] == "cpu"
    [kept] = (done.folder / "runs/earlier").glob(f"*/{NAME}/manifest.json")
    assert json.loads(kept.read_text())["facts"]["device"] == "NVIDIA H100"


def test_other_torch_versions_are_noticed(done: Comparison) -> None:
    change_facts(done, torch_version="1.0")
    assert "Notice: finished runs here were made with torch 1.0, now it is" in done.run(
        seeds=[0, 1]
    )


def test_an_incomparable_run_says_how_to_train_it_anew(
    done: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "wrong-data")
    text = done.run(seeds=[0, 1])
    folder = done.folder / "runs/40-seed1-fake"
    assert f"40-seed1-fake incomparable; to train it anew move {folder} away" in text


def test_a_checkout_of_which_git_tells_nothing_is_noticed(
    done: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "commit_here", lambda: "")
    assert "Notice: git tells no commit of this checkout" in done.run()


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="this source is no clone")
def test_the_notice_says_what_git_says(done: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    text = done.run()
    assert "Notice: git tells no commit of this checkout (git says: fatal: detected dubious" in text
    assert "safe.directory" in text and "recorded without one" in text


def test_a_repository_that_git_refuses_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with git.Repo.init(tmp_path) as repository:
        (tmp_path / "file").write_text("1\n")
        repository.index.add(["file"])
        commit = repository.index.commit("first").hexsha
    assert commit_of(tmp_path) == commit
    for name, value in {"GLOBAL": "/dev/null", "NOSYSTEM": "1"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
    assert commit_of(tmp_path) == ""


@pytest.mark.parametrize("name", ["mnist5k", "cifar10"])
def test_a_cache_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "a file").write_text("mine")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    with pytest.raises(BadInput) as error:
        data.open_dataset(name)
    assert "\n" not in str(error.value)


def test_no_verb_shows_the_verbs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["harness"])
    assert cli.main() == 2
    shown = capsys.readouterr()
    assert "compare" in shown.out and shown.err == ""


def test_an_executor_that_there_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["harness", "compare", "--executor", "kubernetes"])
    assert cli.main() == 2
    assert "EXECUTOR kubernetes: unknown; use local, slurm" in capsys.readouterr().err


def test_status_and_tensorboard_are_commands(
    done: Comparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["status"], ["tensorboard", "--no-serve", "--profile", "quick"]):
        monkeypatch.setattr(sys, "argv", ["harness", *words, "--results", str(done.results)])
        assert cli.main() == 0
    shown = capsys.readouterr().out
    assert NAME in shown and "tensorboard --logdir" in shown


def test_a_resumption_on_other_data_shows_in_our_facts(tmp_path: Path) -> None:
    resumption = {"kind": "resume", "schema": 1, "iteration": 5, "data_sha256": "other"}
    lines = [json.dumps(ENTRY | SUMS), json.dumps(resumption | {"split_sha256": "s"})]
    log = tmp_path / "metrics.jsonl"
    log.write_text(lines[0] + "\n")
    facts = registry.create("own").facts(tmp_path)
    assert facts is not None and facts.data_sha256 == "d"
    log.write_text("\n".join(lines) + "\n")
    facts = registry.create("own").facts(tmp_path)
    assert facts is not None and facts.data_sha256 == "other"
    assert (facts.split_sha256, facts.initial_weights_sha256) == ("s", "w")


def test_a_resumption_of_torchssl_on_other_data_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    first = SUMS | {"shims": ["data-sums"], "resumed": [100]}
    path.write_text(json.dumps(first))
    now = {"data_sha256": "d", "initial_weights_sha256": "of the checkpoint", "shims": ["more"]}
    kept = _facts_of_resumption(path, now, 200)
    assert kept == SUMS | {"shims": ["more"], "resumed": [100, 200]}
    with pytest.raises(SystemExit, match="the data changed"):
        _facts_of_resumption(path, now | {"data_sha256": "x"}, 200)


def test_the_ci_script_is_sound() -> None:
    subprocess.run(["bash", "-n", str(REPOSITORY / ".ci/run")], check=True)
