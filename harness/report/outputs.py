"""The files that a comparison leaves beside `runs/`: pure functions of `runs/` and configs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.analysis import (
    before,
    comparison,
    frames,
    proven,
    published,
    selection,
)
from harness.analysis.algorithms import frame as algorithm_frame
from harness.analysis.comparison import Comparison
from harness.analysis.results import Key, Results
from harness.experiment import profile as profiles
from harness.experiment.profile import Profile
from harness.implementations import registry
from harness.parity import levels
from harness.report import latex, markdown, page, proof, table, wording
from harness.report.figures import algorithms as figures
from harness.report.figures import curves, per_class
from harness.report.page import Picture
from harness.runs.files import write_bytes
from harness.runs.manifest import Status
from harness.runs.predictions import Predictions

SUMS, TABLE, POINTS = "runs.sha256", "table.csv", "points.csv"
MARKDOWN, LATEX, REPORT = "table.md", "table.tex", "report.html"
PER_CLASS = "per-class"
FIGURES = {
    "accuracy-vs-epoch": (
        "Accuracy over epochs",
        "Top-1 accuracy of the EMA weights on the test set at each evaluation, a panel for each "
        "label count: thin lines are seeds, the thick line is their mean.",
    ),
    "accuracy-vs-time": (
        "Accuracy over time",
        "The same accuracies over the time since the start, by each run's own log. Times compare "
        "only where the machine and its load were the same.",
    ),
    "training": (
        "Losses and mask",
        "Labelled loss, unlabelled loss and the share of unlabelled images above the threshold, "
        "each of the last batch before an evaluation, where the log has them: TorchSSL logs none "
        "for an evaluation after the last iteration.",
    ),
    PER_CLASS: (
        "Accuracy by class",
        "Accuracy of the final weights on each class, both implementations above and their "
        "difference below. Dashes are seeds; whiskers the 95% interval of the mean difference.",
    ),
}
# Where there are runs of several algorithms.
FIGURES_OF_ALGORITHMS = {
    "accuracy-vs-images": (
        "Accuracy over unlabelled images",
        "The same accuracies over the unlabelled images that each algorithm has seen, each time "
        "that one is drawn counted.",
    ),
    "guesses": (
        "Guessed labels",
        "Of the labels guessed for unlabelled images: the share that moved weights (FixMatch: "
        "those above the threshold, of the last batch), and of these the mean entropy and the "
        "accuracy since the evaluation before, by the true labels that training never sees. "
        "TorchSSL logs neither entropy nor accuracy.",
    ),
}
PER_CLASS_WITH_BASELINES = (
    "Accuracy of the final weights on each class above, and the difference to the reference below, "
    "where there is one. Dashes are seeds; whiskers the 95% interval of the mean difference."
)
# What every comparison leaves in its folder.
NAMES = (
    SUMS, TABLE, POINTS, MARKDOWN, LATEX,
    *(f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png")), REPORT,
)  # fmt: skip
# All that may stand there: `write` knows what is stale.
ALL_NAMES = (
    *NAMES, *(f"{name}.{kind}" for name in FIGURES_OF_ALGORITHMS for kind in ("svg", "png")),
)  # fmt: skip


def write(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write all outputs into `folder`, and remove those that there are no more."""
    for name in ALL_NAMES:
        if name in content:
            write_bytes(folder / name, content[name])
        else:
            (folder / name).unlink(missing_ok=True)


def build(results: Results, profile: Profile) -> dict[str, bytes]:
    """Name -> content of all outputs, the page last."""
    main = compare(results, profile)
    others = [compare(results, profile, rule) for rule in selection.RULES if rule != main.rule]
    points = frames.points_frame(results.runs)
    done = points[points["status"] == Status.DONE.value]
    drawn = _draw(main, done, _points_before(results), results.predictions)
    if main.contrasts:
        drawn |= _draw_algorithms(main)
    content = _tables(results, main)
    pictures = []
    for name, picture in drawn.items():
        content |= {f"{name}.{kind}": curves.render(picture, kind) for kind in ("svg", "png")}
        title, description = (FIGURES | FIGURES_OF_ALGORITHMS)[name]
        if name == PER_CLASS and main.baselines:
            description = PER_CLASS_WITH_BASELINES
        pictures.append(Picture(title, description, content[f"{name}.svg"]))
    text = page.render(main, others, pictures, results.ladder, results.accepted, results.ladders)
    content[REPORT] = text.encode()
    return content


