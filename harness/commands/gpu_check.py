"""gpu-check: the first minutes on a GPU, and one page that says what they showed.

Each part has a time that it must end in, and is skipped with its reason where it cannot be. It
needs no network: where CIFAR-10 is not at hand, images of its shape and number are made.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from harness.commands.console.terminal import Terminal
from harness.errors import CheckFailed, HarnessError, Incomplete
from harness.experiment import gpu
from harness.experiment import profile as profiles
from harness.experiment.data import cache_folder, mnist5k, write_layout
from harness.experiment.data_layout import LAYOUT
from harness.experiment.opening import Experiment, open_experiment
from harness.implementations import registry
from harness.implementations.interface import REPOSITORY, Command, Implementation, Request
from harness.implementations.source import commit_here
from harness.parity import checklist
from harness.report.gpu_check import Outcome, Part, markdown, quoted
from harness.runs.attempt import Limits
from harness.runs.execution import child
from harness.runs.execution.child import Ended, Stopped
from harness.runs.files import write_text
from harness.runs.folder import Planned, RunsFolder, attempt_folder
from harness.runs.manifest import Manifest, Status, read_manifest
from harness.runs.progress import Plain
from harness.runs.train import train

FILE = "gpu-check.md"
# Seconds that each part may take; all of them together end within `SECONDS`.
LIMITS = {"device": 60, "tests": 120, "parity": 150, "training": 90, "resumption": 90, "speed": 240}
SECONDS = 480
TRAINED, RESUMED, STOP_AT = 20, 100, 5  # iterations
LABELS = 40
ABOUT = """
import json, torch
p = torch.cuda.get_device_properties(0)
print(json.dumps({
    "GPU": p.name, "compute capability": f"{p.major}.{p.minor}",
    "memory, GiB": round(p.total_memory / 2**30, 1), "torch": torch.__version__,
    "CUDA of torch": torch.version.cuda, "cuDNN": torch.backends.cudnn.version(),
    "GPUs": torch.cuda.device_count(),
    "convolutions by default": torch.backends.cudnn.conv.fp32_precision,
    "sum of 64 ones": torch.ones(64, device="cuda").sum().item(),
}))
"""


@dataclass(frozen=True)
class GpuQuestion:
    """What is to be checked; `parts` are of LIMITS, `variants` of `bench`."""

    profile: str
    results: Path
    data_dir: Path | None = None
    parts: Sequence[str] = tuple(LIMITS)
    variants: Sequence[str] = ()
    seconds: float = SECONDS


def run(question: GpuQuestion, terminal: Terminal) -> None:
    """Do all parts and write the page. Raises Incomplete without a GPU, CheckFailed, BadInput."""
    if not gpu.is_there():
        lacks = gpu.lacking()
        raise Incomplete("gpu-check: torch finds no GPU here" + (f": {lacks}" if lacks else ""))
    name, why = profiles.resolve_auto(question.profile)
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as temporary:
        place = Path(temporary)
        data_dir, data = _data(question, profiles.load(name).data, place)
        experiment = open_experiment(name, data_dir=data_dir, labels=[LABELS], device="cuda")
        terminal.say(f"Profile {name} ({why}), {data}, on {gpu.name()}")
        check = _Check(question, experiment, data_dir, place, terminal)
        parts = check.run()
    about = [
        f"{gpu.name()}; profile {name}, {data}; {datetime.now(UTC).isoformat(timespec='seconds')}, "
        f"commit {commit_here() or 'unknown'}.",
    ]
    path = question.results / name / FILE
    write_text(path, markdown(about, parts))
    terminal.say(f"  {path}")
    if bad := [part for part in parts if not part.holds]:
        raise CheckFailed("; ".join(f"{p.title}: {p.outcome.value}: {p.said}" for p in bad))


def _data(question: GpuQuestion, data: str, place: Path) -> tuple[Path | None, str]:
    """(folder, what it is): as named, as it is at hand, or made; nothing is downloaded."""
    if question.data_dir is not None:
        return question.data_dir, "images of DATA_DIR"
    if data == "mnist5k" or (cache_folder() / data / LAYOUT).is_dir():
        return None, data
    root = place / "made"
    _make(root)
    return root, "images made of digits in the number of CIFAR-10's: accuracies mean nothing"


def _make(root: Path, repeats: int = 11) -> None:
    """49,500 and 10,000 images: each of mnist5k's digits several times, in other colours."""
    images, labels, test, test_labels = mnist5k()
    many = [images ^ (23 * n) for n in range(repeats)]
    tests = [test ^ (13 * n) for n in range(20)]
    write_layout(
        root, np.concatenate(many), np.tile(labels, repeats), np.concatenate(tests),
        np.tile(test_labels, 20),
    )  # fmt: skip


