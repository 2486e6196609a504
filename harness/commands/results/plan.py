"""The runs that are asked for: done, to do, refused, trained, lacking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from harness.analysis.results import load_all
from harness.commands.console.terminal import Terminal
from harness.commands.results.entry import Entry, Means
from harness.commands.results.notices import notices
from harness.errors import BadInput, Incomplete
from harness.experiment import gpu
from harness.implementations import registry
from harness.implementations.interface import Implementation, Request
from harness.parity import job, judge, preflight
from harness.runs import cluster, reread, train
from harness.runs.execution import pool
from harness.runs.folder import Run, RunsFolder, check_same_terms
from harness.runs.manifest import Manifest, Status
from harness.runs.origins import earlier, origin, taking
from harness.runs.origins.origin import Origin
from harness.runs.progress import duration


class Plan:
    """All runs that a command asks for, in the order in which they are trained."""

    def __init__(self, folder: Path, device: str, means: Means, terminal: Terminal) -> None:
        self.folder, self.device = folder, device
        self.means, self.terminal = means, terminal
        self.entries: list[Entry] = []
        self._origins: dict[str, Origin] = {}  # a sum over the source of each contender, taken once

    def add(self, runs: RunsFolder, side: Implementation, request: Request) -> None:
        """Ask for one run more."""
        self.entries.append(Entry(runs, runs.planned(side, request), self._origin(side)))

    def check_terms(self) -> None:
        """Raise BadInput if a folder holds finished runs of today's code on other terms."""
        for runs in dict.fromkeys(entry.runs for entry in self.entries):
            done = [one for one in runs.done() if self._is_of_today(one[1])]
            done = [one for one in done if not one[1].imported]
            for entry in self.entries:
                if entry.runs == runs:
                    check_same_terms(entry.planned, done)

    def _is_of_today(self, manifest: Manifest) -> bool:
        """Of a contender that is not known here, or whose source is not, nothing can be told.

        It counts.
        """
        if not registry.is_known(manifest.implementation):
            return True
        today = self._origin(registry.create(manifest.implementation))
        return not today.source or not origin.difference(origin.of(manifest), today)

    def _origin(self, side: Implementation) -> Origin:
        if side.name not in self._origins:
            self._origins[side.name] = origin.here(side, self.device)
        return self._origins[side.name]

    def restore(self) -> None:
        """Bring finished runs of today's code back that were put away for those of other code."""
        for entry in self.todo:
            if earlier.bring_back(entry.planned, entry.today):
                title = entry.planned.title
                self.terminal.say(f"{title}: its code is as it was before; back it comes")

    def reread(self) -> None:
        """Read finished runs as the files that describe their implementations say today."""
        for entry in self.entries:
            if entry.is_done and (said := reread.reread(entry.planned)):
                self.terminal.say(f"{entry.planned.title}: {said}")

    @property
    def todo(self) -> list[Entry]:
        """Those that are not done."""
        return [entry for entry in self.entries if not entry.is_done]

    @property
    def shared_memory(self) -> int:
        """Bytes of /dev/shm that one of the runs that are to be done asks for, at most."""
        if self.means.slurm is not None:  # of the cluster's nodes nothing is known here
            return 0
        able = [e.planned for e in self.todo if e.planned.side.unavailable() is None]
        return max((planned.side.shared_memory(planned.request) for planned in able), default=0)

    def show(self) -> None:
        """Notices, and what is to be done with about how long it takes."""
        for notice in notices(self.entries, self.means, self.device):
            self.terminal.say(f"Notice: {notice}")
        todo = self.todo
        if not todo:
            self.terminal.say(f"Nothing to do: all {len(self.entries)} runs are done.")
            return
        rows, total = [], 0.0
        for entry in self.entries:
            if entry not in todo:
                rows.append((entry.planned.title, "done"))
            elif reason := entry.planned.side.unavailable():
                rows.append((entry.planned.title, f"unavailable: {reason}"))
            else:
                total += entry.expected_seconds
                rows.append((entry.planned.title, entry.work))
        total /= min(self.means.jobs, len(todo))
        about = f", about {duration(total)} in all" if total else ""
        self.terminal.table(f"To do{about}", (), rows)

    def take(self, folder: Path, contender: str) -> None:
        """Take finished runs of `contender` from another results folder.

        Raises BadInput where it has one on other terms, or none at all that can be taken.
        """
        runs = taking.runs_in(folder, self.entries[0].planned.request.profile.name)
        todo = [entry for entry in self.todo if entry.planned.side.name == contender]
        refused = ""
        for entry in todo:
            title = entry.planned.title
            if why := taking.take(entry.planned, entry.today, runs, str(folder)):
                refused = f"{title}: {why}"
                self.terminal.say(f"{title}: not in {folder}: {why}")
            else:
                self.terminal.say(f"{title}: taken from {folder}")
        if todo and not any(entry.is_done for entry in todo):
            raise BadInput(
                f"REFERENCE {folder}: {refused}; name another folder, or leave REFERENCE out"
            )

    def reuse(self, folder: Path) -> None:
        """Take whatever in another results folder is of today's code; say why the rest is not."""
        runs = taking.runs_in(folder, self.entries[0].planned.request.profile.name)
        for entry in self.todo:
            try:
                why = taking.take(entry.planned, entry.today, runs, str(folder))
            except taking.OtherTerms as error:
                why = str(error)
            says = f"trained anew: {why}" if why else f"taken from {folder}"
            self.terminal.say(f"{entry.planned.title}: {says}")

    def put_away(self) -> None:
        """Move finished runs of other code aside: those of today's take their place."""
        for entry in self.todo:
            if (why := entry.why_stale) and (kept := earlier.put_away(entry.planned.folder)):
                self.terminal.say(f"{entry.planned.title}: {why}; kept in {kept}")

    def refuse(self) -> list[Entry]:
        """Climb rungs 1-4 for all that is to be trained; the runs that break one are not.

        On a cluster each job does so itself: the device that its run asks for is there.
        """
        by_run = {entry.planned: entry for entry in self.todo}
        if not by_run or self.means.slurm is not None:
            return []
        done = [run for run in load_all(self.folder) if run.status is Status.DONE]
        evidence = [(run.key, run.evidence) for run in done]
        refused = []
        for planned, difference in preflight.check(list(by_run), evidence, self.terminal.say):
            train.refuse(planned, str(difference), self.terminal)
            refused.append(by_run[planned])
        return refused

    def train(self, refused: Sequence[Entry] = ()) -> None:
        """Train what is to be done, here, some at once, or on the cluster."""
        todo = [entry.planned for entry in self.todo if entry not in refused]
        means = self.means
        if means.slurm is not None:
            work = job.train_and_judge
            cluster.run_all(self.folder, todo, means.limits, means.slurm, self.terminal, work)
            return
        tasks = [partial(train.train, planned, self.terminal, means.limits) for planned in todo]
        pool.run_all(tasks, pool.slots(means.jobs, self.device))

    def judge(self) -> None:
        """Judge the final weights of each run that is done and has not been judged.

        A job of a cluster does so itself.
        """
        if self.means.slurm is not None and self.device == "cuda" and not gpu.is_there():
            return
        for entry in self.entries:
            judge.judge(entry.planned, self.terminal.say)

    def require_done(self, runs: Sequence[tuple[Path, Run]], kept: Callable[[Run], bool]) -> None:
        """Raise Incomplete that names each run that was asked for and is not `kept`.

        `runs` are those that are there, with their folders, as the outputs show them.
        """
        there = dict(runs)
        lost, anew = [], ""
        for entry in self.entries:
            run = there.get(entry.planned.folder)
            if run is None:
                lost.append(f"{entry.planned.title} {Status.MISSING.value}")
            elif not kept(run):
                lost.append(f"{entry.planned.title} {run.status.value}")
                if run.status is Status.INCOMPARABLE and run.manifest.status is Status.DONE:
                    anew = anew or f"; to train it anew move {entry.planned.folder} away"
        if lost:
            raise Incomplete(f"not all runs are done: {', '.join(lost)}{anew}")
