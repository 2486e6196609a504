"""What torch does with tensors of the device: every call of its API passes here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from tests.simulated_cuda import memory
from tests.simulated_cuda.memory import STATE

T = torch.Tensor

# They give a value, or a shape that depends on values: the host waits.
READS = {
    T.item, T.tolist, T.__bool__, T.__float__, T.__int__, T.__index__, T.is_nonzero, T.__repr__,
    T.__format__, T.__contains__, T.nonzero, T.masked_select, T.unique, T.equal, T.allclose,
    T.argwhere, T.bincount, torch.is_nonzero, torch.nonzero, torch.masked_select, torch.unique,
    torch.equal, torch.allclose, torch.argwhere, torch.bincount, torch.unique_consecutive,
    torch.nn.functional.one_hot,
}  # fmt: skip
# They may be given tensors of two places.
ACROSS = {T.copy_, torch._has_compatible_shallow_copy_type, torch.result_type, T.type_as}
RANDOM = {
    torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.bernoulli,
    T.normal_, T.uniform_, T.bernoulli_, T.random_,
}  # fmt: skip
CONVOLUTIONS = {torch.conv1d, torch.conv2d, torch.conv3d}
_DEVICE, _IS_CUDA, _IS_CPU = T.device.__get__, T.is_cuda.__get__, T.is_cpu.__get__
_SET_DATA, _SET_GRAD = T.data.__set__, T.grad.__set__


class SimulatedDevice(TorchFunctionMode):
    """Entered, it holds every call to the device's rules. It is of one thread, as all modes are."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        special = _SPECIAL.get(func)
        if special is not None:
            return special(func, args, kwargs)
        asked = kwargs.get("device")
        tensors = list(_tensors((args, kwargs)))
        place = _common_place(func, tensors)
        if asked is not None:
            place = index_of(asked)
            kwargs["device"] = "cpu"
        if func in READS and place is not None:
            memory.wait(func.__name__)
        if place is not None and func in RANDOM and kwargs.get("generator") is None:
            kwargs["generator"] = STATE.generators.setdefault(place, torch.Generator())
        if place is not None and func in CONVOLUTIONS:
            args = _as_convolved(args)
        result = func(*args, **kwargs)
        if place is None:
            return result
        if func is T.__repr__:
            return f"{result[:-1]}, device='cuda:{place}')"
        for tensor in _tensors(result):
            memory.put(tensor, place)
        return result


def index_of(device: Any) -> int | None:
    """The index of a device as torch takes them; None: the CPU's, or without values."""
    found = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    if found.type != "cuda":
        return None
    index = STATE.current if found.index is None else found.index
    if index >= torch.cuda.device_count():
        raise RuntimeError("CUDA error: invalid device ordinal")
    return index


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)


def _on_device(tensor: torch.Tensor) -> int | None:
    place = memory.place_of(tensor)
    return None if place == "pinned" else place  # type: ignore[return-value]


def _name(place: int | None) -> str:
    return "cpu" if place is None else f"cuda:{place}"


def _common_place(func: Any, tensors: Sequence[torch.Tensor]) -> int | None:
    """Where they all lie; a number on the CPU goes with any device. Raises RuntimeError."""
    with torch._C.DisableTorchFunction():
        places = {_on_device(t) for t in tensors if t.dim() > 0}
        numbers = {_on_device(t) for t in tensors if t.dim() == 0} - {None}
    if func in ACROSS:
        return _on_device(tensors[0])
    if len(places | numbers) > 1:
        first, second = sorted(map(_name, places | numbers))[:2]
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{first} and {second}! ({getattr(func, '__name__', func)})"
        )
    return next(iter(places | numbers), None)


def _as_convolved(args: Sequence[Any]) -> Sequence[Any]:
    """Input and weight with TF32's ten bits of mantissa, where torch is set so."""
    if torch.backends.cudnn.conv.fp32_precision != "tf32":
        return args
    with torch._C.DisableTorchFunction():
        return (*(_rounded(t) for t in args[:2]), *args[2:])