class _Check:
    """The parts, one after the other, in the time that is left."""

    def __init__(
        self,
        question: GpuQuestion,
        experiment: Experiment,
        data_dir: Path | None,
        place: Path,
        terminal: Terminal,
    ) -> None:
        self.question, self.experiment, self.terminal = question, experiment, terminal
        self.data_dir, self.place = data_dir, place
        self.ends = time.monotonic() + question.seconds
        sides = (registry.create("own"), registry.reference())
        self.sides = [side for side in sides if side.unavailable() is None]
        self.lacking = "; ".join(
            f"{side.title} is unavailable: {why}" for side in sides if (why := side.unavailable())
        )

    def run(self) -> list[Part]:
        does: dict[str, tuple[str, Callable[[float], Part]]] = {
            "device": ("versions and device", self._device),
            "tests": ("tests marked gpu", self._tests),
            "parity": ("the ladder on the GPU", self._parity),
            "training": (
                f"{TRAINED} iterations of each side, with rungs 1-4 and 8",
                self._training,
            ),
            "resumption": ("stopped and resumed", self._resumption),
            "speed": ("speed", self._speed),
        }
        parts = []
        for name, (title, part) in does.items():
            if name in self.question.parts:
                parts.append(self._bounded(title, LIMITS[name], part))
                done = parts[-1]
                self.terminal.say(f"{title}: {done.outcome.value}: {done.said}")
        return parts

    def _bounded(self, title: str, limit: float, part: Callable[[float], Part]) -> Part:
        """A part within its limit, and within what is left of all the time."""
        seconds = min(limit, self.ends - time.monotonic())
        if seconds <= 0:
            return Part(title, Outcome.SKIPPED, 0.0, f"after {self.question.seconds:g} s in all")
        self.terminal.say(f"{title}: at most {seconds:.0f} s ...")
        began = time.monotonic()
        try:
            done = part(seconds)
        except HarnessError as error:
            done = Part("", Outcome.FAILED, 0.0, str(error))
        return Part(title, done.outcome, time.monotonic() - began, done.said, done.details)

    def _child(self, seconds: float, *words: str) -> Ended:
        """A child of this Python, stopped after `seconds`."""
        stop = threading.Event()
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        command = Command((sys.executable, *words), {"PYTHONPATH": str(REPOSITORY)})
        folder = Path(tempfile.mkdtemp(dir=self.place))
        try:
            return child.run(command, folder, stop=stop)
        finally:
            timer.cancel()

    def _harness(self, seconds: float, verb: str, **options: object) -> Ended:
        words = [verb, "--profile", self.experiment.profile.name, "--results", str(self.results)]
        if self.data_dir is not None:
            words += ["--data-dir", str(self.data_dir.resolve())]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return self._child(seconds, "-m", "harness", *words)

    @property
    def results(self) -> Path:
        return self.place / "results"

    @property
    def made(self) -> Path:
        """Where a command of the harness leaves what it made."""
        return self.results / self.experiment.profile.name

    def _device(self, seconds: float) -> Part:
        ended = self._child(seconds, "-c", ABOUT)
        if ended.code != 0:
            return _of(ended)
        about = json.loads(ended.last_line)
        rows = [f"| {key} | {value} |" for key, value in about.items()]
        said = f"{about['GPU']}, torch {about['torch']}"
        return Part("", Outcome.HOLDS, 0, said, "\n".join(["| | |", "| --- | --- |", *rows]))

    def _tests(self, seconds: float) -> Part:
        tests = REPOSITORY / "tests" / "own_impl"
        if not tests.is_dir():
            return Part("", Outcome.SKIPPED, 0, "there are no tests in this installation")
        options = ("-q", "-m", "gpu", "-p", "no:cacheprovider", f"--rootdir={REPOSITORY}")
        return _of(self._child(seconds, "-m", "pytest", *options, str(tests)))

    def _parity(self, seconds: float) -> Part:
        if self.lacking:
            return Part("", Outcome.SKIPPED, 0, self.lacking)
        ended = self._harness(seconds, "parity", device="cuda")
        found = checklist.read(self.made, device="cuda")
        if found is None:
            return _of(ended)
        rows = [f"| {r.number} | {r.name} | {r.measured or r.blocked} |" for r in found.rungs]
        table = "\n".join(["| rung | | measured |", "| --- | --- | --- |", *rows])
        broken = next((rung for rung in found.rungs if not rung.holds), None)
        if broken is None:
            return Part("", Outcome.HOLDS, 0, f"all {len(found.rungs)} rungs hold", table)
        said = f"rung {broken.number}, {broken.name}: {broken.first_difference}"
        return Part("", Outcome.FAILED, 0, said, table)

    def _training(self, seconds: float) -> Part:
        names = " ".join(side.name for side in self.sides)
        ended = self._harness(
            seconds, "compare", labels=LABELS, iterations=TRAINED, implementations=names, retries=0
        )
        lines, manifests = [], []
        for side in self.sides:
            manifest = read_manifest(self.made / "runs" / f"{LABELS}-seed0-{side.name}")
            lines.append(f"- {side.name}: {_told(manifest)}")
            manifests.append(manifest)
        done = all(m is not None and m.status is Status.DONE for m in manifests)
        if ended.code != 0 or not done:
            return Part("", _of(ended).outcome, 0, _of(ended).said, "\n".join(lines))
        said = f"{' and '.join(side.name for side in self.sides)} done and comparable"
        return Part("", Outcome.HOLDS, 0, _with(said, self.lacking), "\n".join(lines))

    def _resumption(self, seconds: float) -> Part:
        profile = profiles.load(self.experiment.profile.name, RESUMED).on("cuda")
        request = Request(profile, self.experiment.dataset, LABELS, 0, "cuda")
        said, holds = [], True
        for side in self.sides:
            share = seconds / len(self.sides)
            told, well = _stop_and_resume(side, side.asked(request), self.place / "resumed", share)
            said.append(f"{side.name}: {told}")
            holds = holds and well
        outcome = Outcome.HOLDS if holds else Outcome.FAILED
        return Part("", outcome, 0, _with("; ".join(said), self.lacking))

    def _speed(self, seconds: float) -> Part:
        counts = {"blocks": 1, "iterations": 30, "discard": 10}
        if self.experiment.profile.name == "quick":
            counts = {"blocks": 1, "iterations": 10, "discard": 2}
        ended = self._harness(
            seconds, "bench", device="cuda", variants=" ".join(self.question.variants), **counts
        )
        page = self.made / "bench.md"
        if not page.exists():
            return _of(ended)
        table = page.read_text(encoding="utf-8").replace("\n## ", "\n### ").partition("\n\n")[2]
        if ended.code != 0 and not self.lacking:
            return Part("", Outcome.FAILED, 0, ended.last_line, table)
        return Part("", Outcome.HOLDS, 0, _with("measured", self.lacking), table)


