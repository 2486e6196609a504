"""How numbers and verdicts are said, the same in every table and in the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.analysis import selection
from harness.analysis.comparison import Before, Cell, Comparison, FinalWeights, Paired, Pairing
from harness.analysis.published import Citation
from harness.analysis.results import Results
from harness.analysis.statistics import Equivalence, Verdict, sign

SPREAD = (
    "± is the sample standard deviation over seeds, [ ] the 95% interval of the mean (Student's "
    "t, ended at 0 and 100); one seed has neither."
)
TEST = (
    "Differences are paired by seed: both sides had the same images, labelled images and initial "
    "weights. Equivalent: two one-sided t-tests (TOST, 5%) place the mean difference inside the "
    "margin that the profile states, that is, its 90% interval lies there. Different: not so, and "
    "the 95% interval of the mean difference excludes 0. Inconclusive: neither. A difference can "
    "be equivalent and yet not zero; that is said. Each label count is judged by itself."
)

GAIN = "Does the unlabelled data help?"
GAIN_TEST = (
    "Differences are paired by seed. Helps, or hurts: the 95% interval of the mean difference "
    "(Student's t) lies above, or below, 0. No difference shown: it holds 0, which does not show "
    "that there is none. Each label count is judged by itself."
)


def floor(comparison: Comparison) -> list[str]:
    """What rounding alone moves, in one sentence; [] where the profile does not know it.

    It was measured on the profile's own images and iterations.
    """
    profile, known = comparison.profile, comparison.profile.floor
    labels = sorted({pairing.labels for pairing in comparison.pairings} & {*known})
    measured = {"data": profile.data, "iterations": profile.iterations}
    settings = [run.manifest.settings for run in comparison.runs]
    if not labels or any(told.get(key) != measured[key] for told in settings for key in measured):
        return []
    several = " and ".join(f"{known[count]:.2f} points with {count} labels" for count in labels)
    return [
        "The floor under every difference of a single seed: two runs of ours that have all of it "
        f"and differ in rounding alone, by threads or processor, were up to {several} apart "
        "(study `noise`)."
    ]


def cell(cell: Cell) -> str:
    """`93.20 ± 1.10 [90.47, 95.93] (n=3), 1 failed`; or why there is no number."""
    sample = cell.sample
    if sample is None:
        return value(cell)
    between = f" {interval(sample.interval)}" if sample.interval is not None else ""
    return f"{value(cell)}{between} (n={sample.n}){lost(cell)}"


def value(cell: Cell) -> str:
    """`93.20 ± 1.10`; or why there is no number."""
    sample = cell.sample
    if sample is None:
        statuses = ", ".join(sorted(set(cell.lost)))
        return statuses or ("too few evaluations" if cell.done else "missing")
    spread = "" if sample.deviation is None else f" ± {sample.deviation:.2f}"
    return f"{sample.mean:.2f}{spread}"


def detail(cell: Cell) -> str:
    """`[90.47, 95.93], n=3, 1 failed`; empty where there is no number."""
    sample = cell.sample
    if sample is None:
        return ""
    between = f"{interval(sample.interval)}, " if sample.interval is not None else ""
    return f"{between}n={sample.n}{lost(cell)}"


def lost(cell: Cell) -> str:
    """`, 1 failed`, or nothing."""
    return f", {len(cell.lost)} {'/'.join(sorted(set(cell.lost)))}" if cell.lost else ""


def published(row: Citation, labels: int) -> str:
    """`86.19 ± 3.37 (n=5)`; empty where the source has no such number."""
    if labels not in row.accuracy:
        return ""
    deviation = f" ± {row.deviation[labels]:.2f}" if labels in row.deviation else ""
    return f"{row.accuracy[labels]:.2f}{deviation} (n={row.n})"


def interval(ends: tuple[float, float]) -> str:
    """`[90.47, 95.93]`."""
    return f"[{ends[0]:.2f}, {ends[1]:.2f}]"


def p_value(p: float) -> str:
    """`p = 0.034`, `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def selection_rule(comparison: Comparison) -> str:
    """The rule, with how many evaluations a best was chosen from and why it is not another."""
    text = selection.DESCRIPTIONS[comparison.rule]
    counts = comparison.evaluations
    if comparison.rule == "best" and counts is not None:
        low, high = counts
        text += f" from {low if low == high else f'{low} to {high}'} evaluations a run"
    if comparison.rule != comparison.profile.selection:
        text += (
            f" (the profile's rule is the {selection.DESCRIPTIONS[comparison.profile.selection]}"
        )
        few = comparison.profile.selection in ("mean20", "median20") and comparison.rule == "last"
        text += "; these runs have fewer)" if few else ")"
    return text


def verdict_word(pairing: Pairing) -> str:
    """One or two words for a column."""
    if pairing.result is None:
        return "no pair"
    if pairing.lacking:
        return "no verdict"
    if pairing.near_chance:
        return "near chance"
    if pairing.result.verdict is Verdict.EQUIVALENT and pairing.result.nonzero:
        return "equivalent, not zero"
    return pairing.result.verdict.value


def verdict(pairing: Pairing, titles: Mapping[str, str]) -> str:
    """A sentence or more: the numbers behind the verdict, what is assumed, how methods differ."""
    said = _verdict(pairing, titles)
    if pairing.begins is not None:
        ours, theirs = pairing.begins
        said += (
            f" The evaluations that count are those from iteration {ours} on of "
            f"{titles[pairing.implementation]}, from {theirs} on of {titles[pairing.reference]}."
        )
    return f"{said} Differences of method: {pairing.departs}." if pairing.departs else said


def _verdict(pairing: Pairing, titles: Mapping[str, str]) -> str:
    ours, theirs = titles[pairing.implementation], titles[pairing.reference]
    result = pairing.result
    if result is None:
        return f"No seed is done by both {ours} and {theirs}: nothing can be said."
    text = f"{ours} minus {theirs} is {result.differences.mean:+.2f} points"
    if pairing.lacking:
        return f"{text}, and there is no verdict: {pairing.lacking}."
    if pairing.near_chance:
        return f"{text}, but both are near chance: nothing is learnt yet, so nothing can be said."
    if result.differences.interval is None or result.p is None:
        return (
            f"{text} with one seed, whose spread is unknown: at least two are needed. "
            + final_weights(pairing, titles)
        )
    return (
        f"{text} on average over {result.differences.n} seeds, 95% interval "
        f"{interval(result.differences.interval)}. {_because(result)}"
    )


def _because(result: Equivalence) -> str:
    inner = f" (90% interval {interval(result.inner)})" if result.inner else ""
    test = f"TOST at ±{result.margin:.2f}: {p_value(result.p or 0.0)}{inner}"
    if result.differences.deviation == 0:
        test += " (all differences are equal: these seeds show no spread)"
    if result.verdict is Verdict.EQUIVALENT:
        note = " The interval excludes 0: small, but not nothing." if result.nonzero else ""
        return f"{test}.{note}"
    if result.verdict is Verdict.DIFFERENT:
        return f"The interval excludes 0, and the margin does not hold it ({test})."
    many = "more than 1,000" if result.seeds_needed is None else f"about {result.seeds_needed}"
    return (
        f"{test}, and the interval holds 0. To decide it takes {many} seeds (80% chance of a "
        "verdict, if true mean and deviation are these; paired t-tests)."
    )


def notes(results: Results) -> list[str]:
    """What a reader must know of where the runs come from."""
    found = []
    if results.provenance is not None and results.provenance.mixed:
        found.append(f"These runs were {results.provenance.mixed}.")
    found += _machines(results)
    for run in results.runs:
        if log := run.manifest.imported:
            found.append(
                f"{run.name} was not trained here: its log {log} was imported, and nothing but the "
                "accuracies in it is known. No rung is shown of it, and it is in no verdict."
            )
        if (taken := run.manifest.taken) is not None:
            of = f" on {taken.processor}" if taken.processor else ""
            found.append(
                f"{run.name} was not trained here: it was taken from {taken.folder}, where it was "
                f"started {taken.started}{of}. Its time is not compared."
            )
    return found


def _machines(results: Results) -> list[str]:
    """Where runs differ in what changes their numbers without a change of code."""
    facts = [(run, run.manifest.facts) for run in results.runs if run.manifest.facts is not None]
    threads = sorted({one.threads for _, one in facts if one.threads})
    processors = sorted({one.processor for _, one in facts if one.processor})
    parts = []
    if len(threads) > 1:
        parts.append(f"{_and(list(map(str, threads)))} threads")
    if len(processors) > 1:
        parts.append(f"on {_and(processors)}")
    if not parts:
        return []
    of_labels: dict[int, set[tuple[str, int | None]]] = {}
    for run, one in facts:
        of_labels.setdefault(run.manifest.labels, set()).add((one.processor, one.threads))
    if all(len(made) == 1 and all(*made) for made in of_labels.values()):
        return [_machine_of_each_label_count(of_labels)]
    return [
        f"These runs were made with more than one machine or share of one: {', '.join(parts)}. "
        "The same seed then gives other weights, as the study `noise` measures."
    ]


def _machine_of_each_label_count(of_labels: Mapping[int, set[tuple[str, int | None]]]) -> str:
    labels_on: dict[tuple[str, int | None], list[str]] = {}
    for labels, made in sorted(of_labels.items()):
        (machine,) = made
        labels_on.setdefault(machine, []).append(str(labels))
    parts = [
        f"{_and(labels)} labels on {processor} with {threads} thread{'s' if threads != 1 else ''}"
        for (processor, threads), labels in labels_on.items()
    ]
    return (
        f"The runs of one label count come from one machine, and each difference with them: "
        f"{', '.join(parts)}. Times of different label counts are not comparable."
    )


def before(one: Before, titles: Mapping[str, str]) -> str:
    """`FixMatch (own), 40 labels: 84.60 now, before 89.00: -4.40 [...], 3 seeds`."""
    title = titles[one.paired.implementation]
    sample = one.paired.sample
    text = f"{title}, {one.paired.labels} labels: {value(one.now)} now, before {value(one.then)}"
    if sample is None:
        return f"{text}, with no seed in common"
    between = f" {interval(sample.interval)}" if sample.interval is not None else ""
    seeds = f"{sample.n} seed{'s' if sample.n > 1 else ''}"
    return f"{text}: {sample.mean:+.2f}{between}, {seeds}"


def gain_word(gain: Paired) -> str:
    """A few words for a column."""
    if gain.sample is None:
        return "no pair"
    if gain.near_chance:
        return "near chance"
    words = {1: "helps", -1: "hurts", 0: "no difference shown", None: "one seed"}
    return words[sign(gain.sample)]


def gain_difference(gain: Paired, titles: Mapping[str, str]) -> str:
    """`FixMatch (own) minus Labelled images only (own)`."""
    return f"{titles[gain.implementation]} minus {titles[gain.reference]}"


def gain(gain: Paired, titles: Mapping[str, str]) -> str:
    """A sentence or more: `... minus ...: +3.20 points [1.10, 5.30], 5 seeds: helps.`"""
    ours, theirs = titles[gain.implementation], titles[gain.reference]
    sample = gain.sample
    if sample is None:
        return f"No seed is done by both {ours} and {theirs}: nothing can be said."
    between = f" {interval(sample.interval)}" if sample.interval is not None else ""
    seeds = f"{sample.n} seed{'s' if sample.n > 1 else ''}"
    text = f"{gain_difference(gain, titles)}: {sample.mean:+.2f} points{between}, {seeds}"
    if gain.near_chance:
        return f"{text}: both are near chance, nothing is learnt yet, so nothing can be said."
    if sample.interval is None:
        return f"{text}, whose spread is unknown: at least two are needed. " + final_weights(
            gain, titles
        )
    equal = " (all differences are equal: these seeds show no spread)" * (sample.deviation == 0)
    return f"{text}: {gain_word(gain)}{equal}."


def gain_notes(comparison: Comparison) -> list[str]:
    """What a reader must know of each baseline: `Labelled images only (own): ...`"""
    return [
        f"{comparison.titles[name]}: {baseline.note}"
        for name, baseline in comparison.baselines.items()
    ]


def contrast_word(pair: Paired) -> str:
    """A few words for a column."""
    if pair.sample is None:
        return "no pair"
    if pair.near_chance:
        return "near chance"
    words = {1: "higher", -1: "lower", 0: "no difference shown", None: "one seed"}
    return words[sign(pair.sample)]


def final_weights(pairing: Paired, titles: Mapping[str, str]) -> str:
    """What can be said of the two checkpoints of a single seed."""
    found = pairing.final_weights
    if found is None:
        return ""
    names = titles[pairing.implementation], titles[pairing.reference]
    sides = " and ".join(
        f"{name} has {right} of {found.images} test images right, binomial 95% interval "
        f"{interval(ends)} (Clopper-Pearson)"
        for name, right, ends in zip(names, found.right, found.intervals, strict=True)
    )
    return f"Of the final weights of seed {found.seed}, {sides}. {_mcnemar(found, names)}"


def _mcnemar(found: FinalWeights, names: tuple[str, str]) -> str:
    if found.test is None:
        return "There are no predictions of both, so no test of the two."
    return (
        f"{found.test.only_first} images only {names[0]} has right, {found.test.only_second} only "
        f"{names[1]}: exact McNemar test, {p_value(found.test.p)}. That is about these two "
        "checkpoints and not about the implementations."
    )


def headline(comparison: Comparison) -> str:
    """`FixMatch (own) against FixMatch (TorchSSL): equivalent at 250 and 4000 labels, ...`."""
    if not comparison.pairings and comparison.gains:
        return _gain_headline(comparison)
    if not comparison.pairings and comparison.contrasts:
        return _contrast_headline(comparison)
    if not comparison.pairings:
        return "Nothing to compare: there are not two implementations with runs here."
    parts = []
    for name in dict.fromkeys(pairing.implementation for pairing in comparison.pairings):
        here = [p for p in comparison.pairings if p.implementation == name]
        ours, theirs = comparison.titles[name], comparison.titles[here[0].reference]
        words = _by_word((verdict_word(pairing), pairing.labels) for pairing in here)
        parts.append(f"{ours} against {theirs}: {words}.")
    return " ".join(parts)


def _gain_headline(comparison: Comparison) -> str:
    parts = []
    for name in comparison.baselines:
        here = [gain for gain in comparison.gains if gain.reference == name]
        words = _by_word((gain_word(gain), gain.labels) for gain in here)
        parts.append(f"{gain_difference(here[0], comparison.titles)}: {words}.")
    return " ".join(parts)


def _contrast_headline(comparison: Comparison) -> str:
    parts = []
    for name in dict.fromkeys(pair.reference for pair in comparison.contrasts):
        here = [pair for pair in comparison.contrasts if pair.reference == name]
        words = _by_word((contrast_word(pair), pair.labels) for pair in here)
        parts.append(f"{gain_difference(here[0], comparison.titles)}: {words}.")
    return " ".join(parts)


def _by_word(said: Iterable[tuple[str, int]]) -> str:
    """`equivalent at 250 and 4000 labels, inconclusive at 40 labels`."""
    by_word: dict[str, list[str]] = {}
    for word, labels in said:
        by_word.setdefault(word, []).append(str(labels))
    return ", ".join(f"{word} at {_and(labels)} labels" for word, labels in by_word.items())


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
