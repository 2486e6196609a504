"""What is looked at: the device, the tests of a GPU, the ladder, both sides' runs, their speed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.commands.gpu_check.bounds import run_child
from harness.commands.gpu_check.resumption import stop_and_resume
from harness.experiment import profile as profiles
from harness.experiment.opening import Experiment
from harness.implementations import registry
from harness.implementations.interface import REPOSITORY, Request
from harness.parity import checklist
from harness.report.gpu_check import Outcome, Part, quoted
from harness.runs.execution.child import Ended, Stopped
from harness.runs.manifest import Manifest, Status, read_manifest

TRAINED, RESUMED = 20, 100  # iterations
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


class GpuParts:
    """The parts, each within the seconds that it is given; what they leave lies in `place`."""

    def __init__(
        self, experiment: Experiment, data_dir: Path | None, place: Path, variants: Sequence[str]
    ) -> None:
        self.experiment, self.data_dir = experiment, data_dir
        self.place, self.variants = place, variants
        sides = (registry.create("own"), registry.reference())
        self.sides = [side for side in sides if side.unavailable() is None]
        self.lacking = "; ".join(
            f"{side.title} is unavailable: {why}" for side in sides if (why := side.unavailable())
        )

    @property
    def all(self) -> dict[str, tuple[str, Callable[[float], Part]]]:
        """{name: (title, the part)} in their order."""
        return {
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

    def _child(self, seconds: float, *words: str) -> Ended:
        return run_child(seconds, self.place, *words)

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
            told, well = stop_and_resume(side, side.asked(request), self.place / "resumed", share)
            said.append(f"{side.name}: {told}")
            holds = holds and well
        outcome = Outcome.HOLDS if holds else Outcome.FAILED
        return Part("", outcome, 0, _with("; ".join(said), self.lacking))

    def _speed(self, seconds: float) -> Part:
        counts = {"blocks": 1, "iterations": 30, "discard": 10}
        if self.experiment.profile.name == "quick":
            counts = {"blocks": 1, "iterations": 10, "discard": 2}
        ended = self._harness(
            seconds, "bench", device="cuda", variants=" ".join(self.variants), **counts
        )
        page = self.made / "bench.md"
        if not page.exists():
            return _of(ended)
        table = page.read_text(encoding="utf-8").replace("\n## ", "\n### ").partition("\n\n")[2]
        if ended.code != 0 and not self.lacking:
            return Part("", Outcome.FAILED, 0, ended.last_line, table)
        return Part("", Outcome.HOLDS, 0, _with("measured", self.lacking), table)


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
