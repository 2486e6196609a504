"""README.md of a study: conclusion first, then what was varied, tables, figure, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.analysis import frames, selection
from harness.analysis.study import Finding, Findings, is_diverged, loss_message
from harness.experiment import study as definition
from harness.report import markdown, wording
from harness.report.study import wording as said
from harness.runs.folder import Run
from harness.runs.manifest import Manifest, Status

FIGURE = "accuracy-vs-epoch"
TIMES = (
    "Times are of the runs' own logs, evaluations included, and compare as far as the machine was "
    "equally busy; the variants of a seed were run one after the other or side by side. The ratio "
    "is paired by seed: geometric mean and its 95% interval (Student's t of the logarithms)."
)
VERDICTS = (
    "Differences are paired by seed: variant and baseline had the same images, labelled images and "
    "initial weights, by each run's own sums. Equivalent: two one-sided t-tests (TOST, 5%) place "
    "the mean difference inside the margin that the profile states. Better or worse: not so, and "
    "the 95% interval of the mean difference excludes 0. Inconclusive: neither. Nothing is "
    "corrected for how many variants are judged."
)
APART = (
    "Greatest distance over the seeds. The first evaluation comes after one update, so its loss is "
    "of the common initial weights and batch: what differs there is how the loss is computed."
)


def render(findings: Findings) -> str:
    """The page, from runs and definition alone."""
    study = findings.study
    parts = [
        f"<!-- schema: {frames.SCHEMA} -->",
        f"# Study `{study.name}`: {study.question}",
        f"**{said.conclusion(findings)}**",
        "## What was varied",
        _table(*_varied(findings)),
        f"Baseline: `{study.baseline}`. All else is as in {_file('profiles', study.profile)}; the "
        f"study is defined in {_file('studies', study.name)}.",
        study.notes.strip(),
        "## Accuracy",
        _table(*_accuracies(findings)),
        f"Top-1 on the test set, percent; selection: {_rule(findings)}. {wording.SPREAD}",
        VERDICTS,
        f"![{study.question}]({FIGURE}.svg)",
        "## Time",
        _table(*_times(findings)),
        TIMES,
        *_apart(findings),
        *_lost(findings),
        "## Again",
        f"```\n{command(findings)}\nmake verify STUDY={study.name}\n```",
        "## Provenance",
        *([f"These runs were {findings.mixed}."] if findings.mixed else []),
        _table(*_provenance(findings.every_run)),
    ]
    return "\n\n".join(parts) + "\n"


def command(findings: Findings) -> str:
    """What a reader types to have the same runs again."""
    study, found = findings.study, findings.every_run
    options = []
    for name, asked, used in (
        ("LABELS", study.labels, {run.manifest.labels for run in found}),
        ("SEEDS", study.seeds, {run.manifest.seed for run in found}),
    ):
        if used and used != set(asked):
            options.append(f'{name}="{" ".join(str(value) for value in sorted(used))}"')
    baseline = [run.manifest for run in findings.runs[study.baseline]]
    used_iterations = {manifest.settings["iterations"] for manifest in baseline}
    planned = definition.variants(study)[list(study.variants).index(study.baseline)]
    if len(used_iterations) == 1 and used_iterations != {planned.profile.iterations}:
        options.append(f"ITERATIONS={used_iterations.pop()}")
    data = {run.manifest.settings["data"] for run in found}
    if data and data != {findings.profile.data}:
        options.append(f'DATA_DIR="<folder of {", ".join(sorted(data))}>"')
    if study.elsewhere is not None and findings.runs[study.elsewhere]:
        options.append('REFERENCE="<results of another machine>"')
    return " ".join([f"make study NAME={study.name}", *options])


def _file(folder: str, name: str) -> str:
    path = f"configs/{folder}/{name}.yaml"
    return f"[`{path}`](/{path})"


def _varied(findings: Findings) -> tuple[list[str], list[list[str]]]:
    """The settings in which variants differ: the runs', or as planned where there is no run."""
    variants = definition.variants(findings.study)
    settings = {
        variant.name: next(
            (run.manifest.recorded for run in findings.runs[variant.name]), dict(variant.settings)
        )
        for variant in variants
    }
    keys = [
        key
        for key in variants[0].settings
        if len({str(values[key]) for values in settings.values()}) > 1
    ]
    rows = [[f"`{name}`", *(_value(values[k]) for k in keys)] for name, values in settings.items()]
    return ["variant", *keys], rows


