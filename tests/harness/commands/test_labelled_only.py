"""Labelled images only: a third row beside the two, its own question, and no verdict against
TorchSSL; and one real run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from pydantic import ValidationError

from harness.analysis import comparison, results
from harness.commands.results import table
from harness.experiment import data, profile
from harness.implementations import interface, registry
from harness.implementations.interface import Request
from harness.report import outputs
from harness.report import page as report
from harness.report.figures import curves as figure
from harness.report.figures import per_class
from harness.runs import inputs as hand_out
from harness.runs.execution import child as local
from harness.runs.manifest import Status
from tests.harness.report.test_per_class import OWN, THEIRS
from tests.harness.report.test_report import FAINT, OVERFLOW
from tests.helpers import browser, made

QUICK = profile.load("quick")
TITLE = "Labelled images only (own)"
QUESTION = "Does the unlabelled data help?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both implementations and labelled images only, which is 20 points below at 40 labels."""
    place = made.results(tmp_path_factory.mktemp("baseline") / "quick", (40, 250), (0, 1, 2))
    for labels, shift in ((40, -20.0), (250, 0.0)):
        for seed in (0, 1, 2):
            made.run(place, "labelled_only", labels, seed, shift=shift)
    table.write(place, QUICK)
    return place


TITLES = {name: registry.contender(name).title for name in ("own", "torchssl", "labelled_only")}


def compared(folder: Path) -> comparison.Comparison:
    return outputs.compare(results.read(folder), QUICK, "last")


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n", 1)[1].split("\n## ")[0]


def test_it_is_the_third_row(folder: Path) -> None:
    text = (folder / "table.md").read_text()
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert rows[2:5] == ["| FixMatch (own)", "| FixMatch (TorchSSL)", f"| {TITLE}"]
    tex = (folder / "table.tex").read_text()
    titles = ("    FixMatch (own) &", "    FixMatch (TorchSSL) &", f"    {TITLE} &")
    assert [tex.index(title) for title in titles] == sorted(tex.index(title) for title in titles)


def test_its_question_is_answered_for_each_label_count(folder: Path) -> None:
    found = compared(folder)
    gain = {gain.labels: gain for gain in found.gains}
    assert gain[40].sample is not None and gain[40].sample.n == 3
    expected = np.mean(
        [
            found.cell("own", 40).accuracies[s] - found.cell("labelled_only", 40).accuracies[s]
            for s in (0, 1, 2)
        ]
    )
    assert gain[40].sample.mean == pytest.approx(expected)
    text = section((folder / "table.md").read_text(), QUESTION)
    low, high = gain[40].sample.interval or (0.0, 0.0)
    assert (
        f"- 40 labels, **helps**: FixMatch (own) minus {TITLE}: {expected:+.2f} points "
        f"[{low:.2f}, {high:.2f}], 3 seeds: helps.\n"
    ) in text
    assert re.search(
        rf"- 250 labels, \*\*no difference shown\*\*: .* minus {re.escape(TITLE)}", text
    )
    assert "batch norm still sees the unlabelled views" in text and "lambda_u = 0" in text


def test_no_verdict_holds_it_against_torchssl(folder: Path) -> None:
    assert {pairing.implementation for pairing in compared(folder).pairings} == {"own"}
    differences = section((folder / "table.md").read_text(), "Differences")
    assert "labelled_only" not in differences and TITLE not in differences
    assert "equivalent" not in section((folder / "table.md").read_text(), QUESTION)
    tex = (folder / "table.tex").read_text()
    assert tex.count("verdict (TOST)") == 1 and f"FixMatch (own) minus {TITLE} & $+" in tex
    assert rf"{QUESTION} & helps & no difference shown \\" in tex
    page = (folder / "report.html").read_text()
    assert "labelled_only - torchssl" not in page and "40 labels, labelled_only</h2>" not in page


