"""The files that a comparison leaves beside `runs/`: pure functions of `runs/` and configs."""

from __future__ import annotations

import os
from pathlib import Path

from harness import figure, published, records, runs, table
from harness.errors import BadInput
from harness.implementations import base
from harness.profile import Profile
from harness.terminal import Terminal

TABLE, POINTS, MARKDOWN = "table.csv", "points.csv", "table.md"
FIGURE = "accuracy-vs-epoch"


def write(folder: Path, profile: Profile) -> None:
    """Write points, tables and figure of all runs in `folder`."""
    found = runs.load_all(folder)
    data = ", ".join(sorted({run.manifest.settings["data"] for run in found}))
    titles = {name: base.create(name).title for name in base.names()}
    points = table.points_frame(found)
    records.write_text(folder / POINTS, table.to_csv(points))
    records.write_text(folder / TABLE, table.to_csv(table.runs_frame(found)))
    records.write_text(folder / MARKDOWN, table.markdown(found, profile, titles, data))
    caption = f"{data}, WRN-{profile.depth}-{profile.widen_factor}: EMA weights on the test set"
    references = published.load().of(data, profile.selection)
    drawn = figure.accuracy_vs_epoch(points, titles, caption, references)
    for kind in ("svg", "png"):
        _write_bytes(folder / f"{FIGURE}.{kind}", figure.render(drawn, kind))


def show(folder: Path, terminal: Terminal) -> None:
    """The table on the terminal, and where the files are."""
    terminal.say()
    terminal.markdown((folder / MARKDOWN).read_text(encoding="utf-8"))
    for name in (TABLE, MARKDOWN, POINTS, f"{FIGURE}.svg", f"{FIGURE}.png"):
        terminal.say(f"  {folder / name}")


def _write_bytes(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from error
