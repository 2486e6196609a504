"""Rungs 5-7 of the ladder, and the parity half of 8: what the two sides' answers have in common.

Pure functions of the files that `question` describes: `mine` and `theirs` are folders of answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import log_softmax

from harness.experiment import algorithms
from harness.parity.checklist import Check, Rung, check, rung
from harness.parity.question import MODES, OPERATIONS, PRECISIONS

Arrays = dict[str, NDArray[Any]]

# Largest differences; of a step: see `_apart`. Both sides run the same library on the same
# machine: float64 differs by the order of a sum at most, float32 may drift apart over the steps.
LOGITS = {"float64": 1e-10, "float32": 1e-4}
LOSS = 1e-5
STEP = {"float64": 1e-10, "float32": 1e-3}
EXACT = ("mask", "num_batches_tracked")
# The smallest p of all tests of equal distributions, times their number (Bonferroni).
SIGNIFICANCE = 0.01
KINDS = ("scalar", "weight", "momentum", "ema", "statistic")


def network(mine: Path, theirs: Path) -> Rung:
    """Rung 5: equal parameters, and equal logits for equal weights."""
    ours, reference = _json(mine / "parameters.json"), _json(theirs / "parameters.json")
    checks = [_parameters(ours, reference)]
    if not checks[0].holds or not (mine / "network.npz").exists():
        return rung(5, "same network", tuple(checks))
    logits, expected = load(mine / "network.npz"), load(theirs / "network.npz")
    for precision in PRECISIONS:
        for mode in MODES:
            key = f"{precision}-{mode}"
            size = _largest(logits[key] - expected[key])
            tolerance = LOGITS[precision]
            name = f"logits, {precision}, {'training' if mode == 'train' else 'evaluation'} mode"
            checks.append(check(name, f"{size:.1e}", f"at most {tolerance:.0e}", size <= tolerance))
    return rung(5, "same network", tuple(checks))


def _parameters(ours: dict[str, list[int]], reference: dict[str, list[int]]) -> Check:
    count = sum(int(np.prod(shape)) for shape in ours.values())
    expected = sum(int(np.prod(shape)) for shape in reference.values())
    odd = sorted(name for name in {*ours, *reference} if ours.get(name) != reference.get(name))
    measured = f"{count:,} in {len(ours)} tensors, names and shapes equal"
    if odd:
        name = odd[0]
        measured = (
            f"{count:,} against {expected:,}; {name} is {ours.get(name, 'missing')} against "
            f"{reference.get(name, 'missing')}"
        )
    return check("parameters", measured, "exact", not odd)


@dataclass(frozen=True)
class _Steps:
    """Largest difference of each kind of tensor after each step, and the first over tolerance."""

    rows: list[dict[str, float]]
    first: str
    masks: list[float]  # the reference's; 1 where it has none
    is_masked: bool


def step(
    mine: Path, theirs: Path, steps: int, algorithm: str = algorithms.DEFAULT
) -> tuple[Rung, list[dict[str, float]]]:
    """Rung 6: the same fixed batches, and everything equal after each step; the float32 drift.

    The drift has a row a step: its number, and the largest difference of each kind of tensor,
    relative to the tensor's largest value where that is above 1.
    """
    found = {precision: _steps(mine, theirs, steps, precision) for precision in PRECISIONS}
    masks = found["float64"].masks
    active = sum(mask > 0 for mask in masks)
    average = f"mask {np.mean(masks):.2f} on average"
    if not algorithms.of(algorithm).is_masked:
        active, average = (
            steps - 1,
            "every guess; the weight rises from 0, which the first step has",
        )
    checks = [
        check(
            "steps in which both losses count",
            f"{active} of {steps}, {average}",
            "at least half",
            2 * active >= steps,
        )
    ]
    checks += [_step_check(precision, each) for precision, each in found.items()]
    return rung(6, "same step", tuple(checks)), found["float32"].rows


def _step_check(precision: str, found: _Steps) -> Check:
    largest = {kind: max(row[kind] for row in found.rows) for kind in KINDS}
    measured = ", ".join(
        f"{kind} {size:.0e}" if size else f"{kind} 0" for kind, size in largest.items()
    )
    return check(
        f"largest difference over {len(found.rows)} steps, {precision}, relative above 1",
        f"{found.first}; {measured}" if found.first else measured,
        f"at most {STEP[precision]:.0e}"
        + (", mask exact" if precision == "float64" and found.is_masked else ""),
        not found.first,
    )


def _steps(mine: Path, theirs: Path, steps: int, precision: str) -> _Steps:
    rows, masks, first, is_masked = [], [], "", False
    for k in range(steps):
        ours, reference = _step(mine, precision, k), _step(theirs, precision, k)
        is_masked |= "scalar/mask" in reference
        masks.append(float(reference.get("scalar/mask", np.float64(1.0))))
        row = dict.fromkeys(KINDS, 0.0)
        for name in _in_order({*ours, *reference}):
            kind = name.split("/")[0]
            if name in ours and name in reference:
                size = _apart(ours[name], reference[name])
                row[kind] = max(row[kind], size)
            else:
                size = float("inf")
            exact = precision == "float64" and name.endswith(EXACT)
            if size > (0 if exact else STEP[precision]) and not first:
                first = f"{name.removeprefix('scalar/')} differs by {size:.1e} after step {k + 1}"
        rows.append({"step": float(k + 1), **row})
    return _Steps(rows, first, masks, is_masked)


def _in_order(names: set[str]) -> list[str]:
    """Losses first: the first quantity that a wrong step moves is the one to be named."""
    return sorted(names, key=lambda name: (KINDS.index(name.split("/")[0]), name))


def augmentation(question: Path, mine: Path, theirs: Path) -> list[Check]:
    """Of rung 7: pixel for pixel, and the same distributions of what is drawn."""
    asked = load(question / "views.npz")
    ours, reference = load(mine / "views.npz"), load(theirs / "views.npz")
    return [
        _operations(asked, ours["operations"], reference["operations"]),
        *whole_views(asked, ours, reference, ["weak", "strong"]),
        distributions(load(mine / "draws.npz"), load(theirs / "draws.npz")),
    ]


def whole_views(
    asked: Arrays, ours: Arrays, reference: Arrays, views: Sequence[str]
) -> list[Check]:
    """Whole views of given parameters: arrays (V, 3, 32, 32), by the name of the view."""
    checks = []
    for view in views:
        unequal = np.abs(ours[view] - reference[view]).max(axis=(1, 2, 3)) > 1e-6
        measured = f"{len(unequal)} of {len(unequal)} equal"
        if unequal.any():
            v = int(unequal.argmax())
            names = [list(OPERATIONS)[n] for n in asked["chosen"][v]]
            how = f" ({', '.join(names)}, cutout)" if view == "strong" else ""
            measured = f"{int(unequal.sum())} of {len(unequal)} differ, first view {v}{how}"
        name = f"whole {view} views of given parameters"
        checks.append(check(name, measured, "every pixel", not unequal.any()))
    return checks


def _operations(asked: Arrays, ours: NDArray[Any], reference: NDArray[Any]) -> Check:
    """Each operation over its range of magnitudes: arrays (O, images, M, 32, 32, 3) uint8."""
    difference = np.abs(ours.astype(np.int16) - reference.astype(np.int16))
    if difference.any():
        o, _, m = np.argwhere(difference.any(axis=(3, 4, 5)))[0]
        share = 100 * float((difference[o] > 0).mean())
        measured = (
            f"{list(OPERATIONS)[o]} differs at magnitude {asked['magnitude'][o, m]:.4g}: "
            f"by {difference[o].max()} in {share:.3f}% of its pixels"
        )
    else:
        views = int(np.prod(ours.shape[:3]))
        measured = f"largest difference 0 in {views:,} results, 0% of the pixels"
    quantity = f"{len(OPERATIONS)} operations over their ranges"
    return check(quantity, measured, "every pixel", not difference.any())


def distributions(ours: Arrays, theirs: Arrays) -> Check:
    """What each side drew by itself, by two-sample tests: chi-square or Kolmogorov-Smirnov."""
    p_values: dict[str, float] = {
        "operations": chi_square(ours["chosen"], theirs["chosen"]),
        "flips": chi_square(ours["flip"], theirs["flip"]),
        "crop rows": chi_square(ours["top"], theirs["top"]),
        "crop columns": chi_square(ours["left"], theirs["left"]),
        "magnitudes": ks(ours["fraction"], theirs["fraction"]),
        "cutout side": ks(ours["side"], theirs["side"]),
        "cutout x": ks(ours["centre"][:, 0], theirs["centre"][:, 0]),
        "cutout y": ks(ours["centre"][:, 1], theirs["centre"][:, 1]),
    }
    return same_distribution(f"{len(ours['flip']):,} views drawn by each side", p_values)


def sampling(mine: Arrays, theirs: Arrays, labels: int, pool: int) -> Check:
    """The indices that each side draws for its batches, into the sets that it draws from."""
    bins = {"labelled": min(labels, 50), "unlabelled": 50}
    sizes = {"labelled": labels, "unlabelled": pool}
    p_values = {}
    for name, size in sizes.items():
        n = min(len(mine[name]), len(theirs[name]))
        ours, reference = mine[name][:n], theirs[name][:n]
        p_values[f"{name} indices"] = chi_square(
            ours * bins[name] // size, reference * bins[name] // size
        )
        p_values[f"repeats among {name}"] = _repeats(ours, reference, size)
    return same_distribution("indices drawn by each side, with replacement", p_values)


def _repeats(ours: NDArray[Any], theirs: NDArray[Any], size: int) -> float:
    """1 if in the first `size` draws both sides repeat indices as with replacement, else 0.

    With replacement about size / e indices are left out, give or take sqrt(size) / 3; without,
    none is.
    """
    expected, spread = size * np.exp(-1), 0.31 * np.sqrt(size)
    for stream in (ours, theirs):
        draws = stream[:size]
        if len(draws) < size:
            expected, spread = size * np.exp(-len(draws) / size), 0.5 * np.sqrt(size)
        left_out = size - len(np.unique(draws))
        if abs(left_out - expected) > 6 * spread + 2:
            return 0.0
    return 1.0


def judge(question: Path, theirs: Path, logits: NDArray[np.float32]) -> list[Check]:
    """Rung 8: TorchSSL's own evaluation of its last weights, and the judge's of the same ones."""
    targets = load(question / "judge.npz")["targets"]
    account: dict[str, float] = json.loads((theirs / "judge.json").read_text(encoding="utf-8"))
    right = int((logits.argmax(axis=1) == targets).sum())
    chosen = log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(targets)), targets]
    loss, expected = -float(chosen.mean()), account["loss"]
    return [
        check(
            "test images right by TorchSSL's own count and the judge's",
            f"{account['right']:.0f} and {right} of {len(targets)}",
            "to the image",
            right == account["right"],
        ),
        check(
            "their mean loss",
            f"{expected:.6f} and {loss:.6f}",
            f"at most {LOSS:.0e} apart, relatively",
            abs(loss - expected) <= LOSS * abs(expected),
        ),
    ]


def same_distribution(quantity: str, p_values: dict[str, float]) -> Check:
    """Whether no test of several says that two samples are of different distributions."""
    lowest = min(p_values, key=lambda name: p_values[name])
    adjusted = min(1.0, p_values[lowest] * len(p_values))
    holds = adjusted >= SIGNIFICANCE
    measured = f"{len(p_values)} tests, smallest p {adjusted:.3f} after correction ({lowest})"
    if not holds:
        measured = f"{lowest} differ: p {adjusted:.1e} after correction for {len(p_values)} tests"
    return check(quantity, measured, f"p at least {SIGNIFICANCE}", holds)


def chi_square(a: NDArray[Any], b: NDArray[Any]) -> float:
    """p of equal distributions of two samples of whole numbers."""
    values = np.unique(np.concatenate((a.ravel(), b.ravel())))
    if len(values) == 1:
        return 1.0
    counts = [[int((sample == v).sum()) for v in values] for sample in (a, b)]
    return float(stats.chi2_contingency(counts).pvalue)


def ks(a: NDArray[Any], b: NDArray[Any]) -> float:
    """p of equal distributions of two samples of real numbers."""
    return float(stats.ks_2samp(a.ravel(), b.ravel()).pvalue)


def _apart(ours: NDArray[Any], reference: NDArray[Any]) -> float:
    """Largest difference of two tensors, relative to the largest value where that is above 1.

    A deep layer's running variance may be thousands, where float32 itself steps by 5e-4.
    """
    difference, largest = _largest(ours - reference), _largest(reference)
    return difference / max(1.0, largest) if np.isfinite(largest) else difference


def _largest(difference: NDArray[Any]) -> float:
    size = float(np.abs(difference).max(initial=0))
    return float("inf") if np.isnan(size) else size


def _step(folder: Path, precision: str, k: int) -> Arrays:
    return load(folder / f"step-{precision}" / f"{k}.npz")


def load(path: Path) -> Arrays:
    """All arrays of an .npz file."""
    with np.load(path) as content:
        return dict(content)


def _json(path: Path) -> dict[str, list[int]]:
    content: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
    return content
