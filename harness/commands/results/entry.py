"""One run that is asked for, and with what runs are trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.runs.attempt import Limits
from harness.runs.execution.slurm import Settings
from harness.runs.folder import Planned, RunsFolder
from harness.runs.manifest import Manifest, read_manifest
from harness.runs.origins import origin
from harness.runs.origins.origin import Origin
from harness.runs.progress import duration


@dataclass(frozen=True)
class Means:
    """With what runs are trained: how many at once, how patiently, here or on a cluster."""

    jobs: int = 1
    limits: Limits = field(default_factory=Limits)
    slurm: Settings | None = None  # None: on this machine


@dataclass(frozen=True, eq=False)
class Entry:
    """One run of a plan, the runs folder that it lies in, and the origin of today's code."""

    runs: RunsFolder
    planned: Planned
    today: Origin

    @property
    def is_done(self) -> bool:
        """Whether this very run is there, kept, and of today's code. Raises BadInput."""
        return self._kept is not None and not self.why_stale

    @property
    def why_stale(self) -> str:
        """Why the finished run there is none of today's code; '' where there is none, or it is."""
        kept = self._kept
        return "" if kept is None else origin.difference(origin.of(kept), self.today)

    @property
    def expected_seconds(self) -> float:
        """How long it may take; 0 where nothing tells."""
        return self.runs.expected_seconds(self.planned.side, self.planned.request) or 0.0

    @property
    def work(self) -> str:
        """`5000 iterations, about 2m 30s; failed before`."""
        seconds = self.expected_seconds
        about = f", about {duration(seconds)}" if seconds else ""
        why = self.why_stale
        before = f"; stale: {why}" if why else _left_by(read_manifest(self.planned.folder))
        return f"{self.planned.request.profile.iterations} iterations{about}{before}"

    @property
    def _kept(self) -> Manifest | None:
        manifest = read_manifest(self.planned.folder)
        return manifest if manifest is not None and self.runs.keeps(manifest) else None


def _left_by(before: Manifest | None) -> str:
    """What the last comparison left of a run that is to be done."""
    if before is None:
        return ""
    if before.is_abandoned:
        return "; stopped half way, its process is gone"
    return f"; {before.status.value} before"