def _stop_and_resume(
    side: Implementation, request: Request, place: Path, seconds: float
) -> tuple[str, bool]:
    """Stop a run at an early checkpoint and let it go on; what happened, and whether it is well."""
    side.keep_often()
    planned = RunsFolder(place).planned(side, request)
    ends = time.monotonic() + seconds
    stop = threading.Event()
    watching = threading.Thread(target=_stop_at_checkpoint, args=(planned, stop, ends), daemon=True)
    watching.start()
    with suppress(Incomplete):
        train(planned, Plain(), Limits(retries=0), stop=stop)
    stop.set()
    watching.join()
    first = read_manifest(planned.folder)
    if first is None or first.status is Status.DONE:
        return "was done before it could be stopped", False
    late = threading.Event()
    timer = threading.Timer(max(0.0, ends - time.monotonic()), late.set)
    timer.start()
    with suppress(Incomplete):
        train(planned, Plain(), Limits(retries=0), stop=late)
    timer.cancel()
    found = read_manifest(planned.folder)
    assert found is not None
    at = found.starts[-1].resumed_at
    if found.status is not Status.DONE or not at:
        return f"{found.status.value}: {found.reason or 'it began anew'}", False
    return f"went on from iteration {at} of {request.profile.iterations} and was done", True


def _stop_at_checkpoint(planned: Planned, stop: threading.Event, ends: float) -> None:
    attempt = attempt_folder(planned.folder, 1)
    while not stop.wait(0.1):
        with suppress(HarnessError):
            if attempt.is_dir() and (planned.side.resumes_at(attempt) or 0) >= STOP_AT:
                break
        if time.monotonic() > ends:
            break
    stop.set()


def _told(manifest: Manifest | None) -> str:
    if manifest is None:
        return "did not begin"
    text = manifest.status.value + (f": {manifest.reason}" if manifest.reason else "")
    if manifest.judged_top1 is not None:
        text += f", judged {manifest.judged_top1:.2f} ({manifest.judged_close} too close to tell)"
    if manifest.facts is not None:
        shims = ", ".join(manifest.facts.shims) or "no shim"
        text += f", {shims}, precision {manifest.settings['precision']}"
        if manifest.facts.loader_workers is not None:
            text += f", {manifest.facts.loader_workers} processes for unlabelled images"
    return text


def _of(ended: Ended) -> Part:
    """A part that is a command's end and its last lines."""
    details = quoted(ended.last_lines)
    if ended.stopped is Stopped.INTERRUPTED:
        return Part("", Outcome.OVERDUE, 0, f"its last line: {ended.last_line}", details)
    if ended.code != 0:
        return Part("", Outcome.FAILED, 0, f"exit code {ended.code}: {ended.last_line}", details)
    return Part("", Outcome.HOLDS, 0, ended.last_line, details)


def _with(text: str, more: str) -> str:
    return f"{text}; {more}" if more else text
