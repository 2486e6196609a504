"""The data layout: what is written is read, by the harness and by torchvision, or refused."""

from __future__ import annotations

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
from tests.helpers.small_data import arrays, know_sums


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