def _value(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _accuracies(findings: Findings) -> tuple[list[str], list[list[str]]]:
    header = ["labelled", "variant", "top-1", "difference by seed", "mean ± SD", "95% interval"]
    return [*header, "margin", "verdict"], [_accuracy(row) for row in findings.rows]


def _accuracy(row: Finding) -> list[str]:
    pairing = row.pairing
    cells = [str(row.labels), f"`{row.variant}`", said.accuracy(row)]
    if pairing is None:
        return [*cells, "", "", "", "", said.verdict_word(row)]
    sample = pairing.result.differences if pairing.result else None
    return [
        *cells,
        *markdown.sample_cells(pairing.differences, sample),
        f"±{pairing.margin:.2f}",
        said.verdict_word(row),
    ]


def _rule(findings: Findings) -> str:
    rule = selection.DESCRIPTIONS[findings.rule]
    if findings.rule == findings.profile.selection:
        return rule
    wanted = selection.DESCRIPTIONS[findings.profile.selection]
    return f"{rule} (the profile's rule is the {wanted}; these runs have fewer)"


def _times(findings: Findings) -> tuple[list[str], list[list[str]]]:
    header = ["labelled", "variant", "s/iteration", "images/s", "minutes", "time against baseline"]
    rows = []
    for row in findings.rows:
        cells = [str(row.labels), f"`{row.variant}`"]
        if row.time is None:
            rows.append([*cells, "", "", "", ""])
            continue
        cells += [f"{row.time.seconds_per_iteration:.4f}", f"{row.time.images_per_second:.1f}"]
        ratios = "" if row.time.ratios is None else said.ratio(row.time.ratios)
        rows.append([*cells, f"{row.time.seconds / 60:.1f}", ratios])
    return header, rows


def _apart(findings: Findings) -> list[str]:
    cells = [
        [
            str(row.labels), f"`{row.variant}`", said.apart(apart.first),
            said.apart(apart.last), "yes" if apart.equal else "no",
        ]
        for row in findings.rows
        if (apart := row.apart) is not None
    ]  # fmt: skip
    if not cells:
        return []
    header = ["labelled", "variant", "at the first evaluation", "at the last", "all equal"]
    return ["## Training loss against the baseline's", _table(header, cells), APART]


def _lost(findings: Findings) -> list[str]:
    rows = [
        [f"`{name}`", str(run.manifest.labels), str(run.manifest.seed), _became(run)]
        for name, several in findings.runs.items()
        for run in several
        if run.status is not Status.DONE
    ]
    if not rows:
        return []
    table = _table(["variant", "labelled", "seed", "what became of it"], rows)
    return ["## Runs without an accuracy", table]


def _became(run: Run) -> str:
    if is_diverged(run.manifest):
        return markdown.text(f"not finite: {loss_message(run)}")
    return markdown.text(run.status.value + (f": {run.reason}" if run.reason else ""))


def _provenance(found: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    manifests = [run.manifest for run in found]
    facts = [manifest.facts for manifest in manifests if manifest.facts is not None]
    rows = [
        ["own commit", _all(manifest.own_commit for manifest in manifests)],
        ["torch", _all(fact.torch_version for fact in facts)],
        ["device", _all(fact.device for fact in facts)],
        *(
            [["processor", _all(known)]]
            if (known := {fact.processor for fact in facts} - {""})
            else []
        ),
        ["data", _all(_data(manifest) for manifest in manifests)],
        ["runs", f"{len(found)}, of which {_done(found)} done; `runs.sha256` has their sums"],
    ]
    return ["what", "of these runs"], rows


def _data(manifest: Manifest) -> str:
    return f"{manifest.settings['data']} {manifest.settings['data_sha256'][:12]}"


def _done(found: Sequence[Run]) -> int:
    return sum(run.status is Status.DONE for run in found)


def _all(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in sorted(set(values)) if value) or "unknown"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(markdown.line(cells) for cells in lines)
