"""The file that describes an implementation: what is refused, with its key and the remedy."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import git
import pytest

from harness.errors import BadInput
from harness.experiment import contender
from harness.implementations import registry
from harness.implementations.custom import placeholders, spec
from harness.implementations.custom.implementation import Custom
from tests.conftest import use_fake
from tests.helpers import foreign


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch, tmp_path):
    use_fake(monkeypatch, tmp_path)


def enter(tmp_path: Path, **changes: Any) -> str:
    return registry.enter(str(foreign.write(tmp_path / "mine", foreign.described(**changes))))


def test_enters_by_the_path_of_its_file(tmp_path):
    assert enter(tmp_path) == "mine"
    side = registry.create("mine")
    assert isinstance(side, Custom)
    assert (side.name, side.title, side.unavailable()) == ("mine", "Mine", None)
    assert side.source == tmp_path / "mine"
    assert enter(tmp_path) == "mine"  # again


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"runs": {}}, "runs: unknown; use schema, name, title, source, python, run, log"),
        ({"run__arguments_": ""}, "run.arguments_: unknown; use script, module, command"),
        ({"judge__means": [0]}, "judge.means: unknown; use checkpoint, state"),
        ({"schema": 2}, "schema: "),
        ({"name": "Mine!"}, "name: "),
        ({"title": None}, "title: missing; add it"),
        ({"name": "own"}, "name: own is taken"),
        ({"run__script": None}, "run: name one of script, module and command"),
        ({"run__script": "missing.py"}, r"run.script: no missing.py in .*mine; correct the key"),
        ({"run__shims": ["cuda"]}, "run.shims: cuda: unknown; use cuda-on-cpu"),
        ({"run__places": {"../data": "data"}}, "../data: leaves the run's folder"),
        ({"run__places": {"labels.npy": "labelled"}}, "places: none of data"),
        ({"run__arguments": "--lr {lrate}"}, "run.arguments: unknown placeholder {lrate}; use "),
        ({"run__files": {"a.yaml": {"k": ["{x}"]}}}, r"run.files.a.yaml.k: .*placeholder {x}"),
        ({"run__arguments": "--lr {lr:d}"}, r"run.arguments: .*\{lr:d\}: .* correct the"),
        ({"run__arguments": "--note it's"}, "run.arguments: No closing quotation; write it in"),
        ({"run__arguments": "--json {"}, "run.arguments: .*write {{ and }}"),
        ({"log__file": "{where}/log"}, "log.file: unknown placeholder {where}"),
        ({"log__pattern": "acc: (.*)"}, r"log.pattern: no group \(\?P<top1>"),
        ({"log__reader": "xml"}, "log.reader: "),
        ({"log__scale": {"top1": "percent"}}, "log.scale.top1"),
        ({"source": {"path": "../nowhere"}}, "source.path: .*nowhere is no folder; .*MINE_DIR"),
        ({"python": ".venv/bin/python"}, "python: .venv/bin/python: there is none"),
        ({"python": "/bin/true"}, "python: /bin/true does not answer as a Python does"),
        ({"network": None}, "network: missing, and judge needs its build"),
        ({"differs__batch_size": 3}, "differs.batch_size: the budget is the same for all"),
        ({"network__build": "network.build"}, "network.build: "),
        ({"split": {"inject": "drawing"}}, "split.inject: "),
        ({"split": {"inject": "a:b", "into": 1}}, "split.into: unknown; use inject"),
        (
            {"split": {"inject": "a:b"}, "run": {"command": ["sh"]}},
            "split: run.command has nobody in its process",
        ),
    ],
)
def test_what_is_refused(tmp_path, changes, says):
    with pytest.raises(BadInput, match=says) as raised:
        enter(tmp_path, **changes)
    assert "compare.yaml: " in str(raised.value) and "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_file_that_is_not_there_or_no_yaml(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere.yaml: cannot be read .*make new-spec"):
        registry.enter(str(tmp_path / "nowhere.yaml"))
    file = foreign.write(tmp_path / "mine", foreign.described())
    file.write_text("schema: 1\n  name: a\n")
    with pytest.raises(BadInput, match="not YAML"):
        registry.enter(str(file))


def test_an_interpreter_without_torch(tmp_path):
    """A bare one: it has the standard library and no more."""
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(BadInput, match=r"has no torch and no numpy; name the interpreter"):
        enter(tmp_path, python=str(bare))


def test_two_files_of_one_name(tmp_path):
    enter(tmp_path)
    other = foreign.write(tmp_path / "other", foreign.described())
    with pytest.raises(BadInput, match=r"name: mine is that of .*mine/compare.yaml too"):
        registry.enter(str(other))


def test_another_commit_than_the_pinned_one_is_unavailable(tmp_path):
    enter(tmp_path, source={"path": ".", "commit": "a" * 40})
    assert "source.commit is aaaaaaa, and " in str(registry.create("mine").unavailable())


def test_the_environment_may_name_another_checkout(tmp_path, monkeypatch):
    other = foreign.write(tmp_path / "other", foreign.described()).parent
    monkeypatch.setenv("MINE_DIR", str(other))
    enter(tmp_path, source={"path": "../nowhere"})
    assert registry.create("mine").source == other  # type: ignore[attr-defined]


def test_its_sum_is_that_of_what_trains(tmp_path):
    enter(tmp_path)

    def digest(**changes: Any) -> str:
        file = foreign.write(tmp_path / "mine", foreign.described(**changes))
        described = spec.read(file)
        return Custom(described.spec.contender, described).source_sha256()

    before = digest()
    assert digest(title="Another title", log__start="begin") == before
    assert digest(run__arguments="--lr {lr}") != before
    (tmp_path / "mine" / "network.py").write_text("changed = True\n")
    assert registry.create("mine").source_sha256() != before


@pytest.mark.parametrize("kind", ["json", "ini", "gin", "conf", "yaml", "toml"])
def test_its_configuration_is_in_its_sum(tmp_path, kind):
    """Also in a folder that the clone around it ignores, where git tracks nothing."""
    with git.Repo.init(tmp_path):
        (tmp_path / ".gitignore").write_text("mine/\n")
    settings = tmp_path / "mine" / f"settings.{kind}"
    enter(tmp_path)
    before = registry.create("mine").source_sha256()
    settings.write_text("lr = 0.03\n")
    begun = registry.create("mine").source_sha256()
    settings.write_text("lr = 0.3\n")
    assert len({before, begun, registry.create("mine").source_sha256()}) == 3


def test_goes_to_a_cluster(tmp_path):
    """A queued task is pickled with its implementation."""
    enter(tmp_path)
    side = pickle.loads(pickle.dumps(registry.create("mine")))
    assert (side.name, side.source) == ("mine", tmp_path / "mine")


def test_is_asked_for_again_by_its_file(tmp_path):
    enter(tmp_path)
    assert registry.word("mine") == str(tmp_path / "mine" / "compare.yaml")
    assert registry.word("own") == "own"


def test_one_of_configs_is_asked_for_again_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(contender, "FOLDER", tmp_path / "mine")
    enter(tmp_path)
    assert registry.word("mine") == "mine"


def test_placeholders_keep_their_type_where_they_stand_alone():
    names = placeholders.examples()
    content = {"lr": "{lr}", "words": ["n={labels}", "{labels}", 5], "literal": "{{x}}"}
    assert placeholders.render(content, names, "run.files") == {
        "lr": 0.03,
        "words": ["n=40", 40, 5],
        "literal": "{x}",
    }
    assert placeholders.mentions(content, "labels") and not placeholders.mentions(content, "seed")


@pytest.mark.parametrize("name", contender.described())
def test_files_of_public_implementations_are_in_order(name):
    described = spec.read(contender.FOLDER / f"{name}.yaml")
    assert described.spec.name == name and len(described.spec.source.commit) == 40
    assert name not in registry.names()


def test_it_has_no_other_algorithm(tmp_path):
    enter(tmp_path)
    side = registry.create(registry.under("mine", "mixmatch"))
    assert (side.name, side.title) == ("mine-mixmatch", "Mine, MixMatch")
    assert side.unavailable() == "mine has no MixMatch; leave it out of ALGORITHMS"
