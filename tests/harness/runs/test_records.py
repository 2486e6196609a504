"""Manifests and whole writes: read back the same, or refused with the remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pydantic
import pytest

from harness.errors import BadInput
from harness.implementations.reported import Facts
from harness.runs.files import write_text
from harness.runs.manifest import SCHEMA, Manifest, Status, read_manifest, write_manifest

FACTS = Facts(
    data_sha256="d" * 64,
    split_sha256="5" * 64,
    initial_weights_sha256="1" * 64,
    torch_version="2.11.0",
    device="cpu",
    shims=("cuda-on-cpu", "data-sums"),
)
MANIFEST = Manifest(
    implementation="own",
    labels=40,
    seed=3,
    settings={"lr": 0.03, "data": "mnist5k", "test_class_counts": [50] * 10, "nothing": None},
    status=Status.DONE,
    reason="häuptsächlich 'quoted', a | bar\nand a second line",
    attempt=2,
    started="2025-01-01T00:00:00+00:00",
    wall_seconds=210.5,
    exit_code=0,
    facts=FACTS,
    own_commit="abc-dirty",
    torchssl_commit="f26e1d4",
)


def rewritten(folder: Path, **change: object) -> Path:
    write_manifest(folder, MANIFEST)
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return path


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as error:
        read_manifest(folder)
    message = str(error.value)
    assert message.startswith(f"{folder / 'manifest.json'}: ")
    assert "\n" not in message
    return message


def test_round_trip(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a" / "new folder", MANIFEST)
    assert read_manifest(tmp_path / "a" / "new folder") == MANIFEST


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_kept(tmp_path: Path, status: Status) -> None:
    manifest = MANIFEST.model_copy(update={"status": status, "facts": None})
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_the_statuses() -> None:
    assert {str(status) for status in Status} == {
        "done", "running", "failed", "missing", "unavailable", "incomparable", "stale",
    }  # fmt: skip


def test_it_is_frozen() -> None:
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        MANIFEST.status = Status.FAILED  # type: ignore[misc]


def test_the_file_carries_its_schema_and_is_readable_text(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    text = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    assert json.loads(text)["schema_version"] == SCHEMA == 1
    assert text.endswith("}\n")
    assert len(text.splitlines()) > 10


def test_no_manifest_is_no_error(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "nowhere") is None


def test_a_newer_schema_says_to_update(tmp_path: Path) -> None:
    rewritten(tmp_path, schema_version=2)
    assert "schema 2, this code reads 1; update this checkout" in refused(tmp_path)


def test_a_newer_schema_with_new_keys_says_to_update(tmp_path: Path) -> None:
    rewritten(tmp_path, schema_version=7, invention=1)
    assert "update this checkout" in refused(tmp_path)


@pytest.mark.parametrize("version", [0, -1, "1", None])
def test_an_older_schema_says_to_run_again(tmp_path: Path, version: object) -> None:
    rewritten(tmp_path, schema_version=version)
    assert "run the comparison again in a new folder" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"7", b"{}", b"\xff\xfe\x00"])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    assert "move the run folder away" in refused(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("invention", 1), ("status", "perfect"), ("labels", "some"), ("settings", [1])],
)
def test_a_wrong_key_is_named(tmp_path: Path, key: str, value: object) -> None:
    rewritten(tmp_path, **{key: value})
    assert f": {key}: " in refused(tmp_path)


def test_a_wrong_fact_is_named(tmp_path: Path) -> None:
    rewritten(tmp_path, facts=FACTS.model_dump() | {"weather": "fine"})
    assert ": facts.weather: " in refused(tmp_path)


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "± 1\nsecond\r\n")
    assert path.read_bytes() == "± 1\nsecond\r\n".encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.raises(BadInput, match=r"file\.txt: .*No space left on device.*free some space"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_a_file_where_a_folder_should_be_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    for path in (tmp_path / "results" / "file.txt", tmp_path / "results" / "runs" / "file.txt"):
        with pytest.raises(BadInput, match=r"file\.txt: cannot be written .*RESULTS="):
            write_text(path, "new")
    assert (tmp_path / "results").read_text() == "in the way"


def test_a_folder_where_the_file_should_be_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file.txt" / "inner").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"file\.txt: cannot be written"):
        write_text(tmp_path / "file.txt", "new")
