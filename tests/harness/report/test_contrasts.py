"""FixMatch against MixMatch in table and page: a difference, no equivalence, both settings."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from harness.analysis import comparison, results
from harness.analysis.algorithms import frame as algorithm_frame
from harness.analysis.statistics import Verdict
from harness.commands import verify
from harness.commands.results import ending, table
from harness.experiment import profile
from harness.implementations import registry
from harness.parity import checklist
from harness.parity.checklist import check, rung
from harness.report import contrasts, outputs, page, wording
from harness.report.figures import algorithms, curves
from harness.runs.folder import Run
from tests.helpers import made

QUICK = profile.load("quick")
NAMES = ("own", "own-mixmatch", "torchssl", "torchssl-mixmatch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both sides with both algorithms, MixMatch 20 points below; three seeds of 40 labels."""
    place = tmp_path_factory.mktemp("contrasts") / "quick"
    for seed in (0, 1, 2):
        for name in NAMES:
            of_mixmatch = name.endswith("-mixmatch")
            run = made.run(place, name, 40, seed, shift=-20.0 * of_mixmatch)
            if of_mixmatch:
                tell(run / "manifest.json", QUICK.hyper_parameters("mixmatch"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")
        table.write(place, QUICK)
    return place


def tell(manifest: Path, settings: dict[str, object]) -> None:
    content = json.loads(manifest.read_text())
    del content["settings"]["threshold"]
    content["settings"] |= settings
    manifest.write_text(json.dumps(content))


def compared(folder: Path) -> comparison.Comparison:
    return outputs.compare(results.read(folder), QUICK, "last")


def test_verdicts_are_within_an_algorithm(folder: Path) -> None:
    found = compared(folder)
    assert [(p.implementation, p.reference) for p in found.pairings] == [
        ("own", "torchssl"), ("own-mixmatch", "torchssl-mixmatch"),
    ]  # fmt: skip
    assert "MixMatch (own) against MixMatch (TorchSSL): " in wording.headline(found)


def test_between_algorithms_there_is_a_difference_with_its_interval(folder: Path) -> None:
    found = compared(folder)
    assert [(p.implementation, p.reference) for p in found.contrasts] == [
        ("own", "own-mixmatch"), ("torchssl", "torchssl-mixmatch"),
    ]  # fmt: skip
    for pair in found.contrasts:
        assert pair.sample is not None and pair.sample.n == 3
        assert wording.contrast_word(pair) == "higher"
    text = section((folder / "table.md").read_text())
    own = found.contrasts[0].sample
    assert own is not None and own.interval is not None
    low, high = own.interval
    assert (
        f"FixMatch (own) minus MixMatch (own): {own.mean:+.2f} points [{low:.2f}, {high:.2f}], "
        "3 seeds: higher."
    ) in text
    assert "equivalent" not in text and contrasts.TEST in text


def test_what_was_told_otherwise_stands_side_by_side(folder: Path) -> None:
    text = section((folder / "table.md").read_text())
    for line in (
        "| setting | FixMatch | MixMatch |",
        "| threshold | 0.95 | - |",
        "| lambda_u | 1.0 | 25.0 |",
        "| ramp_up | - | 0.4 |",
        "| of them in the loss | those above the threshold | all |",
        "| images through the network | 24 | 40 |",
    ):
        assert line in text
    assert "| mu |" not in text
    equal = text.split("Equal of FixMatch and MixMatch: ")[1].splitlines()[0]
    assert {"iterations", "mu", "lr", "depth", "data_sha256."} <= set(equal.split(", "))


def test_the_page_says_the_same_and_calls_no_setting_wrong(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    assert "<title>FixMatch and MixMatch on mnist5k: quick</title>" in text
    assert "make parity PROFILE=quick ALGORITHM=mixmatch" in page.commands(compared(folder))
    assert '<h3 id="algorithms">One algorithm against another</h3>' in text
    assert "FixMatch (own) minus MixMatch (own): " in text
    assert "✗ differs" not in text and "of its algorithm" in text
    rows = {row.name: row for row in page.settings(compared(folder).runs)}
    assert rows["threshold"].of_algorithm and rows["threshold"].values["own-mixmatch"] == "not set"
    assert rows["lr"].equal and not rows["lr"].of_algorithm


def test_each_algorithm_has_its_own_ladder_in_the_page(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = "<code>make parity PROFILE=quick ALGORITHM=mixmatch</code> climbs it."
    assert lacking in (folder / "report.html").read_text()
    place = shutil.copytree(folder, tmp_path / "quick")
    bad = rung(6, "same step", [check("loss_u", "1e-3", "at most 1e-10", False)])
    checklist.write(place, "quick", {}, [bad], "mixmatch")
    monkeypatch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")
    table.write(place, QUICK)
    text = (place / "report.html").read_text()
    assert lacking not in text and "The ladder of MixMatch does not hold." in text
    assert "Ladder: not climbed. <code>make parity PROFILE=quick</code>" in text
    assert "first difference: loss_u: 1e-3" in text


def test_the_images_seen_and_the_share_that_counts_are_each_algorithms_own(folder: Path) -> None:
    frame = algorithm_frame.build(compared(folder).runs)
    assert (frame["images"] == frame["iteration"] * 8 / 1000).all()
    masked = ~frame["implementation"].str.endswith("-mixmatch")
    assert (frame[~masked]["share"] == 1).all() and (frame[masked]["share"] < 1).any()


def test_the_guesses_of_who_logs_them_are_drawn(folder: Path) -> None:
    frame = algorithm_frame.build(compared(folder).runs)
    ours = frame["implementation"].str.startswith("own")
    frame = frame.assign(guess_entropy=np.where(ours, 0.5, np.nan), guess_accuracy=None)
    titles = {name: registry.contender(name).title for name in NAMES}
    share, entropy, right = algorithms.guesses(frame, titles, "x").axes
    assert share.get_ylabel() == curves.SHARE and share.get_ylim() == (0, 1)
    assert len(labelled(share)) == 4
    assert labelled(entropy) == ["FixMatch (own)", "MixMatch (own)"]
    assert labelled(right) == []
    [panel] = algorithms.accuracy_vs_images(frame, titles, "x").axes
    assert panel.get_xlabel() == "thousand unlabelled images seen"
    assert max(panel.get_lines()[-1].get_xdata()) == 40.0  # of 5,000 iterations with 8 each


def labelled(panel: Axes) -> list[str]:
    return panel.get_legend_handles_labels()[1]


def test_the_figures_of_algorithms_are_where_there_are_two(folder: Path, tmp_path: Path) -> None:
    assert {"guesses.svg", "accuracy-vs-images.png"} <= {path.name for path in folder.iterdir()}
    made.run(tmp_path, "own", 40, 0)
    made.run(tmp_path, "torchssl", 40, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")
        assert not {"guesses.svg", "accuracy-vs-images.svg"} & outputs.build(
            results.read(tmp_path), QUICK
        ).keys()  # fmt: skip


def test_a_setting_that_differs_within_an_algorithm_is_none_of_it(folder: Path) -> None:
    runs = [
        run if run.manifest.implementation != "own-mixmatch" else _with(run, alpha=0.75)
        for run in compared(folder).runs
    ]
    [row] = [row for row in page.settings(runs) if row.name == "alpha"]
    assert not row.of_algorithm and not row.equal


def _with(run: Run, **settings: object) -> Run:
    told = run.manifest.model_copy(update={"settings": run.manifest.settings | settings})
    return replace(run, manifest=told)


def test_the_folder_is_a_pure_function_of_its_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "render", lambda _drawn, _kind: b"<svg></svg>")
    assert verify.check(folder, QUICK) == []


def test_where_only_algorithms_are_compared_the_headline_says_so(tmp_path: Path) -> None:
    for name in NAMES[:2]:
        run = made.run(tmp_path, name, 40, 0)
    tell(run / "manifest.json", QUICK.hyper_parameters("mixmatch"))
    found = compared(tmp_path)
    assert wording.headline(found) == "FixMatch (own) minus MixMatch (own): one seed at 40 labels."
    assert "at least two are needed" in contrasts.sentence(found.contrasts[0], found.titles)


def test_what_comes_next_is_of_the_pair_that_asks_for_it(folder: Path) -> None:
    """That of another pair of the same label count does not hide it."""
    found = compared(folder)
    ours, mixed = found.pairings
    assert ours.result is not None and mixed.result is not None

    def said(one: Verdict, other: Verdict) -> str:
        assert ours.result is not None and mixed.result is not None
        pairs = [
            replace(ours, result=replace(ours.result, verdict=one)),
            replace(mixed, result=replace(mixed.result, verdict=other)),
        ]
        return ending.next_command(replace(found, pairings=pairs), {"PROFILE": "quick"})

    same, apart, open_ = Verdict.EQUIVALENT, Verdict.DIFFERENT, Verdict.INCONCLUSIVE
    assert said(apart, same).startswith("make parity PROFILE=quick  #")
    assert said(same, apart).startswith("make parity PROFILE=quick ALGORITHM=mixmatch  #")
    assert "more seeds" in said(open_, same) and "more seeds" in said(same, open_)


def test_one_seed_far_apart_is_looked_at_before_more_are_trained(tmp_path: Path) -> None:
    for name in ("own", "torchssl"):
        made.run(tmp_path, name, 40, 0)
    found = compared(tmp_path)
    [pair] = found.pairings
    asked = {"PROFILE": "quick"}
    assert "more seeds" in ending.next_command(found, asked)
    far = replace(pair, differences={0: -2 * pair.margin})
    said = ending.next_command(replace(found, pairings=[far]), asked)
    assert said == "make parity PROFILE=quick  # where the two part"


def section(text: str) -> str:
    return text.split(f"## {contrasts.TITLE}\n", 1)[1].split("\n## ")[0]
