"""How runs stand, as rows of a table and a line of summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.analysis.published import Published
from harness.analysis.status import State, on_track
from harness.runs.execution.slurm import Queued
from harness.runs.manifest import Status
from harness.runs.progress import duration

COLUMNS = ("run", "state", "iteration", "it/s", "left", "top-1", "on track")


def rows(
    states: Sequence[State], queued: Mapping[str, Queued], published: Published
) -> list[list[str]]:
    """A row a run: those begun, with their place in the queue, and those that only wait in it."""
    shown = []
    for state in states:
        place = queued.get(state.name)
        words = state.state
        if place is not None:
            begun = state.manifest.status is not Status.MISSING
            words = f"{words}, {place}" if begun else str(place)
        shown.append(_row(replace(state, state=words), states, published))
    waiting = queued.keys() - {state.name for state in states}
    return shown + [[name, str(queued[name]), "", "", "", "", ""] for name in sorted(waiting)]


def _row(state: State, states: Sequence[State], published: Published) -> list[str]:
    progress, last = state.progress, state.points[-1] if state.points else None
    iterations = state.manifest.settings.get("iterations", 0)
    reached = max(progress.iteration if progress else 0, last.iteration if last else 0)
    running = state.is_running and progress is not None and progress.rate > 0
    rate = progress.rate if running and progress else 0.0
    return [
        state.name,
        state.state,
        f"{reached}/{iterations}",
        f"{rate:.1f}" if running else "",
        duration((iterations - reached) / rate) if running else "",
        f"{last.top1:.2f} at {last.iteration}" if last else "",
        _on_track(state, states, published) if state.manifest.status is not Status.DONE else "",
    ]


def _on_track(state: State, states: Sequence[State], published: Published) -> str:
    """Against finished runs here, and against what others had there."""
    manifest, reached = state.manifest, state.points[-1].iteration if state.points else 0
    others = published.reached(str(manifest.settings.get("data")), manifest.labels, reached)
    return "; ".join(text for text in (on_track(state, states), *others) if text)


def summary(states: Sequence[State], again: str) -> str:
    counts: dict[str, int] = {}
    for state in states:
        word = "stopped" if state.manifest.is_abandoned else state.manifest.status.value
        counts[word] = counts.get(word, 0) + 1
    text = ", ".join(f"{count} {word}" for word, count in counts.items()) or "no run begun"
    stopped = counts.keys() & {"stopped", "failed"} and not any(s.is_running for s in states)
    return text + (f"; '{again}' goes on with it" if stopped else "")