def tables(results: Results, profile: Profile) -> dict[str, bytes]:
    """The first of `build`'s outputs: sums and tables, without what takes time to draw."""
    return _tables(results, compare(results, profile))


def compare(results: Results, profile: Profile, rule: str | None = None) -> Comparison:
    """What the results say under `rule`: their table's own unless given.

    The profile is as configs/ has it, however short these runs were asked to be.
    """
    compared = comparison.build(
        results.runs,
        profiles.load(profile.name),
        registry.entered(),
        results.predictions,
        published.load(),
        rule,
    )
    earlier = before.runs_before(results.runs, results.earlier)
    return replace(
        proven.hold(compared, levels.of_contenders(results.runs, results.ladder, results.ladders)),
        notes=wording.notes(results),
        before=before.compare(results.runs, earlier, compared.rule),
    )


def _tables(results: Results, main: Comparison) -> dict[str, bytes]:
    return {
        SUMS: results.sums.encode(),
        TABLE: table.to_csv(
            proof.with_levels(
                frames.runs_frame(results.runs), results.runs, results.ladder, results.ladders
            )
        ).encode(),
        POINTS: table.to_csv(frames.points_frame(results.runs)).encode(),
        MARKDOWN: markdown.render(main).encode(),
        LATEX: latex.render(main).encode(),
    }


def _draw(
    main: Comparison,
    points: pd.DataFrame,
    earlier: pd.DataFrame,
    judged: Mapping[Key, Predictions],
) -> dict[str, Figure]:
    titles = {name: one.title for name, one in main.contenders.items()}
    network = f"{main.data}, WRN-{main.profile.depth}-{main.profile.widen_factor}"
    devices = {run.manifest.facts.device for run in main.runs if run.manifest.facts is not None}
    caption = f"{network}: EMA weights on the test set"
    drawn = {
        "accuracy-vs-epoch": curves.accuracy_vs_epoch(
            pd.concat([points, earlier]) if len(earlier) else points,
            titles | _titles_before(earlier, titles),
            caption,
            main.published_beside,
        ),
        "accuracy-vs-time": curves.accuracy_vs_time(
            points, titles, f"{caption}; {', '.join(sorted(devices)) or 'no device'}"
        ),
        "training": curves.training(
            points, titles, f"{network}: last batch before each evaluation"
        ),
    }
    if judged:
        title = f"{network}: final EMA weights on the test set"
        drawn[PER_CLASS] = per_class.draw(judged, titles, title, main.data, _against(main))
    return drawn


def _draw_algorithms(main: Comparison) -> dict[str, Figure]:
    """Figures that only runs of several algorithms have."""
    points = algorithm_frame.build(main.runs)
    titles = {name: one.title for name, one in main.contenders.items()}
    network = f"{main.data}, WRN-{main.profile.depth}-{main.profile.widen_factor}"
    return {
        "accuracy-vs-images": figures.accuracy_vs_images(
            points, titles, f"{network}: EMA weights on the test set"
        ),
        "guesses": figures.guesses(points, titles, f"{network}: labels of unlabelled images"),
    }


def _against(main: Comparison) -> dict[str, str]:
    """Each contender that is to be as good as another, and that other."""
    return {name: one.held_against for name, one in main.contenders.items() if one.held_against}


def _points_before(results: Results) -> pd.DataFrame:
    """The evaluations of the version before, under names of their own."""
    points = frames.points_frame(before.runs_before(results.runs, results.earlier))
    return points.assign(implementation=points["implementation"].astype(str) + curves.BEFORE)


def _titles_before(points: pd.DataFrame, titles: Mapping[str, str]) -> dict[str, str]:
    names = sorted(set(points["implementation"]))
    return {name: f"{titles[name.removesuffix(curves.BEFORE)]}, before" for name in names}
