"""What the terminal shows: a plan, a live line for each run in progress, and the end.

Where there is no terminal, lines are plain and only written when there is news.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from harness.commands.console.streams import sayable
from harness.implementations.reported import Point, Progress
from harness.runs.progress import duration


class Terminal:
    """All of the harness's output to people."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = 160  # a file has no width; 80 would fold the tables
        self._lines = _LiveLines(self.console)

    def say(self, text: str = "") -> None:
        """One line."""
        self.console.print(self._sayable(text), markup=False, emoji=False)

    def markdown(self, text: str) -> None:
        """Rendered on a terminal, as it is elsewhere."""
        text = self._sayable(text)
        self.console.print(Markdown(text) if self.console.is_terminal else Text(text))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A small table; plain columns where there is no terminal."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(self._sayable(cell)) for cell in row))
        self.console.print(table)

    def run(self, title: str) -> RunLine:
        """The line of the run that starts now; use it in a `with`."""
        return RunLine(self._lines, title)

    def _sayable(self, text: str) -> str:
        """In the stream's encoding, before rich measures how wide it is."""
        return sayable(text, self.console.encoding)


class _LiveLines:
    """The live lines of all runs in progress, drawn together; runs come and go in any thread."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._texts: dict[RunLine, str] = {}
        self._live: Live | None = None
        self._lock = threading.Lock()

    def show(self, line: RunLine, text: str) -> None:
        with self._lock:
            self._texts[line] = text
            if self._live is None:
                self._live = Live(console=self.console, refresh_per_second=4, transient=True)
                self._live.start()
            self._draw(self._live)

    def drop(self, line: RunLine) -> None:
        with self._lock:
            self._texts.pop(line, None)
            if self._live is None:
                return
            if self._texts:
                self._draw(self._live)
            else:
                self._live.stop()
                self._live = None

    def _draw(self, live: Live) -> None:
        texts = [sayable(text, self.console.encoding) for text in self._texts.values()]
        live.update(Group(*(Text(t, no_wrap=True, overflow="ellipsis") for t in texts)))


class RunLine:
    """The live line of one run."""

    def __init__(self, lines: _LiveLines, title: str) -> None:
        self.lines, self.console = lines, lines.console
        self.title = title
        self._shown: Point | None = None

    def __enter__(self) -> RunLine:
        if self.console.is_terminal:
            self.lines.show(self, f"{self.title}: starting")
        else:
            self.console.print(f"{self.title}: starting", markup=False, emoji=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.drop(self)

    def update(self, progress: Progress | None, latest: Point | None) -> None:
        """Show how far the run is; without a terminal, only after a new evaluation."""
        if progress is None:
            return
        text = f"{self.title}: {describe(progress, latest)}"
        if self.console.is_terminal:
            self.lines.show(self, text)
        elif latest is not None and latest != self._shown:
            self._shown = latest
            self.console.print(text, markup=False, emoji=False)


def describe(progress: Progress, latest: Point | None) -> str:
    """`iteration 400/1600 (25%), 9.1 it/s, 2m 12s left, top-1 41.60 at 351, mask 0.31`."""
    share = 100 * progress.iteration / progress.iterations
    parts = [f"iteration {progress.iteration}/{progress.iterations} ({share:.0f}%)"]
    if progress.rate > 0:
        left = (progress.iterations - progress.iteration) / progress.rate
        parts += [f"{progress.rate:.1f} it/s", f"{duration(left)} left"]
    mask = progress.mask
    if latest is not None:
        parts.append(f"top-1 {latest.top1:.2f} at {latest.iteration}")
        mask = latest.mask if mask is None else mask
    if mask is not None:
        parts.append(f"mask {mask:.2f}")
    return ", ".join(parts)
