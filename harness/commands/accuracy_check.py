"""What guards published numbers: verify, diff against a base, and a fresh comparison.

The fresh comparison trains the contenders whose source, settings or environment are not those of
the published runs; of the others the published runs are its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.analysis import results
from harness.analysis.diff import base_table
from harness.analysis.diff import rows as diff
from harness.analysis.diff.rows import Diff
from harness.commands import diff as diff_command
from harness.commands import verify
from harness.commands.compare import CompareQuestion, compare
from harness.commands.console.terminal import Terminal
from harness.errors import BadInput, CheckFailed, Incomplete, NoRuns
from harness.experiment import profile
from harness.experiment.profile import Profile
from harness.report import outputs
from harness.runs.attempt import Limits
from harness.runs.execution.lock import only_one
from harness.runs.files import write_text

SUMMARY, FRESH = "summary.md", "fresh"


@dataclass(frozen=True)
class AccuracyQuestion:
    """What is checked: `results/<profile>` against `base`, and again with `labels` and `seeds`.

    None: all committed label counts, the first committed seed. `out` is ours, and is emptied of
    the fresh comparison before.
    """

    base: str
    profile: str
    results: Path
    out: Path
    labels: Sequence[int] | None = None
    seeds: Sequence[int] | None = None
    iterations: int | None = None
    data_dir: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass
class Summary:
    """The summary so far, and what did not hold."""

    lines: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def run(check: AccuracyQuestion, terminal: Terminal) -> None:
    """All three steps whatever comes of each; the summary is in `<out>/summary.md`.

    Raises CheckFailed if any found a difference, else Incomplete if a fresh run gave no accuracy,
    and BadInput before anything is run.
    """
    name, _ = profile.resolve_auto(check.profile)
    settings = profile.load(name)
    folder = check.results / name
    question = _question(check, settings, folder)
    findings = Summary([f"# Accuracy check of {name}", ""])
    for step in (_verify, _diff):
        step(check, folder, settings, findings)
    with only_one(check.out, terminal.say, what="accuracy check"):
        _fresh(question, folder, settings, findings, terminal)
        write_text(check.out / SUMMARY, "\n".join(findings.lines) + "\n")
    terminal.markdown((check.out / SUMMARY).read_text(encoding="utf-8"))
    terminal.say(f"  {check.out / SUMMARY}")
    if findings.differences:
        raise CheckFailed("; ".join(findings.differences))
    if findings.lost:
        raise Incomplete("; ".join(findings.lost))


def _question(check: AccuracyQuestion, settings: Profile, folder: Path) -> CompareQuestion:
    """The fresh comparison; only of what is committed. Raises BadInput for anything else."""
    committed, _ = diff_command.now(folder, settings)
    if not len(committed):
        raise NoRuns(folder)
    there = {
        "LABELS": sorted({int(n) for n in committed["labels"]}),
        "SEEDS": sorted({int(n) for n in committed["seed"]}),
    }
    asked = {
        "LABELS": list(check.labels or there["LABELS"]),
        "SEEDS": list(there["SEEDS"][:1] if check.seeds is None else check.seeds),
    }
    for option, values in asked.items():
        for value in values:
            if value not in there[option]:
                known = " ".join(map(str, there[option]))
                raise BadInput(f"{option} {value}: not in {folder}; use {known}")
    rows = zip(committed["labels"], committed["seed"], committed["implementation"], strict=True)
    only = {
        (int(labels), int(seed), str(name))
        for labels, seed, name in rows
        if int(labels) in asked["LABELS"] and int(seed) in asked["SEEDS"]
    }
    if not only:
        raise BadInput(f"LABELS, SEEDS: no run in {folder} has both; name others")
    return CompareQuestion(
        only=only,
        labels=asked["LABELS"],
        seeds=asked["SEEDS"],
        implementations=sorted(set(committed["implementation"])),
        profile=settings.name,
        results=check.out / FRESH,
        iterations=check.iterations,
        data_dir=check.data_dir,
        limits=check.limits,
        reuse=check.results,
        published=check.results,
    )


def _verify(check: AccuracyQuestion, folder: Path, settings: Profile, findings: Summary) -> None:
    differences = verify.check_with_claims(folder.parent, settings)
    findings.lines += ["## Outputs from the committed runs", ""]
    if differences:
        findings.differences.append(verify.failure(differences))
        findings.lines += [f"- ✗ {text}" for text in differences] + [verify.library_note()]
    else:
        findings.lines += [f"✓ every file in `{folder.name}/` is what its runs give, to the byte"]


def _diff(check: AccuracyQuestion, folder: Path, settings: Profile, findings: Summary) -> None:
    findings.lines += ["", "## Committed accuracies against the base", ""]
    try:
        found, _ = diff_command.against(folder, settings, check.base)
    except base_table.NoTable as error:
        findings.lines.append(f"Nothing to compare with: {error}.")
        return
    findings.lines.append(diff.markdown(found))
    findings.differences += found.failures


def _fresh(
    question: CompareQuestion,
    folder: Path,
    settings: Profile,
    findings: Summary,
    terminal: Terminal,
) -> None:
    findings.lines += ["## A fresh comparison against the committed accuracies", ""]
    shutil.rmtree(question.results, ignore_errors=True)
    try:
        compare(question, terminal)
    except Incomplete as error:
        findings.lines += [f"✗ {error}", ""]
    findings.lines += [*_trained(question.results / question.profile), ""]
    committed, _ = diff_command.now(folder, settings)
    fresh, _ = diff_command.now(question.results / question.profile, settings)
    asked = committed[
        committed["labels"].isin(question.labels) & committed["seed"].isin(question.seeds)
    ]
    rule = diff.rule_in_use(asked, settings)
    seeds = " ".join(map(str, question.seeds))
    found = Diff(f"{folder.name}, seed {seeds}", rule, diff.cells(asked, fresh, settings, rule))
    findings.lines.append(diff.markdown(found))
    for row, text in zip((r for r in found.rows if not r.passes), found.failures, strict=True):
        (findings.differences if row.verdict in diff.ACCEPTABLE else findings.lost).append(
            f"fresh {text}"
        )
    findings.lines.append(f"Its report: `{question.results / question.profile / outputs.REPORT}`")


def _trained(folder: Path) -> list[str]:
    """Which runs were trained, which are the published ones, and which could not be had."""
    runs = results.load_all(folder)
    anew = [run for run in runs if run.manifest.taken is None]
    trained = [run.name for run in anew if run.manifest.starts]
    taken = len(runs) - len(anew)
    lost = [f"Not trained: {r.name} ({r.reason})." for r in anew if not r.manifest.starts]
    if not anew:
        return [f"Nothing was trained: all {taken} runs are of the published source and settings."]
    text = f"Trained: {', '.join(trained) or 'nothing'}."
    return [f"{text} The other {taken} are of the published source." if taken else text, *lost]
