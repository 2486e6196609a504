"""Figures of curves: the same bytes for the same runs, and what is drawn in them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from harness.analysis.frames import POINT_COLUMNS
from harness.analysis.published import Citation
from harness.report.figures import curves
from harness.report.figures.curves import accuracy_vs_epoch, accuracy_vs_time, render, training

TITLES = {"own": "FixMatch (own)", "torchssl": "FixMatch (TorchSSL)"}


def points(
    labels: tuple[int, ...] = (40, 250),
    seeds: tuple[int, ...] = (0, 1),
    implementations: tuple[str, ...] = ("own", "torchssl"),
    lengths: tuple[int, ...] = (5, 5),
) -> pd.DataFrame:
    """Accuracy of evaluation e: 10 e + seed, 20 higher for torchssl."""
    rows = [
        {
            "labels": count, "seed": seed, "implementation": name, "iteration": 1 + 10 * e,
            "epoch": (1 + 10 * e) / 10, "top1": 10.0 * e + seed + 20 * (name == "torchssl"),
            "seconds": 60.0 * e * (1 + seed), "loss_x": 2.0 - e / 5, "loss_u": e / 10,
            "mask": e / 5,
        }
        for count in labels
        for seed in seeds
        for name in implementations
        for e in range(lengths[seed])
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=POINT_COLUMNS)


def published(**accuracy: float) -> Citation:
    return Citation(
        source="somebody", short="somebody", selection="last", n=1, deviation={}, caveat="none",
        accuracy={int(key[1:]): value for key, value in accuracy.items()},
    )  # fmt: skip


def lines(panel: Axes, thick: bool) -> list[list[float]]:
    return [
        [float(y) for y in np.asarray(line.get_ydata())]
        for line in panel.get_lines()
        if (line.get_linewidth() > 1) == thick
    ]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_equal_runs_give_equal_bytes(kind: str) -> None:
    reference = [published(n40=90.0)]
    first = accuracy_vs_epoch(points(), TITLES, "caption", reference)
    second = accuracy_vs_epoch(points(), TITLES, "caption", reference)
    content = render(first, kind)
    assert content == render(second, kind)
    assert content == render(first, kind)  # and drawing it leaves no trace in it
    assert content.startswith(b"\x89PNG" if kind == "png" else b"<?xml")


def test_no_date_and_no_version_in_the_files() -> None:
    figure = accuracy_vs_epoch(points(), TITLES, "caption")
    assert b"<dc:date>" not in render(figure, "svg")
    assert b"Software" not in render(figure, "png")


def test_a_panel_for_each_label_count_in_order() -> None:
    figure = accuracy_vs_epoch(points(labels=(4000, 40, 250)), TITLES, "caption")
    assert [panel.get_title() for panel in figure.axes] == [
        f"{count} labelled images, 2 seeds" for count in (40, 250, 4000)
    ]  # fmt: skip
    assert figure.axes[0].get_ylabel() == "top-1 accuracy, %"
    assert {panel.get_xlabel() for panel in figure.axes} == {"epoch"}
    assert all(label.get_visible() for label in figure.axes[0].get_yticklabels())
    assert {panel.get_ylim() for panel in figure.axes} == {(0.0, 107.0)}


def test_seeds_are_thin_and_their_mean_thick() -> None:
    panel = accuracy_vs_epoch(points(labels=(40,)), TITLES, "caption").axes[0]
    assert lines(panel, thick=False) == [
        [0, 10, 20, 30, 40], [1, 11, 21, 31, 41], [20, 30, 40, 50, 60], [21, 31, 41, 51, 61],
    ]  # fmt: skip
    assert lines(panel, thick=True) == [
        [0.5, 10.5, 20.5, 30.5, 40.5], [20.5, 30.5, 40.5, 50.5, 60.5],
    ]  # fmt: skip
    assert panel.get_legend_handles_labels()[1] == [
        "FixMatch (own)", "FixMatch (TorchSSL)",
    ]  # fmt: skip


def test_one_seed_is_one_line() -> None:
    panel = accuracy_vs_epoch(points(labels=(40,), seeds=(0,)), TITLES, "caption").axes[0]
    assert lines(panel, thick=False) == []
    assert len(lines(panel, thick=True)) == 2
    assert panel.get_legend_handles_labels()[1][0] == "FixMatch (own)"
    assert panel.get_title() == "40 labelled images, 1 seed"


def test_seeds_of_the_two_sides_that_differ_in_number_are_said() -> None:
    frame = points(labels=(40,))
    lonely = frame[~((frame["seed"] == 1) & (frame["implementation"] == "own"))]
    panel = accuracy_vs_epoch(lonely, TITLES, "caption").axes[0]
    assert panel.get_title() == "40 labelled images, 1 to 2 seeds"


def test_the_mean_goes_as_far_as_every_seed() -> None:
    """Past the end of the shorter seed a mean would jump to the other."""
    panel = accuracy_vs_epoch(points(labels=(40,), lengths=(5, 3)), TITLES, "caption").axes[0]
    assert lines(panel, thick=True)[0] == [0.5, 10.5, 20.5]


def test_seeds_without_a_common_evaluation_have_no_mean() -> None:
    frame = points(labels=(40,), implementations=("own",))
    frame.loc[frame["seed"] == 1, "iteration"] += 5
    panel = accuracy_vs_epoch(frame, TITLES, "caption").axes[0]
    assert len(lines(panel, thick=False)) == 2
    assert lines(panel, thick=True) == []


def test_implementations_differ_in_more_than_colour() -> None:
    panel = accuracy_vs_epoch(points(labels=(40,), seeds=(0,)), TITLES, "caption").axes[0]
    own, torchssl = panel.get_lines()
    for look in ("get_color", "get_linestyle", "get_marker"):
        assert getattr(own, look)() != getattr(torchssl, look)()


def test_an_implementation_looks_the_same_when_it_is_alone() -> None:
    both = accuracy_vs_epoch(points(labels=(40,), seeds=(0,)), TITLES, "caption").axes[0]
    frame = points(labels=(40,), seeds=(0,), implementations=("torchssl",))
    [alone] = accuracy_vs_epoch(frame, TITLES, "caption").axes[0].get_lines()
    assert alone.get_color() == both.get_lines()[1].get_color()


def test_published_lines_only_where_given() -> None:
    def shown(*rows: Citation) -> list[list[str]]:
        figure = accuracy_vs_epoch(points(seeds=(0,)), TITLES, "caption", rows)
        assert [len(panel.get_lines()) - 2 for panel in figure.axes] == [
            sum(int(panel.get_title().split()[0]) in row.accuracy for row in rows)
            for panel in figure.axes
        ]
        texts = ([text.get_text() for text in panel.texts] for panel in figure.axes)
        return [[text for text in panel if "somebody" in text] for panel in texts]

    assert shown() == [[], []]
    assert shown(published(n40=86.19)) == [["somebody 86.19"], []]
    assert shown(published(n40=86.19, n250=94.93, n4000=95.0)) == [
        ["somebody 86.19"], ["somebody 94.93"],
    ]  # fmt: skip


def test_the_last_accuracies_are_written_at_the_curves() -> None:
    panel = accuracy_vs_epoch(points(labels=(40,), seeds=(0,)), TITLES, "caption").axes[0]
    assert [text.get_text() for text in panel.texts] == ["40.0", "60.0"]


@pytest.mark.parametrize(
    "ends",
    [
        [55.0],
        [40.0, 60.0],
        [95.1, 95.5, 95.6],
        [55.0, 57.0, 95.0],
        [83.5, 84.1, 84.6, 86.1, 90.2, 90.8],  # 84.1 and 84.6 once stood in one place
        [93.2, 93.3, 94.0, 94.1, 96.8, 97.2],
    ],
)
def test_texts_at_the_ends_of_curves_keep_apart(ends: list[float]) -> None:
    names = [f"side{number}" for number in range(len(ends))]
    frame = pd.concat(
        [
            points(labels=(40,), seeds=(0,), implementations=(name,)).assign(top1=end)
            for name, end in zip(names, ends, strict=True)
        ]
    )
    figure = accuracy_vs_epoch(frame, dict(zip(names, names, strict=True)), "caption")
    with curves.drawing():
        figure.canvas.draw()
        texts = sorted(figure.axes[0].texts, key=lambda text: text.get_window_extent().y0)
        boxes = [text.get_window_extent() for text in texts]
    assert [text.get_text() for text in texts] == [f"{end:.1f}" for end in sorted(ends)]
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))  # a pixel


def test_the_caption_is_shown() -> None:
    suptitle = accuracy_vs_epoch(points(), TITLES, "mnist5k, WRN-10-1").get_suptitle()
    assert suptitle == "mnist5k, WRN-10-1"


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_nothing_to_draw(kind: str) -> None:
    empty = pd.DataFrame([], columns=POINT_COLUMNS)
    figure = accuracy_vs_epoch(empty, TITLES, "caption", [published(n40=90.0)])
    assert render(figure, kind)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_pandas_order_of_rows_does_not_matter(kind: str) -> None:
    shuffled = points().iloc[::-1]
    ordered = render(accuracy_vs_epoch(points(), TITLES, "caption"), kind)
    assert render(accuracy_vs_epoch(shuffled, TITLES, "caption"), kind) == ordered


def test_close_published_accuracies_keep_apart_and_equal_ones_share_a_line() -> None:
    equal = accuracy_vs_epoch(
        points(labels=(40,)), TITLES, "caption", [published(n40=90.0), published(n40=90.0)]
    ).axes[0]
    assert "somebody, somebody 90.00" in [text.get_text() for text in equal.texts]
    close = accuracy_vs_epoch(
        points(labels=(40,)), TITLES, "caption", [published(n40=86.19), published(n40=88.61)]
    ).axes[0]
    places = {text.get_text(): text.xyann for text in close.texts}  # type: ignore[attr-defined]
    assert places["somebody 86.19"][1] < 0 < places["somebody 88.61"][1]


def test_accuracy_over_time_averages_both_time_and_accuracy() -> None:
    panel = accuracy_vs_time(points(labels=(40,)), TITLES, "caption").axes[0]
    assert panel.get_xlabel() == "minutes since the start"
    own = next(line for line in panel.get_lines() if line.get_linewidth() > 1)
    # Seed 0 takes a minute between evaluations, seed 1 two.
    assert np.asarray(own.get_xdata()).tolist() == [0.0, 1.5, 3.0, 4.5, 6.0]
    assert np.asarray(own.get_ydata()).tolist() == [0.5, 10.5, 20.5, 30.5, 40.5]


def test_long_runs_are_shown_in_hours() -> None:
    frame = points(labels=(40,), seeds=(0,)).assign(seconds=[3600.0 * e for e in range(5)] * 2)
    panel = accuracy_vs_time(frame, TITLES, "caption").axes[0]
    assert panel.get_xlabel() == "hours since the start"
    assert np.asarray(panel.get_lines()[0].get_xdata()).tolist() == [0, 1, 2, 3, 4]


def test_a_log_without_times_has_no_curve_over_time() -> None:
    frame = points(labels=(40,), seeds=(0,))
    frame.loc[frame["implementation"] == "torchssl", "seconds"] = np.nan
    assert len(accuracy_vs_time(frame, TITLES, "caption").axes[0].get_lines()) == 1
    frame["seconds"] = None
    assert len(accuracy_vs_time(frame, TITLES, "caption").axes[0].get_lines()) == 0


def test_an_evaluation_at_time_zero_only() -> None:
    frame = points(labels=(40,), seeds=(0,), lengths=(1,))
    assert len(accuracy_vs_time(frame, TITLES, "caption").axes[0].get_lines()) == 2


def test_training_has_a_row_for_each_quantity() -> None:
    figure = training(points(labels=(40, 250), seeds=(0,)), TITLES, "caption")
    assert [panel.get_ylabel() for panel in figure.axes[::2]] == [
        "labelled loss", "unlabelled loss", "mask: share above threshold",
    ]  # fmt: skip
    assert [float(y) for y in np.asarray(figure.axes[0].get_lines()[0].get_ydata())] == [
        2.0, 1.8, 1.6, 1.4, 1.2,
    ]  # fmt: skip
    assert figure.axes[4].get_ylim() == (0.0, 1.0)


def test_no_curve_leaves_its_panel() -> None:
    frame = points(labels=(40, 250), seeds=(0,))
    frame.loc[frame["labels"] == 250, "loss_u"] = 7.0
    figure = training(frame, TITLES, "caption")
    for row in (figure.axes[:2], figure.axes[2:4]):
        low, high = row[0].get_ylim()
        assert row[1].get_ylim() == (low, high)
        highest = max(np.max(np.asarray(line.get_ydata())) for p in row for line in p.get_lines())
        assert low == 0 and high > highest


def test_the_numbers_at_the_ends_stand_within_their_panel() -> None:
    titles = {f"c{n}": f"C{n}" for n in range(7)}
    frame = points(labels=(40,), seeds=(0,))
    ends = pd.concat(
        frame[frame["implementation"] == "own"].assign(implementation=name, top1=100.0 - n)
        for n, name in enumerate(titles)
    )
    panel = accuracy_vs_epoch(ends, titles, "caption").axes[0]
    texts = [text for text in panel.texts if text.get_text().endswith(".0")]
    boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.y0)
    assert len(boxes) == 7
    assert boxes[0].y0 > panel.bbox.y0 and boxes[-1].y1 <= panel.bbox.y1
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))


def test_ten_contenders_look_different_from_each_other() -> None:
    given = [style for _, _, style in curves.styles({f"c{n}": f"C{n}" for n in range(10)})]
    assert len({style.color for style in given}) == len({style.marker for style in given}) == 10
