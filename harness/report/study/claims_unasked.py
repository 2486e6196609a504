"""What claims do not ask and a reader does: which algorithm is ahead, and what either costs."""

from __future__ import annotations

from harness.analysis import selection
from harness.analysis.claims.answers import Weighed
from harness.analysis.claims.costs import Cost
from harness.analysis.comparison import Paired
from harness.report import contrasts, markdown, wording
from harness.report.study.tables import number, table, titles

TIMES = (
    "Milliseconds an iteration by the runs' own logs, evaluations included: median over the seeds "
    "[lowest, highest]. They compare as far as the machine was equally busy. The ratio is of the "
    "seeds whose two runs had the same processor and as many threads."
)
MEMORY = (
    "Peak memory on the host is of the benchmarks beside the runs, in the first precision that was "
    "timed of each: no run records its own."
)


def parts(weighed: Weighed) -> list[str]:
    """Accuracies and their differences, times, memory, and what either algorithm was told."""
    return [
        *_differences(weighed),
        _accuracies(weighed),
        wording.SPREAD,
        _times(weighed),
        TIMES,
        *_memory(weighed),
        *_settings(weighed),
    ]


def _differences(weighed: Weighed) -> list[str]:
    default, other = titles(weighed.claims)
    pairs = weighed.comparison.contrasts
    if not pairs:
        return [f"No implementation has runs of both {default} and {other} here."]
    rows = [
        *(_difference(pair, "all") for pair in pairs),
        *(_difference(pair, "not looked at") for pair in weighed.unseen),
    ]
    header = ["labelled", "difference of", "seeds", "by seed", "mean ± SD", "95% interval", ""]
    return [
        f"The accuracy of {default} minus that of {other} of the same implementation:",
        table(header, rows),
        f"Top-1 on the test set, percentage points; selection: "
        f"{selection.DESCRIPTIONS[weighed.comparison.rule]}. {contrasts.TEST}",
    ]


def _difference(pair: Paired, seeds: str) -> list[str]:
    return [
        str(pair.labels),
        f"{pair.implementation} - {pair.reference}",
        seeds,
        *markdown.sample_cells(pair.differences, pair.sample),
        wording.contrast_word(pair),
    ]


def _accuracies(weighed: Weighed) -> str:
    compared = weighed.comparison
    rows = [
        [
            compared.titles[name],
            *(wording.cell(compared.cell(name, labels)) for labels in compared.labels),
        ]
        for name in compared.implementations
    ]
    return table(["top-1, %", *map(str, compared.labels)], rows)


def _times(weighed: Weighed) -> str:
    rows = [_time(cost) for cost in weighed.costs if cost.default or cost.other]
    default, other = titles(weighed.claims)
    header = [
        "labelled",
        "implementation",
        f"{default}, ms",
        f"{other}, ms",
        f"{other} / {default}",
    ]
    return table(header, rows)


def _time(cost: Cost) -> list[str]:
    cells = [number(cost.default, ".1f"), number(cost.other, ".1f"), number(cost.ratio, ".2f")]
    return [str(cost.labels), cost.implementation, *cells]


def _memory(weighed: Weighed) -> list[str]:
    claims = weighed.claims
    if not weighed.memory:
        bench = f'make bench PROFILE={claims.profile} IMPLEMENTATIONS="'
        bench += " ".join(claims.implementations) + '"'
        both = f"`{bench}`, without and with `ALGORITHM={claims.algorithm}`"
        return [f"No run records its peak memory, and none was measured here: {both}, does so."]
    rows = [
        [f"`{name}`", f"{weighed.memory[name] / 2**20:,.0f}" if name in weighed.memory else "-"]
        for name in claims.every_contender
    ]
    return [table(["contender", "peak host memory, MiB"], rows), MEMORY]


def _settings(weighed: Weighed) -> list[str]:
    found = []
    for told in contrasts.of_settings(weighed.comparison):
        rows = [[name, *values] for name, values in told.different.items()]
        found += [table(["setting", *told.titles], rows), contrasts.alike(told)]
    return found
