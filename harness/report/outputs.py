"""The files that a comparison leaves beside `runs/`: pure functions of `runs/` and configs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.analysis import comparison, published, selection
from harness.analysis.comparison import Comparison, Key
from harness.commands.terminal import Terminal
from harness.experiment import profile as profiles
from harness.experiment.profile import Profile
from harness.implementations import registry
from harness.parity import kept as checklist
from harness.report import latex, markdown, table
from harness.report import page as report
from harness.report.figures import curves as figure
from harness.report.figures import per_class
from harness.report.page import Picture
from harness.runs import folder as runs
from harness.runs import manifest as records
from harness.runs import predictions
from harness.runs.folder import Run
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
PER_CLASS_WITH_BASELINES = (
    "Accuracy of the final weights on each class above, and the difference to the reference below, "
    "where there is one. Dashes are seeds; whiskers the 95% interval of the mean difference."
)
# All that may stand in a results folder: `verify` knows what to look for, `write` what is stale.
NAMES = (
    SUMS, TABLE, POINTS, MARKDOWN, LATEX,
    *(f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png")), REPORT,
)  # fmt: skip


def write(folder: Path, profile: Profile) -> None:
    """Write all outputs of the runs in `folder`, and remove those that there are no more."""
    content = build(folder, profile)
    for name in NAMES:
        if name in content:
            records.write_bytes(folder / name, content[name])
        else:
            (folder / name).unlink(missing_ok=True)


def build(folder: Path, profile: Profile) -> dict[str, bytes]:
    """Name -> content of all outputs, in the order of NAMES; reads, and writes nothing.

    Raises BadInput for what is in `folder` and cannot be read.
    """
    profile = profiles.load(profile.name)  # as configs/ has it, however short these runs were asked
    found = runs.load_all(folder)
    judged = _predictions(folder, found)
    titles, compared = _titles(), _comparer(found, profile, judged)
    main = compared()
    others = [compared(rule=rule) for rule in selection.RULES if rule != main.rule]
    points = table.points_frame(found)
    drawn = _draw(main, points[points["status"] == Status.DONE.value], judged, titles)
    content = _tables(folder, main)
    pictures = []
    for name, picture in drawn.items():
        content |= {f"{name}.{kind}": figure.render(picture, kind) for kind in ("svg", "png")}
        title, description = FIGURES[name]
        if name == PER_CLASS and main.baselines:
            description = PER_CLASS_WITH_BASELINES
        pictures.append(Picture(title, description, content[f"{name}.svg"]))
    page = report.render(
        main, others, pictures, checklist.ladder(folder), checklist.accepted(folder)
    )
    content[REPORT] = page.encode()
    return content


def tables(folder: Path, profile: Profile) -> dict[str, bytes]:
    """The first of `build`'s outputs: sums and tables, without what takes time to draw."""
    profile = profiles.load(profile.name)
    found = runs.load_all(folder)
    judged = _predictions(folder, found)
    return _tables(folder, _comparer(found, profile, judged)())


def _tables(folder: Path, main: Comparison) -> dict[str, bytes]:
    return {
        SUMS: sums(folder, [(_place(folder, run), run) for run in main.runs]).encode(),
        TABLE: table.to_csv(table.runs_frame(main.runs)).encode(),
        POINTS: table.to_csv(table.points_frame(main.runs)).encode(),
        MARKDOWN: markdown.render(main).encode(),
        LATEX: latex.render(main).encode(),
    }


def under(folder: Path, profile: Profile, rule: str) -> Comparison:
    """The runs of `folder` under another rule than their table's; writes nothing."""
    found = runs.load_all(folder)
    judged = _predictions(folder, found)
    return _comparer(found, profile, judged)(rule=rule)


def show(folder: Path, terminal: Terminal) -> None:
    """The table on the terminal, and where the files are."""
    terminal.say()
    terminal.markdown((folder / MARKDOWN).read_text(encoding="utf-8"))
    for name in NAMES:
        if (folder / name).exists():
            terminal.say(f"  {folder / name}")


def _comparer(
    found: Sequence[Run], profile: Profile, judged: Mapping[Key, Predictions]
) -> Callable[..., Comparison]:
    """Compares `found` under a `rule`; what all rules share is read once."""
    cited, baselines = published.load(), registry.baselines()
    return partial(comparison.build, found, profile, _titles(), judged, cited, baselines=baselines)


def _titles() -> dict[str, str]:
    """By name, baselines last: the order in which figures give out colours."""
    baselines = registry.baselines()
    names = sorted(registry.names(), key=lambda name: (name in baselines, name))
    return {name: registry.create(name).title for name in names}


def _draw(
    main: Comparison,
    points: pd.DataFrame,
    judged: Mapping[Key, Predictions],
    titles: dict[str, str],
) -> dict[str, Figure]:
    network = f"{main.data}, WRN-{main.profile.depth}-{main.profile.widen_factor}"
    devices = {run.manifest.facts.device for run in main.runs if run.manifest.facts is not None}
    caption = f"{network}: EMA weights on the test set"
    drawn = {
        "accuracy-vs-epoch": figure.accuracy_vs_epoch(
            points, titles, caption, main.published_beside
        ),
        "accuracy-vs-time": figure.accuracy_vs_time(
            points, titles, f"{caption}; {', '.join(sorted(devices)) or 'no device'}"
        ),
        "training": figure.training(
            points, titles, f"{network}: last batch before each evaluation"
        ),
    }
    if judged:
        title = f"{network}: final EMA weights on the test set"
        drawn[PER_CLASS] = per_class.draw(judged, titles, title, main.data, main.baselines)
    return drawn


def _predictions(folder: Path, found: Sequence[Run]) -> dict[Key, Predictions]:
    read = {}
    for run in found:
        key = (*run.key, run.manifest.implementation)
        content = predictions.read(folder / "runs" / runs.folder_name(*key))
        if content is not None and run.status is Status.DONE:
            read[key] = content
    return read


def sums(folder: Path, places: Sequence[tuple[Path, Run]]) -> str:
    """What all the rest is made from, as `sha256sum --check` reads it: run folders, their runs."""
    lines = []
    for place, run in places:
        manifest = run.manifest
        attempt = runs.attempt_folder(place, manifest.attempt)
        log = registry.create(manifest.implementation).log(attempt)
        for path in (place / "manifest.json", log, place / predictions.FILE):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines)


def _place(folder: Path, run: Run) -> Path:
    return folder / "runs" / runs.folder_name(*run.key, run.manifest.implementation)
