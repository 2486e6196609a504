"""README.md of claims: each with its verdict first, then how it was measured, costs, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.analysis import frames
from harness.analysis.claims.answers import Answer, Lacking, Ruled, Weighed
from harness.analysis.claims.measures import Ruling
from harness.experiment import algorithms
from harness.experiment.claims import Claims
from harness.report import wording
from harness.report.study import claims_sources, claims_unasked
from harness.report.study.tables import digits, number, table, titles

FIGURES = {
    "guesses": "Share, entropy and accuracy of the labels guessed for unlabelled images",
    "accuracy-vs-images": "Accuracy over the unlabelled images seen",
}
AGREE = (
    "Each seed decides by itself. A cell has a verdict where all its seeds that record what the "
    "rule needs agree, a claim where all its cells that have one do; else it is *not shown*. What "
    "is not recorded decides nothing. A number is the median over the seeds [lowest, highest], "
    "alone where all have the same."
)


def render(weighed: Weighed) -> str:
    """The page, from runs and definition alone."""
    claims = weighed.claims
    path = f"configs/claims/{claims.name}.yaml"
    parts = [
        f"<!-- schema: {frames.SCHEMA} -->",
        f"# Claims `{claims.name}`: {claims.question}",
        f"**{conclusion(weighed)}**",
        *_not_whole(weighed),
        table(
            ["claim", "in substance", "verdict", "measured, median of all runs here"],
            [_row(one, claims) for one in weighed.judged],
        ),
        f"Who claims it: {claims.source}. The claims and their measures are defined in "
        f"[`{path}`](/{path}); each verdict is computed by the rule that stands with it.",
        claims.notes.strip(),
        *_looked_at(weighed),
        *wording.notes(weighed.results),
        "## Claim by claim",
        AGREE,
        *(part for one in weighed.judged for part in _claim(weighed, one)),
        *(f"![{title}]({name}.svg)" for name, title in FIGURES.items()),
        "## What is not claimed",
        *claims_unasked.parts(weighed),
        "## Again",
        f"```\n{command(weighed)}\nmake study NAME={claims.name}\nmake verify "
        f"STUDY={claims.name}\n```",
        "## Provenance",
        *claims_sources.parts(weighed),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def conclusion(weighed: Weighed) -> str:
    """`Of 8 claims 3 are true, 3 false and 2 not shown.`, or that there are no runs."""
    if not weighed.done:
        return "No run is here, so nothing can be said."
    counts = {
        ruling: sum(one.ruling is ruling for one in weighed.judged)
        for ruling in (Ruling.TRUE, Ruling.FALSE, Ruling.NOT_SHOWN)
    }
    told = [f"{counts[ruling]} {ruling.value}" for ruling in counts]
    of = f"{len(weighed.judged)} claims" if len(weighed.judged) > 1 else "1 claim"
    return f"Of {of}: {told[0]}, {told[1]}, {told[2]}."


def lacks(lacking: Iterable[Lacking]) -> list[str]:
    """`own, own-mixmatch at 40 labels: seeds 3, 4 missing`, a line for those of the same seeds."""
    seeds: dict[tuple[int, str, str], list[int]] = {}
    for one in lacking:
        seeds.setdefault((one.labels, one.contender, one.status.value), []).append(one.seed)
    alike: dict[tuple[int, tuple[int, ...], str], list[str]] = {}
    for (labels, name, status), several in seeds.items():
        alike.setdefault((labels, tuple(several), status), []).append(name)
    return [
        f"{', '.join(names)} at {labels} labels: seed{'s' * (len(several) > 1)} "
        f"{_list(several)} {status}"
        for (labels, several, status), names in alike.items()
    ]


def command(weighed: Weighed, *, lacking: bool = False) -> str:
    """The comparison that a reader types to have these runs, or only those that are lacking."""
    claims, runs = weighed.claims, weighed.results.runs
    missing = [(one.labels, one.seed) for one in weighed.lacking]
    keys = [(labels, seed) for labels in claims.labels for seed in claims.seeds]
    keys = missing if lacking else [*keys, *(run.key for run in runs)]
    options = []
    iterations = {run.manifest.settings["iterations"] for run in runs}
    if len(iterations) == 1 and iterations != {claims.asked.iterations}:
        options.append(f"ITERATIONS={iterations.pop()}")
    data = {str(run.manifest.settings["data"]) for run in runs}
    if data and data != {claims.asked.data}:
        options.append(f'DATA_DIR="<folder of {", ".join(sorted(data))}>"')
    return " ".join([_compare(claims, keys), *options])


def of_all(claims: Claims) -> str:
    """The comparison that has all their runs."""
    return _compare(claims, [(labels, seed) for labels in claims.labels for seed in claims.seeds])


def _compare(claims: Claims, keys: Iterable[tuple[int, int]]) -> str:
    labels, seeds = (sorted(set(values)) for values in zip(*keys, strict=True))
    return (
        f'make compare ALGORITHMS="{algorithms.DEFAULT} {claims.algorithm}" '
        f'IMPLEMENTATIONS="{" ".join(claims.implementations)}" '
        f'LABELS="{" ".join(map(str, labels))}" SEEDS="{" ".join(map(str, seeds))}" '
        f"PROFILE={claims.profile}"
    )


def _not_whole(weighed: Weighed) -> list[str]:
    if not weighed.lacking:
        return []
    lines = "\n".join(f"- {line}" for line in lacks(weighed.lacking))
    return ["Not all runs of a whole comparison count here; what is said is of the others:", lines]


def _row(one: Ruled, claims: Claims) -> list[str]:
    name = one.claim.id
    link = f"[`{name}`](#{_anchor(one)})"
    return [link, one.claim.says, f"**{one.ruling.value}**", _summary(one, claims)]


def _anchor(one: Ruled) -> str:
    """Of its heading, as forges make them: see `_claim`."""
    return f"{one.claim.id}-{one.ruling.value.replace(' ', '-')}"


def _summary(one: Ruled, claims: Claims) -> str:
    measure = one.measure
    if measure is None:
        return one.claim.reason.strip()
    default, other = titles(claims)
    heads, said = {}, {}
    for name, (head, form) in measure.numbers.items():
        if (found := one.spread(name)) is not None:
            heads[name] = head.format(default=default, other=other)
            said[name] = digits(found.median, form)
    if len(said) < len(measure.numbers):
        return "; ".join(f"{heads[name]}: {text}" for name, text in said.items()) or "-"
    return measure.summary.format(**said, default=default, other=other)


def _looked_at(weighed: Weighed) -> list[str]:
    looked_at = weighed.claims.looked_at
    if looked_at is None:
        return []
    here = {run.manifest.seed for run in weighed.done}
    seen, unseen = (
        sorted(here & set(looked_at.seeds)), sorted(here - set(looked_at.seeds)),
    )  # fmt: skip
    return [
        f"Seeds that were looked at: {looked_at.why.strip()}. Looked at, of the seeds here: "
        f"{_list(seen)}; not looked at: {_list(unseen)}."
    ]


def _list(values: Sequence[int]) -> str:
    return ", ".join(str(value) for value in values) or "none"


def _claim(weighed: Weighed, one: Ruled) -> list[str]:
    claim, measure = one.claim, one.measure
    head = [f"### `{claim.id}`: {one.ruling.value}", f"> {claim.says}"]
    if measure is None:
        return [*head, claim.reason.strip(), f"What would show it: {claim.experiment.strip()}"]
    names = {
        name: form
        for name, (_, form) in measure.numbers.items()
        if any(answer.spread(name) for answer in one.answers)
    }
    default, other = titles(weighed.claims)
    columns = [measure.numbers[name][0].format(default=default, other=other) for name in names]
    rows = []
    for answer in one.answers:
        values = [number(answer.spread(name), form) for name, form in names.items()]
        seeds = _list(sorted(answer.readings)) if answer.readings else ""
        about = [str(answer.labels), answer.implementation, seeds]
        rows.append([*about, *values, _word(weighed, one, answer)])
    rule = measure.rule.format(threshold=claim.threshold or 0.0, default=default, other=other)
    return [
        *head,
        claim.note.strip(),
        f"Rule: {rule[0].lower() + rule[1:]}",
        table(["labelled", "implementation", "seeds", *columns, "verdict"], rows),
    ]


def _word(weighed: Weighed, one: Ruled, answer: Answer) -> str:
    """`true`, `false`, `not shown`, or why there is no verdict."""
    if answer.ruling is not None:
        return answer.ruling.value
    default, other = weighed.claims.contenders[answer.implementation]
    needed = other if one.measure is not None and one.measure.needs == "other" else default
    return "no run" if (answer.labels, needed) in weighed.empty else "not recorded"
