"""Your implementation, in a child process of its own interpreter, as your file describes it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from harness.errors import BadInput, HarnessError, LogError
from harness.experiment.contender import Contender
from harness.experiment.profile import Profile
from harness.implementations import checkpoints
from harness.implementations.custom import (
    evidence,
    interpreter,
    lacking,
    placeholders,
    source_files,
    starting,
    timing,
)
from harness.implementations.custom.child.witness import PREDICTED, PROGRESS
from harness.implementations.custom.places import ASKED
from harness.implementations.custom.spec import KEPT, Described
from harness.implementations.interface import DATA, Command, Implementation, Request, Timing
from harness.implementations.logs.described import read as logs
from harness.implementations.own import Own
from harness.implementations.reported import Facts, Point, Progress, Resolved
from harness.implementations.source import commit_of

JUDGED = "judge.json"


class Custom(Implementation):
    """See `spec.Spec`. One that is only kept with its runs is read, and trains nothing."""

    copies_data = True

    def __init__(self, contender: Contender, described: Described) -> None:
        super().__init__(contender)
        self.described, self.spec = described, described.spec
        self.source: Path | None = None
        if described.path is not None:
            self.source = source_files.place(self.spec, described.path)
        resume = self.spec.run.resume
        self.not_restored = resume.loses if resume is not None else ()
        self.takes_weights = starting.takes_weights(self.spec)

    @property
    def places(self) -> Mapping[str, str]:
        return self.spec.run.places

    @property
    def departs(self) -> Mapping[str, Any]:
        """Of what it declares to differ in, the settings that a profile has."""
        return {k: v for k, v in self.spec.differs.items() if k in placeholders.PROFILED}

    @property
    def differs(self) -> Mapping[str, Any]:
        return self.spec.differs

    def kept_files(self) -> Mapping[str, str]:
        return {KEPT: self.described.text}

    def asked(self, request: Request) -> Request:
        try:
            return super().asked(request)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise BadInput(f"{self._file}: differs.{key}: {first['msg']}") from error

    def check(self) -> None:
        """Raise BadInput where what the file names is not there."""
        try:
            source_files.check(self.spec, self._source)
            interpreter.check(interpreter.find(self.spec.python, self._source))
        except BadInput as error:
            raise BadInput(f"{self._file}: {error}") from error

    def unavailable(self) -> str | None:
        if self.source is None:
            return "only its results are here: name its file in IMPLEMENTATIONS"
        if why := super().unavailable():
            return why
        wanted, there = self.spec.source.commit, self.commit()
        if wanted and there != wanted:
            what = f"is at {there[:7]}" + ", with changes" * there.endswith("-dirty")
            if not there:
                what = "is no git clone"
            return (
                f"source.commit is {wanted[:7]}, and {self.source} {what}: check that commit "
                "out, or change the key"
            )
        return lacking.why(self.spec, self.source) or None

    def commit(self) -> str:
        return commit_of(self.source) if self.source is not None else ""

    def source_sha256(self) -> str:
        """Of its files, of what in the description trains, and of what runs beside it."""
        if self.source is None or self.described.path is None:
            return ""
        return source_files.sha256(self.spec, self.source, self.described.path)

    def weights_command(self, profile: Profile, seed: int, out: Path) -> Command:
        """Ours: it draws none that others could take."""
        return Own(self.contender).weights_command(profile, seed, out)

    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        return self._command(request, folder, resume)

    def untimed(self) -> str:
        return timing.why_not(self.spec)

    def benchmark_command(self, request: Request, folder: Path, asked: Timing) -> Command | None:
        """Trains as ever but briefly, with a clock in place of the witness."""
        if self.untimed():
            return None
        return self._command(timing.short(request, asked), folder, is_timed=True)

    def timed(self, folder: Path, asked: Timing) -> dict[str, Any]:
        return timing.measured(folder, asked)

    def _command(
        self, request: Request, folder: Path, resume: bool = False, is_timed: bool = False
    ) -> Command:
        run, source = self.spec.run, self._source
        data = next(place for place, what in run.places.items() if what == DATA)
        names = placeholders.values(request, source, folder, data)
        words = starting.words(self.spec, names, resume)
        first = (self.resumes_at(folder) or 0) if resume else 0
        told = starting.told(self.spec, request, names, source)
        told |= {"words": words, "first": first, "is_timed": is_timed}
        files = {ASKED: starting.as_json(told), **starting.files(self.spec, names, resume)}
        if run.command:
            program = placeholders.render(run.command, names, "run.command")
            command = Command((*map(str, program), *words), starting.NO_BYTECODE, files)
        else:
            command = starting.child(self.spec, source, "entry", ASKED, files)
        own = starting.environment(self.spec, names)
        return replace(command, environment={**command.environment, **own})

    def resumes_at(self, folder: Path) -> int | None:
        resume, names = self.spec.run.resume, self._told(folder).get("names")
        if resume is None or names is None:
            return None
        filled = placeholders.render(resume.model_dump(), names, "run.resume")
        counted = checkpoints.iteration(folder / filled["checkpoint"], resume.key)
        return None if counted is None else counted * int(filled["times"])

    def evaluated_after(self, profile: Profile) -> list[int]:
        """On a schedule of its own, whose end is the end."""
        return [profile.iterations]

    def shortfall(self, request: Request, folder: Path, points: Sequence[Point] | None) -> str:
        asked, made = request.profile.iterations, evidence.steps(folder)
        if not self.spec.run.command and not made:
            return "it ended without training: no update of an optimiser was seen"
        if made is not None and made != asked:
            return f"it made {made} updates, asked for were {asked}; see run.arguments"
        if points is None:
            return ""
        if not points:
            return f"no evaluation in {self._shown(self.log(folder), folder)}; see log in its file"
        last = points[-1].iteration
        if last != asked:
            return f"its last evaluation is at {last} of {asked}; see log.iteration in its file"
        return ""

    def logs(self, folder: Path) -> list[Path]:
        names = self._told(folder).get("names")
        if names is None:
            return []
        pattern = str(placeholders.render(self.spec.log.file, names, "log.file"))
        return _files(folder, pattern, names["out"])

    def log(self, folder: Path) -> Path:
        """The one that it wrote to last."""
        found = self.logs(folder)
        return max(found, key=lambda path: path.stat().st_mtime, default=folder / self._log_named)

    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        told, found = self._told(folder), self.logs(folder)
        if not found:
            raise LogError(
                f"nothing matches log.file {self.spec.log.file} in {folder}: correct log.file, or "
                "where it writes its log"
            )
        points = logs.read(found, self.spec.log.options(told["names"]), class_counts)
        times = evidence.seconds(folder)
        return [
            point
            if point.seconds is not None
            else replace(point, seconds=times.get(point.iteration))
            for point in points
        ]

    def facts(self, folder: Path) -> Facts | None:
        told = self._told(folder)
        return evidence.facts(folder, told) if told else None

    def settings(self, folder: Path) -> dict[str, Resolved]:
        told = self._told(folder)
        return evidence.settings(folder, told, self.spec.differs) if told else {}

    def progress(self, folder: Path) -> Progress | None:
        state = evidence.read_json(folder / PROGRESS)
        if not state:
            return None
        numbers = (state["iteration"], state["iterations"], state["seconds"])
        return Progress(*numbers, first=state.get("first", 0))

    def own_judge_command(
        self, request: Request, folder: Path, images: Path, out: Path
    ) -> Command | None:
        judge, told = self.spec.judge, self._told(folder)
        if judge is None or self.spec.network is None or not told:
            return None
        names = told["names"]
        filled = placeholders.render(judge.model_dump(), names, "judge")
        checkpoint = _the_file(folder, filled["checkpoint"], names["out"])
        content = {key: told[key] for key in ("source", "script", "stubs", "shims", "network")}
        content |= filled | {"checkpoint": str(checkpoint.resolve()), "device": request.device}
        content |= {"images": str(images.resolve()), "out": str(out.resolve())}
        files = {JUDGED: starting.as_json(content)}
        return starting.child(self.spec, self._source, "judge", JUDGED, files)

    def predicted(self, folder: Path) -> NDArray[np.int64] | None:
        try:
            found: NDArray[np.int64] = np.load(folder / PREDICTED)
        except (OSError, ValueError):
            return None
        return found

    def _told(self, folder: Path) -> dict[str, Any]:
        return evidence.read_json(folder / ASKED)

    def _shown(self, path: Path, folder: Path) -> str:
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

    @property
    def _log_named(self) -> str:
        return self.spec.log.file

    @property
    def _source(self) -> Path:
        if self.source is None:
            raise HarnessError(f"{self.name}: its source is not here")
        return self.source

    @property
    def _file(self) -> str:
        return str(self.described.path or self.name)


def _files(folder: Path, pattern: str, out: str) -> list[Path]:
    """The files of that name or pattern; it may begin with `out`, where the run itself worked."""
    if Path(pattern).is_absolute():
        pattern = os.path.relpath(pattern, out)
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def _the_file(folder: Path, pattern: str, out: str) -> Path:
    """The last written file of that name or pattern. Raises BadInput where there is none."""
    found = _files(folder, pattern, out)
    if not found:
        raise BadInput(f"judge.checkpoint: nothing matches {pattern} in {folder}; correct the key")
    return max(found, key=lambda path: path.stat().st_mtime)
