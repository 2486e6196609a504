from __future__ import annotations

import numpy as np
import torch

from own_impl.views.transfer import constant, packed, send, unpacked

CPU = torch.device("cpu")


def test_what_is_packed_into_one_copy_comes_out_as_it_was() -> None:
    random = np.random.default_rng(0)
    tensors = [
        torch.from_numpy(random.integers(-9, 9, (3, 6))),
        torch.from_numpy(random.random(5)),
        torch.from_numpy(random.integers(0, 256, (2, 256), dtype=np.uint8)),
        torch.zeros(0, dtype=torch.int64),
    ]
    whole = packed(tensors)
    assert (whole.dtype, whole.dim()) == (torch.int64, 1)
    for before, after in zip(tensors, unpacked(whole, tensors), strict=True):
        assert after.dtype == before.dtype
        assert torch.equal(after, before)


def test_arrays_of_any_strides_are_sent() -> None:
    array = np.arange(12).reshape(3, 4)
    (sent,) = send([array.T[::-1]], CPU)
    assert sent.tolist() == array.T[::-1].tolist()
    assert send([], CPU) == []


def test_a_constant_is_sent_once() -> None:
    grey = np.array([125, 123, 114], np.uint8)
    first = constant(grey, CPU)
    assert first.tolist() == [125, 123, 114]
    assert first.dtype == torch.uint8
    assert constant(grey.copy(), CPU) is first
