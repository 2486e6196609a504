"""Which implementations there are, and which contenders enter with them: explicit lists.

One that is described by a file of its own repository enters by the path of that file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.experiment import algorithms
from harness.experiment import contender as contenders
from harness.experiment.contender import Contender
from harness.implementations import imported
from harness.implementations.custom import spec
from harness.implementations.custom.implementation import Custom
from harness.implementations.custom.spec import Described
from harness.implementations.imported import Imported
from harness.implementations.interface import Implementation
from harness.implementations.own import Own
from harness.implementations.torchssl.implementation import TorchSSL

Make = Callable[[Contender], Implementation]

_IMPLEMENTATIONS: dict[str, Make] = {"own": Own, "torchssl": TorchSSL}
_FURTHER: dict[str, Contender] = {}  # contenders without a file in configs/contenders
_BY_FILE: dict[str, Described] = {}  # of these, those that entered by a file of their own
_KEPT: dict[str, Implementation] = {}  # those that only their runs here know, by name


def register(make: Make, contender: Contender) -> None:
    """Add an implementation, and the contender that enters with it."""
    _IMPLEMENTATIONS[contender.implementation] = make
    _FURTHER[contender.name] = contender


def enter(word: str) -> str:
    """The contender that a word of IMPLEMENTATIONS names: its name, or the path of a file.

    Raises BadInput for a file that cannot be used here, and for a name that is taken.
    """
    path = Path(word).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        if word not in contenders.described():
            return word
        path = contenders.FOLDER / f"{word}.yaml"
    described = spec.read(path)
    own = described.spec.contender
    before = _BY_FILE.get(own.name)
    if own.name in names() and before is None:
        raise BadInput(f"{path}: name: {own.name} is taken; give yours another")
    if before is not None and before.path != described.path:
        raise BadInput(f"{path}: name: {own.name} is that of {before.path} too; rename one")
    Custom(own, described).check()
    _BY_FILE[own.name] = described
    register(partial(Custom, described=described), own)
    return own.name


def word(name: str) -> str:
    """What IMPLEMENTATIONS is given for that contender here: its name, or the path of its file.

    Its name is enough where its file lies in configs/contenders.
    """
    path = _BY_FILE[name].path if name in _BY_FILE else None
    return name if path is None or path.parent == contenders.FOLDER else str(path)


def of_run(run_folder: Path, name: str) -> Implementation:
    """The implementation of a run: as the description that is kept with it has it, where one is.

    By that its contender is known from then on, where it did not enter otherwise. Raises BadInput
    for an unknown one.
    """
    side: Implementation | None = None
    if (described := spec.read_kept(run_folder)) is not None:
        side = Custom(described.spec.contender, described)
    elif (about := imported.read_kept(run_folder)) is not None:
        side = Imported(about)
    if side is None:
        if not is_known(name):
            raise BadInput(
                f"{run_folder}: of contender {name}, which is not here; restore "
                f"{contenders.FOLDER / name}.yaml, or move the run away"
            )
        return create(name)
    _KEPT.setdefault(side.name, side)
    return side


def names() -> list[str]:
    """The contenders that there are, without those that are one of them with another algorithm."""
    return sorted({*contenders.names(), *_FURTHER})


def is_known(name: str) -> bool:
    """Whether there is a contender of that name, or there are runs of one."""
    return name in names() or _derived(name) is not None or name in _KEPT


def under(name: str, algorithm: str) -> str:
    """The name of the contender that is `name` with that algorithm.

    One of another algorithm than the default has that one, and is itself. Raises BadInput.
    """
    algorithms.of(algorithm)
    is_default = algorithm == algorithms.DEFAULT
    if is_default or contender(name).algorithm != algorithms.DEFAULT:
        return name
    return contenders.derived_name(name, algorithm)


def contender(name: str) -> Contender:
    """The contender of that name. Raises BadInput for an unknown one."""
    if name in _FURTHER:
        return _FURTHER[name]
    if name in contenders.names():
        return contenders.load(name)
    if (derived := _derived(name)) is not None:
        return derived
    if name in _KEPT:
        return _KEPT[name].contender
    raise BadInput(f"IMPLEMENTATIONS {name}: unknown; use {', '.join(names())}")


def _derived(name: str) -> Contender | None:
    """`own-mixmatch`, where there is no file of it: `own` with that algorithm."""
    base, _, algorithm = name.rpartition("-")
    if base not in names() or algorithm not in algorithms.names()[1:]:
        return None
    found = contender(base)
    return found.under(algorithm) if found.algorithm == algorithms.DEFAULT else None


def create(name: str) -> Implementation:
    """The implementation of the contender of that name. Raises BadInput for an unknown one."""
    entered = contender(name)
    if name in _KEPT and name not in names():
        return _KEPT[name]
    if entered.implementation not in _IMPLEMENTATIONS:
        known = ", ".join(sorted(_IMPLEMENTATIONS))
        raise BadInput(
            f"contender {name}: implementation {entered.implementation}: unknown; use {known}"
        )
    return _IMPLEMENTATIONS[entered.implementation](entered)


def reference(algorithm: str = algorithms.DEFAULT) -> Implementation:
    """The implementation that others of an algorithm are held against."""
    return create(contenders.reference_with(algorithm))


def departs(name: str, device: str = "cpu") -> Mapping[str, Any]:
    """The settings that the contender of that name declares to change; none if it is unknown."""
    return create(name).departs_on(device) if is_known(name) else {}


def entered() -> dict[str, Contender]:
    """All contenders by name, in the order of their styles: those without one come last.

    After all others those that are one of them with another algorithm.
    """
    found = [contender(name) for name in sorted({*names(), *_KEPT})]
    last = 1 + max((one.style or 0 for one in found), default=0)
    found.sort(key=lambda one: (last if one.style is None else one.style, one.name))
    others = (contenders.derived_name(one.name, a) for a in algorithms.names() for one in found)
    found += [one for name in others if name not in names() and (one := _derived(name)) is not None]
    return {one.name: one for one in found}
