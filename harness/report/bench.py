"""bench.md: a pure function of bench.json and the profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.experiment import algorithms
from harness.experiment.algorithms import Algorithm
from harness.experiment.contender import reference_with
from harness.experiment.profile import Profile
from harness.runs.progress import duration

LONG = 2**20  # iterations of TorchSSL's full schedule
PARTS = ("augmentation", "forward", "backward", "optimiser", "ema")


def markdown(result: dict[str, Any], profile: Profile) -> str:
    """The table of contenders, our breakdown against the ceiling, and where it was measured."""
    algorithm = algorithms.of(algorithms.recorded(result))
    hardware, versions = result["hardware"], result["versions"]
    images = algorithms.images_an_iteration(result)
    held_against = reference_with(algorithm.name)
    reference = next((c for c in result["contenders"] if c["name"] == held_against), None)
    lines = [
        f"# Speed{_of(algorithm)}, profile {result['profile']}",
        "",
        f"{result['data']}, {result['network']}, {result['batch_size']} labelled and "
        f"{result['batch_size'] * result['mu']} unlabelled images an iteration"
        f"{_forward(algorithm, result)}. Medians of "
        f"{_count(result['blocks'], 'block')} of {_count(result['iterations'], 'iteration')}, "
        f"block by block in turn, not counting {result['discarded']} at the start of each.",
        "",
        *_table(
            [
                *("implementation", "precision", "ms an iteration", "iterations/s", "images/s"),
                *("ratio", *(f"{p.iterations:,} iterations" for p in _projected(profile))),
                *("ratio, whole run", "peak host memory", "peak GPU memory"),
            ],
            [
                *(_row(c, reference, images, profile) for c in result["contenders"]),
                *(_row_of_none(c, profile) for c in result.get("not_timed", ())),
            ],
        ),
        "",
        "A ratio is how many times as fast as TorchSSL. Whole runs are projected from iterations "
        "and evaluations; the start of the process is left out.",
        *_witnessed(result["contenders"]),
    ]
    for contender in result["contenders"]:
        if "parts" in contender["median"]:  # of ours
            lines += ["", *_breakdown(contender)]
    where = hardware["gpu"] or hardware["cpu"]
    lines += [
        "",
        f"Measured {result['measured']} on {where}, {hardware['cores']} cores ({hardware['cpu']}), "
        f"{hardware['threads']} threads; "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + f"; own {result['own_commit'] or 'unknown commit'}, "
        + f"TorchSSL {result['torchssl_commit'] or 'not timed'}.",
    ]
    return "\n".join(lines) + "\n"


def _of(algorithm: Algorithm) -> str:
    return "" if algorithm.name == algorithms.DEFAULT else f" of {algorithm.title}"


def _forward(algorithm: Algorithm, result: dict[str, Any]) -> str:
    """How often those images go through the network, of another algorithm than the default."""
    if algorithm.name == algorithms.DEFAULT:
        return ""
    forward, trained = algorithm.images_forward(result)
    return f", {forward} through the network and {trained} of them in the batch of the losses"


def whole_run(seconds: dict[str, Any], profile: Profile) -> float | None:
    """Projected seconds of a run, without the start of its process.

    None where no evaluation was seen.
    """
    if seconds["seconds_per_evaluation"] is None:
        return None
    training = profile.iterations * seconds["seconds_per_iteration"]
    evaluations = len(profile.evaluated_after()) * seconds["seconds_per_evaluation"]
    return float(training + evaluations)


def _projected(profile: Profile) -> list[Profile]:
    """The profile's own schedule, and TorchSSL's full one where that is another."""
    full = profile.model_copy(update={"iterations": LONG})
    return [profile] if profile.iterations == LONG else [profile, full]


def _row(
    contender: dict[str, Any], reference: dict[str, Any] | None, images: int, profile: Profile
) -> list[str]:
    measured = contender["median"]
    step = measured["seconds_per_iteration"]
    ratio = whole_ratio = "-"
    if reference is not None:
        theirs = reference["median"]
        ratio = f"{theirs['seconds_per_iteration'] / step:.2f}"
        whole, mine = whole_run(theirs, profile), whole_run(measured, profile)
        whole_ratio = f"{whole / mine:.2f}" if whole and mine else "-"
    wholes = [whole_run(measured, p) for p in _projected(profile)]
    projected = ["-" if whole is None else duration(whole) for whole in wholes]
    return [
        contender["name"], contender["variant"], f"{1000 * step:.1f}", f"{1 / step:.2f}",
        f"{images / step:.0f}", ratio, *projected, whole_ratio,
        _megabytes(measured["peak_host_bytes"]), _megabytes(measured["peak_device_bytes"]),
    ]  # fmt: skip


def _row_of_none(lacking: dict[str, str], profile: Profile) -> list[str]:
    """Of what could not be timed: why, in place of the numbers."""
    reason = lacking["reason"].replace("|", "\\|")
    empty = ["-"] * (6 + len(_projected(profile)))
    return [lacking["name"], lacking["variant"], f"not timed: {reason}", *empty]


def _witnessed(contenders: Sequence[dict[str, Any]]) -> list[str]:
    """How those that are described by a file were timed, and with which torch."""
    blocks = [(one["name"], one.get("blocks", [{}])[0]) for one in contenders]
    seen = [
        f"{name} (torch {block['torch_version']}, {_count(block['threads'], 'thread')})"
        for name, block in blocks
        if block.get("timed_by") == "witness"
    ]
    if not seen:
        return []
    return [
        "",
        f"Timed in the process of its own script, in the same turn: {', '.join(seen)}. An "
        "iteration is from one update of its optimiser to the next, by a clock that waits for the "
        "device; an evaluation is from its last update to its last prediction.",
    ]


def _breakdown(contender: dict[str, Any]) -> list[str]:
    measured = contender["median"]
    bare = measured["seconds_per_bare_iteration"]
    rows = [(part, measured["parts"][part]) for part in PARTS]
    rows += [("an iteration", measured["seconds_per_iteration"]), ("bare forward + backward", bare)]
    rows.append(("an evaluation", measured["seconds_per_evaluation"]))
    return [
        f"## {contender['name']}, {contender['variant']}",
        "",
        *_table(
            ["part", "ms", "of bare forward + backward"],
            [[name, f"{1000 * s:.2f}", f"{s / bare:.3f}"] for name, s in rows],
        ),
        "",
        _floor(measured["arithmetic"], bare),
    ]


def _floor(arithmetic: dict[str, float], bare: float) -> str:
    """What the hardware leaves to gain: the passes against matrix products of the same machine."""
    flops, rate = arithmetic["flops"], arithmetic["matmul_flops_per_second"]
    return (
        f"The convolutions and products of the bare passes are {flops / 1e9:.3g} GFLOP: "
        f"{flops / bare / 1e9:.3g} GFLOP/s, {100 * flops / bare / rate:.0f}% of the "
        f"{rate / 1e9:.3g} GFLOP/s of a large matrix product here, "
        f"at whose rate they would take {1000 * flops / rate:.2f} ms."
    )


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    cells = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(row) + " |" for row in cells]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)


def _megabytes(size: float | None) -> str:
    return "-" if size is None else f"{size / 2**20:,.0f} MiB"