def test_the_report_asks_it_after_the_verdicts(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    words = ('class="verdict"', "Differences, seed by seed", QUESTION, "Accuracy over epochs")
    assert [page.index(word) for word in words] == sorted(page.index(word) for word in words)
    assert "<b>helps</b>: FixMatch (own) minus" in page
    assert "IMPLEMENTATIONS=&#34;labelled_only own torchssl&#34;" in page


def test_the_declared_setting_is_shown_as_declared_and_no_other(folder: Path) -> None:
    rows = {row.name: row for row in report.settings(results.load_all(folder))}
    assert rows["lambda_u"].values == {"labelled_only": "0.0", "own": "1.0", "torchssl": "1.0"}
    assert rows["lambda_u"].declared and not rows["lambda_u"].equal
    assert [name for name, row in rows.items() if not row.equal] == ["lambda_u"]
    page = (folder / "report.html").read_text()
    assert re.search(r'<tr><th scope="row">lambda_u</th>.*<td>declared</td></tr>', page)


def test_a_setting_that_nobody_declared_still_shows_as_different(tmp_path: Path) -> None:
    made.results(tmp_path)
    made.run(tmp_path, "labelled_only", 40, 0)
    change(tmp_path, "40-seed0-own", lambda_u=0.5)
    rows = {row.name: row for row in report.settings(results.load_all(tmp_path))}
    assert not rows["lambda_u"].declared


def change(folder: Path, name: str, **settings: object) -> None:
    """Other settings in the manifest of a run."""
    path = folder / "runs" / name / "manifest.json"
    content = json.loads(path.read_text())
    content["settings"] |= settings
    path.write_text(json.dumps(content))


def logged(folder: Path, name: str, **settings: object) -> None:
    """A first line in the log of a run, with the settings that it says it used."""
    path = folder / "runs" / name / "attempt-1/metrics.jsonl"
    start = {"kind": "start", "schema": 1, "settings": settings, "resolved": {}}
    path.write_text(json.dumps(start) + "\n" + path.read_text())


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("labelled_only", {"lambda_u": 0.0, "batch_size": QUICK.batch_size}, ""),
        ("labelled_only", {"lambda_u": 1.0}, "lambda_u: it used 1.0, asked for was 0.0"),
        ("labelled_only", {"lambda_u": 0.0, "batch_size": 3}, "batch_size: it used 3, asked for"),
        ("own", {"lambda_u": 0.0}, "lambda_u: it used 0.0, asked for was 1.0"),
    ],
)
def test_a_log_that_says_another_setting_is_incomparable(
    tmp_path: Path, name: str, settings: dict[str, object], said: str
) -> None:
    made.results(tmp_path)
    made.run(tmp_path, "labelled_only", 40, 0)
    logged(tmp_path, f"40-seed0-{name}", **settings)
    found = {run.manifest.implementation: run for run in results.load_all(tmp_path)}
    assert said in found[name].reason
    assert (found[name].status is Status.DONE) == (said == "")
    assert {run.status for key, run in found.items() if key != name} == {Status.DONE}


def test_a_manifest_without_the_declared_setting_is_incomparable(tmp_path: Path) -> None:
    made.results(tmp_path)
    made.run(tmp_path, "labelled_only", 40, 0)
    change(tmp_path, "40-seed0-labelled_only", lambda_u=1.0)
    reason = results.load_all(tmp_path)[0].reason
    assert reason.endswith("lambda_u: asked for was 1.0, declared is 0.0")


def test_beside_it_both_look_as_they_do_without_it(folder: Path, tmp_path: Path) -> None:
    styles = {name: style for name, _, style in figure.styles(TITLES)}
    assert styles["own"] == figure.STYLES[0] and styles["torchssl"] == figure.STYLES[1]
    assert styles["labelled_only"] == figure.STYLES[2]
    made.results(tmp_path / "quick", (40, 250), (0, 1, 2))
    without = outputs.tables(results.read(tmp_path / "quick"), QUICK)
    row = "| FixMatch (own) |"
    [alone] = [line for line in without["table.md"].decode().splitlines() if line.startswith(row)]
    assert alone in (folder / "table.md").read_text().splitlines()
    assert QUESTION not in without["table.md"].decode() + without["table.tex"].decode()


