"""Commits and source sums."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from harness.implementations.source import commit_of, source_sha256, why_no_commit


@pytest.fixture
def repository(tmp_path: Path) -> git.Repo:
    folder = tmp_path / "a repository"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "one.py").write_text("1\n")
    (folder / "notes.md").write_text("notes\n")
    repo = git.Repo.init(folder)
    with repo.config_writer() as config:
        config.set_value("user", "name", "Somebody")
        config.set_value("user", "email", "somebody@example.com")
        config.set_value("commit", "gpgsign", "false")
    repo.index.add(["code/one.py", "notes.md"])
    repo.index.commit("first")
    repo.close()
    return repo


def folder_of(repository: git.Repo) -> Path:
    return Path(repository.working_dir)


def test_a_clean_tree_is_its_commit(repository: git.Repo) -> None:
    commit = commit_of(folder_of(repository))
    assert commit == repository.head.commit.hexsha
    assert len(commit) == 40


def test_a_changed_file_makes_it_dirty(repository: git.Repo) -> None:
    (folder_of(repository) / "code" / "one.py").write_text("2\n")
    assert commit_of(folder_of(repository)) == f"{repository.head.commit.hexsha}-dirty"


def test_a_staged_change_makes_it_dirty(repository: git.Repo) -> None:
    (folder_of(repository) / "code" / "one.py").write_text("2\n")
    repository.index.add(["code/one.py"])
    assert commit_of(folder_of(repository)).endswith("-dirty")


def test_an_untracked_file_does_not(repository: git.Repo) -> None:
    (folder_of(repository) / "results.csv").write_text("1\n")
    assert commit_of(folder_of(repository)) == repository.head.commit.hexsha


def test_only_the_named_paths_count(repository: git.Repo) -> None:
    folder = folder_of(repository)
    (folder / "notes.md").write_text("more\n")
    assert commit_of(folder).endswith("-dirty")
    assert commit_of(folder, only=["code"]) == repository.head.commit.hexsha
    (folder / "code" / "one.py").write_text("2\n")
    assert commit_of(folder, only=["elsewhere", "code"]).endswith("-dirty")


def test_no_repository_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == ""
    assert commit_of(tmp_path / "nowhere") == ""


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    git.Repo.init(tmp_path).close()
    assert commit_of(tmp_path) == ""


def test_a_folder_of_a_clone_has_no_commit_of_its_own(repository: git.Repo) -> None:
    folder = folder_of(repository) / "code"
    assert commit_of(folder) == ""
    assert why_no_commit(folder) == f"{folder} is no git clone of its own"
    (folder / ".git").mkdir()  # nothing that git knows, so git itself would look further up
    assert commit_of(folder) == ""


def test_why_there_is_no_commit_is_what_git_says(
    repository: git.Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(repository)
    assert why_no_commit(folder) == ""
    assert "does not have any commits yet" in why_no_commit_in_an_empty_one(tmp_path / "empty")
    assert why_no_commit(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'} is no folder"
    assert "git says: fatal: not a git repository" in why_no_commit(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert why_no_commit(folder).endswith(f"git config --global --add safe.directory '{folder}'")
    monkeypatch.setenv("PATH", "")
    assert why_no_commit(folder).startswith("git cannot be found; install it")
    assert commit_of(folder) == ""


def why_no_commit_in_an_empty_one(folder: Path) -> str:
    git.Repo.init(folder).close()
    return why_no_commit(folder)


def test_the_source_sum_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    one = tmp_path / "package" / "one.py"
    one.write_text("1\n")
    before = source_sha256(tmp_path)
    assert before == source_sha256(tmp_path)

    one.write_bytes(b"1\r\n")  # as git's core.autocrlf leaves it
    assert source_sha256(tmp_path) == before

    (tmp_path / "package" / "notes.md").write_text("no source\n")
    assert source_sha256(tmp_path) == before

    one.write_text("2\n")
    changed = source_sha256(tmp_path)
    one.write_text("1\n")
    one.rename(one.with_name("two.py"))
    renamed = source_sha256(tmp_path)
    (tmp_path / "package" / "new.py").write_text("")
    added = source_sha256(tmp_path)
    assert len({before, changed, renamed, added}) == 4


def test_the_source_sum_does_not_depend_on_where_it_lies(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.py").write_text("1\n")
    assert source_sha256(tmp_path / "here") == source_sha256(tmp_path / "there")
