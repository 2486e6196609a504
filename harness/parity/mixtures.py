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
    return [
        *whole_views(asked, *views, ["weak"]),
        _views(ours, reference),
        _coefficients(ours["lambda"], reference["lambda"]),
        _partners(ours["permutation"], reference["permutation"]),
    ]


def _views(ours: Arrays, theirs: Arrays) -> Check:
    """Both weak views of an image, each by itself and whether one is as the other."""
    p_values = {}
    for name, title in {"flip": "flips", "top": "crop rows", "left": "crop columns"}.items():
        for view, behind in {"first": "", "second": "_2"}.items():
            mine, other = ours[name + behind], theirs[name + behind]
            p_values[f"{title} of the {view} view"] = chi_square(mine, other)
        alike = (side[name] == side[f"{name}_2"] for side in (ours, theirs))
        p_values[f"equal {title} of both views"] = chi_square(*alike)
    return same_distribution(f"two weak views of {len(ours['flip']):,} images", p_values)


def _coefficients(ours: NDArray[Any], theirs: NDArray[Any]) -> Check:
    """MixUp's lambda as it is drawn, (D,); or (D, N), where each example has its own."""
    quantity = f"MixUp's lambda of {len(ours):,} batches"
    if ours.ndim != theirs.ndim:
        named = ["one a batch" if drawn.ndim == 1 else "one an example" for drawn in (ours, theirs)]
        return check(quantity, f"lambda differs: {' against '.join(named)}", "the same kind", False)
    return same_distribution(quantity, {"lambda": ks(ours, theirs)})


def _partners(ours: NDArray[Any], theirs: NDArray[Any]) -> Check:
    """With whom MixUp mixes: permutations (D, N) of the labelled and all unlabelled views."""
    quantity = f"MixUp's partners in {len(ours):,} batches"
    for drawn in (ours, theirs):
        if not np.array_equal(
            np.sort(drawn, axis=1), np.broadcast_to(_in_order(drawn), drawn.shape)
        ):
            return check(quantity, "partners differ: no permutation", "permutations", False)
    if ours.shape[1] != theirs.shape[1]:
        sizes = f"of {ours.shape[1]} views against {theirs.shape[1]}"
        return check(quantity, f"partners differ: {sizes}", "of all views", False)
    first, last = 0, ours.shape[1] - 1
    p_values = {
        "partners of the first view": chi_square(ours[:, first], theirs[:, first]),
        "partners of the last view": chi_square(ours[:, last], theirs[:, last]),
        "views that stay as they are": chi_square(_kept(ours), _kept(theirs)),
    }
    return same_distribution(quantity, p_values)


def _kept(drawn: NDArray[Any]) -> NDArray[Any]:
    """How many views of a batch are their own partners, 4 for more: about one is."""
    kept: NDArray[Any] = np.minimum((drawn == _in_order(drawn)).sum(axis=1), 4)
    return kept


def _in_order(drawn: NDArray[Any]) -> NDArray[Any]:
    return np.arange(drawn.shape[1])