def test_classes_have_its_accuracy_and_no_difference_to_torchssl() -> None:
    judged = {(40, 0, "own"): OWN, (40, 0, "torchssl"): THEIRS, (40, 0, "labelled_only"): THEIRS}
    drawn = per_class.draw(judged, TITLES, "caption", "mnist5k", {"own": "torchssl"})
    above, below = drawn.axes

    def legend(panel: Axes) -> list[str]:
        return [str(text) for text in panel.get_legend_handles_labels()[1]]

    assert legend(above) == ["FixMatch (own)", "FixMatch (TorchSSL)", TITLE]
    assert legend(below) == ["FixMatch (own) minus FixMatch (TorchSSL)"]


@pytest.mark.parametrize("baselines", [(), ("labelled_only",)])
@pytest.mark.parametrize("labels", [(40,), (40, 250), (40, 250, 4000)])
def test_the_legend_stays_in_the_figure(
    labels: tuple[int, ...], baselines: tuple[str, ...]
) -> None:
    judged = {
        (count, seed, name): OWN if name == "own" else THEIRS
        for count in labels
        for seed in (0, 1)
        for name in ("own", "torchssl", *baselines)
    }
    drawn = per_class.draw(judged, TITLES, "caption", "mnist5k", {"own": "torchssl"})
    drawn.canvas.draw()
    box = drawn.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= drawn.bbox.x1
    lowest = min(panel.get_tightbbox().y0 for panel in drawn.axes)
    assert box.y0 >= 0 and box.y1 <= lowest + 2


@pytest.mark.chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(folder: Path, width: int) -> None:
    binary = browser.find()
    if binary is None:
        pytest.skip("no Chromium here")
    with browser.chromium(binary) as tab:
        tab.open(folder / "report.html", width, "dark")
        assert tab.evaluate(OVERFLOW) == [] and tab.evaluate(FAINT) == []
        assert tab.complaints == []


def test_without_its_counterpart_it_has_a_row_and_says_why_no_more(tmp_path: Path) -> None:
    made.run(tmp_path, "labelled_only", 40, 0)
    text = outputs.tables(results.read(tmp_path), QUICK)["table.md"].decode()
    assert f"| {TITLE} | " in text
    assert f"No seed is done by both FixMatch (own) and {TITLE}: nothing can be said." in text


def test_a_departure_is_checked_like_a_profile() -> None:
    departed = QUICK.departing({"lambda_u": 0.0})
    assert departed.lambda_u == 0.0
    assert departed.model_copy(update={"lambda_u": QUICK.lambda_u}) == QUICK
    for wrong in ({"lambda_uu": 0.0}, {"lambda_u": -1.0}):
        with pytest.raises(ValidationError):
            QUICK.departing(wrong)


def test_a_real_run_trains_on_the_labelled_loss_alone(tmp_path: Path, data_dir: Path) -> None:
    side = registry.create("labelled_only")
    settings = profile.load("quick", 4).model_copy(update={"threshold": 0.0, "mu": 2})
    dataset = data.open_dataset("mnist5k", data_dir)
    request = side.asked(Request(settings, dataset, 40, 0, "cpu"))
    hand_out.data_and_split(request, tmp_path)
    assert (
        local.run(side.weights_command(settings, 0, Path(interface.INITIAL_WEIGHTS)), tmp_path).code
        == 0
    )
    ended = local.run(side.train_command(request, tmp_path), tmp_path)
    assert ended.code == 0, ended.last_lines
    found = side.points(tmp_path, dataset.test_class_counts)
    assert found[-1].iteration == 4
    for point in found:
        assert point.loss == point.loss_x
        assert point.loss_u is not None and point.loss_u > 0 and point.mask == 1.0
    used = side.settings(tmp_path)
    assert used["lambda_u"].value == 0.0
    assert used["unlabelled_pool"].value == dataset.train_size
