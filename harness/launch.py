"""The runs of one results folder: which are done, which may be compared, running the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness import attempt, hand_out, judge, records, runs
from harness.attempt import Context, Limits
from harness.comparability import Difference
from harness.errors import BadInput, HarnessError, Incomplete
from harness.execution.hold import only_one
from harness.execution.local import Slot
from harness.implementations import base
from harness.implementations.base import Implementation, Request
from harness.profile import Profile
from harness.provenance import why_no_commit
from harness.records import Manifest, Status
from harness.terminal import Terminal, duration

START_SECONDS = 15.0  # what a child takes to load its libraries, about


class Launcher:
    """Starts runs in one results folder."""

    def __init__(self, folder: Path, terminal: Terminal, limits: Limits | None = None) -> None:
        self.folder = folder
        self.terminal = terminal
        self.limits = limits or Limits()

    @property
    def runs_folder(self) -> Path:
        """Where the run folders lie."""
        return self.folder / "runs"

    def run_folder(self, implementation: Implementation, request: Request) -> Path:
        name = runs.folder_name(request.labels, request.seed, implementation.name)
        return self.runs_folder / name

    def title(self, run_folder: Path) -> str:
        """What the run in that folder is called on the terminal."""
        return run_folder.name

    def is_result(self, manifest: Manifest) -> bool:
        """Whether a run ended in a way that is kept and not tried again."""
        return manifest.status is Status.DONE

    def is_done(self, implementation: Implementation, request: Request) -> bool:
        """Whether this very run is done. Raises BadInput if the folder holds a different one."""
        manifest = records.read_manifest(self.run_folder(implementation, request))
        return manifest is not None and self.is_result(manifest)

    def check_same_terms(self, implementation: Implementation, request: Request) -> None:
        """Raise BadInput if a finished run in this folder was made on other terms.

        Only the labelled images differ between the runs of one folder, and what an implementation
        declares to change: a table never mixes.
        """
        asked = hand_out.request_settings(request)
        for path, manifest in self._done():
            same_split = (manifest.labels, manifest.seed) == (request.labels, request.seed)
            declared: set[str] = set()
            if manifest.implementation != implementation.name:
                declared = {*implementation.departs, *base.departs(manifest.implementation)}
            for key, value in asked.items():
                found = manifest.settings.get(key)
                if key in declared:
                    continue
                if found != value and (key != "split_sha256" or same_split):
                    raise BadInput(
                        f"{path}: done with {key} = {found}, asked for is {value}; name another "
                        "folder with RESULTS=, or move that run away"
                    )
            used = manifest.facts.device if manifest.facts else request.device
            if (used == "cpu") != (request.device == "cpu"):
                raise BadInput(
                    f"{path}: done on {used}, this machine trains on {request.device}; name "
                    "another folder with RESULTS=, or move that run away"
                )

    def notices(self, device: str) -> list[str]:
        """What finished runs do not share with those that would be made now, a line each."""
        import torch

        commit = base.create("own").commit()
        named = torch.cuda.get_device_name() if device == "cuda" else "cpu"
        now = {"own commit": commit, "torch": str(torch.__version__), "device": named}
        found: dict[str, set[str]] = {key: set() for key in now}
        for _, manifest in self._done():
            found["own commit"].add(manifest.own_commit)
            if manifest.facts is not None:
                found["torch"].add(manifest.facts.torch_version)
                found["device"].add(manifest.facts.device)
        lines = []
        if not commit:
            why = why_no_commit(base.REPOSITORY) or "see 'git -C <it> status'"
            lines.append(
                f"git tells no commit of this checkout ({why}); runs made now are recorded "
                "without one"
            )
        for key, value in now.items():
            if others := sorted(found[key] - {value}):
                short = ", ".join(_short(other) for other in others)
                lines.append(
                    f"finished runs here were made with {key} {short}, now it is {_short(value)}"
                )
        return lines

    def _done(self) -> Iterator[tuple[Path, Manifest]]:
        for path in sorted(self.runs_folder.glob("*-seed*-*")):
            manifest = records.read_manifest(path)
            if manifest is not None and self.is_result(manifest):
                yield path, manifest

    def expected_seconds(self, implementation: Implementation, request: Request) -> float | None:
        """From the runs of this implementation that are done here, else the profile's guess."""
        rates = [
            manifest.wall_seconds / manifest.settings["iterations"]
            for _, manifest in self._done()
            if manifest.implementation == implementation.name
            and manifest.status is Status.DONE
            and manifest.wall_seconds
        ]
        if rates:
            return float(np.median(rates)) * request.profile.iterations
        guesses = request.profile.seconds_per_iteration
        guess = guesses.get(implementation.name)
        if guess is None and implementation.baseline is not None:
            guess = guesses.get(implementation.baseline.of)
        return guess and START_SECONDS + guess * request.profile.iterations

    def run(
        self,
        implementation: Implementation,
        request: Request,
        slot: Slot | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Train until it is done or has failed for good; only an interruption is raised.

        Further tries go on from the last checkpoint; those that get further are not counted.
        Raises Incomplete when `stop` is set, BadInput where the run's folder cannot be written.
        """
        folder = self.run_folder(implementation, request)
        if reason := implementation.unavailable():
            gone = attempt.new_manifest(implementation, request, Status.UNAVAILABLE)
            records.write_manifest(folder, gone.model_copy(update={"reason": reason}))
            self.terminal.say(f"{self.title(folder)}: unavailable: {reason}")
            return
        stop = stop or threading.Event()
        title = self.title(folder)
        context = Context(folder, self.terminal, self.limits, slot or Slot(), stop, title)
        with only_one(folder, what="run"):
            self._try(implementation, request, context)
        if stop.is_set():
            raise Incomplete(f"{title}: interrupted; the same command goes on with it")

    def refuse(
        self, implementation: Implementation, request: Request, difference: Difference
    ) -> None:
        """Record a run that is not trained, because it could not be compared."""
        refused = attempt.new_manifest(implementation, request, Status.INCOMPARABLE)
        folder = self.run_folder(implementation, request)
        records.write_manifest(folder, refused.model_copy(update={"reason": str(difference)}))
        self.terminal.say(f"{folder.name}: incomparable, so not trained: {difference}")

    def judge(self, implementation: Implementation, request: Request) -> None:
        """Judge a finished run that has not been, if its final weights are still there."""
        folder = self.run_folder(implementation, request)
        manifest = records.read_manifest(folder)
        if manifest is None or manifest.status is not Status.DONE:
            return
        if manifest.judged_top1 is not None:
            return
        try:
            found = judge.judge_run(folder, runs.attempt_folder(folder, manifest.attempt), request)
        except HarnessError as error:
            self.terminal.say(f"{folder.name}: not judged: {error}")
            return
        if found is not None:
            judged = {"judged_top1": found.top1}
            records.write_manifest(folder, manifest.model_copy(update=judged))

    def _try(self, implementation: Implementation, request: Request, context: Context) -> None:
        tries, reached = 0, -1
        while True:
            failure = attempt.run(implementation, request, context)
            if failure is None or not failure.try_again or context.stop.is_set():
                return
            now = self._checkpoint(implementation, context.run_folder)
            tries, reached = (tries + 1, reached) if now <= reached else (1, now)
            if tries > self.limits.retries:
                return
            pause = self.limits.backoff * 2 ** (tries - 1)
            self.terminal.say(
                f"{context.name}: trying again in {duration(pause)} "
                f"({tries} of {self.limits.retries})"
            )
            if context.stop.wait(pause):
                return

    def _checkpoint(self, implementation: Implementation, folder: Path) -> int:
        manifest = records.read_manifest(folder)
        if manifest is None:
            return 0
        try:
            path = runs.attempt_folder(folder, manifest.attempt)
            return implementation.resumes_at(path) or 0
        except BadInput:
            return 0


def device_here(profile: Profile) -> str:
    """`cuda` where it is there, else `cpu`. Raises BadInput for a profile that needs CUDA."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if profile.requires_cuda:
        raise BadInput(
            f"PROFILE {profile.name}: needs CUDA, and there is none here; use PROFILE=quick"
        )
    return "cpu"


def _short(value: str) -> str:
    """A commit at seven digits, anything else as it is."""
    commit, dash, dirty = value.partition("-dirty")
    is_commit = len(commit) == 40 and set(commit) <= set("0123456789abcdef")
    return (commit[:7] + dash + dirty) if is_commit else value or "unknown"