def _rounded(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return tensor
    bits = tensor.detach().clone().view(torch.int32)
    nearest = (bits + 0x0FFF + ((bits >> 13) & 1)) & ~0x1FFF
    return tensor + (nearest.view(torch.float32) - tensor.detach())


def _device(func: Any, args: Any, kwargs: Any) -> torch.device:
    place = _on_device(args[0])
    return func(*args) if place is None else torch.device("cuda", place)  # type: ignore[no-any-return]


def _to(func: Any, args: Any, kwargs: Any) -> torch.Tensor:
    tensor, *rest = args
    kwargs.pop("copy", None)
    if rest and isinstance(rest[0], torch.Tensor):
        target = _on_device(rest[0])
        return _moved(tensor, target, rest[0].dtype, False, None)
    device, dtype, non_blocking, layout = torch._C._nn._parse_to(*rest, **kwargs)
    target = _on_device(tensor) if device is None else index_of(device)
    if device is not None and device.type == "meta":
        return func(*args, **kwargs)  # type: ignore[no-any-return]
    return _moved(tensor, target, dtype, non_blocking, layout)


def _cuda(func: Any, args: Any, kwargs: Any) -> torch.Tensor:
    tensor, *rest = args
    asked = rest[0] if rest else kwargs.get("device")
    blocking = not kwargs.get("non_blocking", False)
    target = index_of("cuda" if asked is None else asked)
    return _moved(tensor, target, None, not blocking, None)


def _cpu(func: Any, args: Any, kwargs: Any) -> torch.Tensor:
    return _moved(args[0], None, None, False, None)


def _moved(
    tensor: torch.Tensor, target: int | None, dtype: Any, non_blocking: bool, layout: Any
) -> torch.Tensor:
    place, moves = memory.place_of(tensor), _on_device(tensor) != target
    if moves and not (non_blocking and place != target and (place == "pinned" or target is None)):
        memory.wait(f"a copy from {_name(_on_device(tensor))} to {_name(target)}")
    named = {"memory_format": layout} if layout is not None else {}
    result = T.to(tensor, dtype=dtype or tensor.dtype, copy=moves, **named)
    return result if target is None else memory.put(result, target)


def _numpy(func: Any, args: Any, kwargs: Any) -> Any:
    if (place := _on_device(args[0])) is not None:
        raise TypeError(
            f"can't convert cuda:{place} device type tensor to numpy. Use Tensor.cpu() to copy the "
            "tensor to host memory first."
        )
    return func(*args, **kwargs)


def _copy(func: Any, args: Any, kwargs: Any) -> torch.Tensor:
    tensor, source = args[:2]
    non_blocking = kwargs.get("non_blocking", args[2] if len(args) > 2 else False)
    to, of = _on_device(tensor), _on_device(source)
    if to != of and not (non_blocking and memory.place_of(source) == "pinned"):
        memory.wait(f"copy_ from {_name(of)} to {_name(to)}")
    return func(*args, **kwargs)  # type: ignore[no-any-return]


def _index(func: Any, args: Any, kwargs: Any) -> Any:
    """Reading or writing: a mask, or an index that lies on the CPU, makes the host wait."""
    tensor, index, *value = args
    place = _on_device(tensor)
    if place is None:
        _common_place(func, [tensor, *_tensors(index), *_tensors(value)])
    for one in _tensors(index):
        is_mask = one.dtype in (torch.bool, torch.uint8)
        if place is not None and (is_mask or (_on_device(one) is None and one.dim() > 0)):
            memory.wait("an index that is a mask or lies on the CPU")
    _common_place(func, [tensor, *_tensors(value)])
    result = func(*args, **kwargs)
    if place is not None and isinstance(result, torch.Tensor):
        memory.put(result, place)
    return result


def _set(func: Any, args: Any, kwargs: Any) -> Any:
    """`.grad` goes with its tensor; `.data` may bring it to another device, as `Module.to` does."""
    tensor, value = args
    if func is _SET_GRAD and value is not None:
        _common_place(func, [tensor, value])
    return func(*args, **kwargs)


def _pin(func: Any, args: Any, kwargs: Any) -> torch.Tensor:
    if _on_device(args[0]) is not None:
        raise RuntimeError(
            "cannot pin a tensor of the device: only dense CPU tensors can be pinned"
        )
    return memory.put(args[0].clone(), "pinned")


def _where(func: Any, args: Any, kwargs: Any) -> Any:
    place = _common_place(func, list(_tensors((args, kwargs))))
    if len(args) + len(kwargs) == 1 and place is not None:
        memory.wait("where of one argument")
    result = func(*args, **kwargs)
    for tensor in _tensors(result) if place is not None else ():
        memory.put(tensor, place)
    return result


_SPECIAL: dict[Any, Callable[[Any, Any, Any], Any]] = {
    _DEVICE: _device,
    _IS_CUDA: lambda func, args, kwargs: _on_device(args[0]) is not None,
    _IS_CPU: lambda func, args, kwargs: _on_device(args[0]) is None,
    T.get_device: lambda func, args, kwargs: -1 if (p := _on_device(args[0])) is None else p,
    T.to: _to,
    T.cuda: _cuda,
    T.cpu: _cpu,
    T.numpy: _numpy,
    T.__array__: _numpy,
    T.copy_: _copy,
    T.__getitem__: _index,
    T.__setitem__: _index,
    _SET_DATA: _set,
    _SET_GRAD: _set,
    T.pin_memory: _pin,
    T.is_pinned: lambda func, args, kwargs: memory.place_of(args[0]) == "pinned",
    torch.where: _where,
}
