"""MixMatch's part of rung 7: its two weak views, and what MixUp draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.parity.answers import (
    Arrays,
    chi_square,
    ks,
    load,
    same_distribution,
    whole_views,
)
from harness.parity.checklist import Check, check


def augmentation(question: Path, mine: Path, theirs: Path) -> list[Check]:
    """Pixel for pixel, and the same distributions of what is drawn; there is no strong view."""
    asked = load(question / "views.npz")
    views = load(mine / "views.npz"), load(theirs / "views.npz")
    ours, reference = load(mine / "draws.npz"), load(theirs / "draws.npz")
    checks = whole_views(asked, *views, ["weak"])
    if unlike := _unlike(ours, reference):
        return [*checks, unlike]
    return [*checks, _distributions(ours, reference)]


def _unlike(ours: Arrays, theirs: Arrays) -> Check | None:
    """What is not of one kind, so that no test can hold it against the other's; None: nothing.

    lambda is (D,), or (D, N) where each example has its own; the permutations (D, N) are of the
    labelled and all unlabelled views.
    """
    quantity = "what MixUp draws"
    sides = (ours, theirs)
    if ours["lambda"].ndim != theirs["lambda"].ndim:
        named = ["one a batch" if d["lambda"].ndim == 1 else "one an example" for d in sides]
        return check(quantity, f"lambda differs: {' against '.join(named)}", "one kind", False)
    sizes = [drawn["permutation"].shape[1] for drawn in sides]
    if sizes[0] != sizes[1]:
        measured = f"partners differ: of {sizes[0]} views against {sizes[1]}"
        return check(quantity, measured, "of all views", False)
    for drawn in (side["permutation"] for side in sides):
        if not (np.sort(drawn, axis=1) == _in_order(drawn)).all():
            return check(quantity, "partners differ: no permutation", "permutations", False)
    return None


def _distributions(ours: Arrays, theirs: Arrays) -> Check:
    """Both weak views, each by itself and whether one is as the other; lambda; the partners."""
    p_values = {"lambda": ks(ours["lambda"], theirs["lambda"])}
    for name, title in {"flip": "flips", "top": "crop rows", "left": "crop columns"}.items():
        for view, behind in {"first": "", "second": "_2"}.items():
            mine, other = ours[name + behind], theirs[name + behind]
            p_values[f"{title} of the {view} view"] = chi_square(mine, other)
        alike = (side[name] == side[f"{name}_2"] for side in (ours, theirs))
        p_values[f"equal {title} of both views"] = chi_square(*alike)
    mine, other = ours["permutation"], theirs["permutation"]
    p_values |= {
        "partners of the first view": chi_square(mine[:, 0], other[:, 0]),
        "partners of the last view": chi_square(mine[:, -1], other[:, -1]),
        "views that stay as they are": chi_square(_kept(mine), _kept(other)),
    }
    count = f"{len(ours['flip']):,}"
    return same_distribution(f"two views of {count} images, and {count} mixtures", p_values)


def _kept(drawn: NDArray[Any]) -> NDArray[Any]:
    """How many views of a batch are their own partners, 4 for more: about one is."""
    kept: NDArray[Any] = np.minimum((drawn == _in_order(drawn)).sum(axis=1), 4)
    return kept


def _in_order(drawn: NDArray[Any]) -> NDArray[Any]:
    return np.arange(drawn.shape[1])
