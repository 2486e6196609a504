"""report.html: one self-contained page, verdict first. No script, no request, no clock."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from harness.analysis import frames, selection
from harness.analysis.comparison import Comparison
from harness.analysis.diff.accepted import Accepted
from harness.experiment import algorithms
from harness.experiment.algorithms import Algorithm
from harness.parity.checklist import Ladder
from harness.report import contrasts, proof, wording
from harness.runs.folder import Run, folder_name
from harness.runs.manifest import Status

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Picture:
    """A figure in the page: its title, what it shows in words, and the SVG."""

    title: str
    description: str
    svg: bytes

    @property
    def width(self) -> int:
        """CSS pixels; the SVG states points, 96 / 72 of them."""
        match = re.search(rb'width="([0-9.]+)pt"', self.svg)
        return round(float(match[1]) * 96 / 72) if match else 1000

    @property
    def uri(self) -> str:
        """A data URI: the page asks nobody for it."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode("ascii")


def render(
    comparison: Comparison,
    others: Sequence[Comparison],
    pictures: Sequence[Picture],
    ladder: Ladder | None,
    accepted: Accepted,
    ladders: Mapping[str, Ladder | None] | None = None,
) -> str:
    """The page; `others` are the same runs under the other selection rules, a table each.

    `ladders` are those of further algorithms that have runs, by name.

    Every text of a run is escaped: a log may hold anything.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    imported = {run.manifest.implementation for run in comparison.runs if run.manifest.imported}
    return environment.get_template("report.html.j2").render(
        schema=frames.SCHEMA,
        comparison=comparison,
        others=others,
        pictures=pictures,
        ladder=ladder,
        accepted=accepted,
        ladders={algorithms.of(name): one for name, one in (ladders or {}).items()},
        wording=wording,
        contrasts=contrasts,
        proof=proof,
        selection=selection,
        runs=[_run(run, comparison.rule) for run in comparison.runs],
        lost=[run for run in comparison.runs if run.status is not Status.DONE],
        settings=settings(comparison.runs),
        given=[name for name in comparison.implementations if name not in imported],
        commands=commands(comparison),
        method=" and ".join(one.title for one in _algorithms(comparison.runs)),
    )


@dataclass(frozen=True)
class Setting:
    """What each side was given of one setting, by implementation.

    `declared`: they differ, and only in what an implementation declares to change; `of_algorithm`:
    they differ, and only between algorithms that need not share it.
    """

    name: str
    values: Mapping[str, str]
    declared: bool
    of_algorithm: bool

    @property
    def equal(self) -> bool:
        return len(set(self.values.values())) == 1


def settings(runs: Sequence[Run]) -> list[Setting]:
    """What each side was given, setting by setting.

    What goes with the label count or seed is left out: the sums of each run stand beside it.
    """
    by_name: dict[str, dict[str, set[str]]] = {}
    runs = [run for run in runs if not run.manifest.imported]  # of which nobody knows them
    departs = {run.manifest.implementation: run.evidence.departs for run in runs}
    implementations = sorted(departs)
    for run in runs:
        for name, value in run.manifest.settings.items():
            if name != "split_sha256":
                values = by_name.setdefault(name, {i: set() for i in implementations})
                shown = str(value)[:12] if name.endswith("sha256") else str(value)
                values[run.manifest.implementation].add(shown)
    rows = []
    for name, found in by_name.items():
        by_side = {i: " or ".join(sorted(values)) or "not set" for i, values in found.items()}
        declared = {i: str(d[name]) for i, d in departs.items() if name in d}
        others = {value for i, value in by_side.items() if i not in declared}
        as_declared = all(by_side[i] == value for i, value in declared.items())
        is_declared = bool(declared) and as_declared and len(others) == 1
        free = not is_declared and _is_of_algorithm(name, by_side, runs)
        rows.append(Setting(name, by_side, is_declared, free))
    return rows


def _is_of_algorithm(name: str, by_side: Mapping[str, str], runs: Sequence[Run]) -> bool:
    """Whether it is one that two algorithms need not share, and all of either have one value."""
    found: dict[str, set[str]] = {}
    for run in runs:
        algorithm = algorithms.recorded(run.manifest.settings)
        found.setdefault(algorithm, set()).add(by_side[run.manifest.implementation])
    free = {name for one in found for other in found for name in algorithms.not_shared(one, other)}
    return name in free and all(len(values) == 1 for values in found.values())


def commands(comparison: Comparison) -> list[str]:
    """What a reader types to have the same runs again, and to check these."""
    runs, profile = comparison.runs, comparison.profile
    options = {
        "PROFILE": profile.name,
        "LABELS": _words(run.manifest.labels for run in runs),
        "SEEDS": _words(run.manifest.seed for run in runs),
        "IMPLEMENTATIONS": _words(_asked_for(run) for run in runs),
    }
    iterations = {run.manifest.settings.get("iterations") for run in runs}
    if len(iterations) == 1 and iterations != {profile.iterations}:
        options["ITERATIONS"] = str(iterations.pop())
    if comparison.data not in (profile.data, ""):
        options["DATA_DIR"] = f"<folder of {comparison.data}>"
    if "bf16" in {run.manifest.settings.get("precision") for run in runs}:
        options["PRECISION"] = "bf16"
    if True in {run.manifest.settings.get("compile") for run in runs}:
        options["COMPILE"] = "1"
    asked = " ".join(
        f'{name}="{value}"' if " " in value else f"{name}={value}"
        for name, value in options.items()
    )
    commits = sorted({run.manifest.own_commit for run in runs if run.manifest.own_commit})
    checkout = [f"git checkout {commit.removesuffix('-dirty')}" for commit in commits[:1]]
    return [
        *(checkout if len(commits) == 1 else []),
        f"{_threads(runs)}make compare {asked}",
        *(
            f"make parity PROFILE={profile.name}{_of(one)}"
            for one in _algorithms(runs)
            if one.has_ladder
        ),
        f"make verify PROFILE={profile.name}",
    ]


def _algorithms(runs: Sequence[Run]) -> list[Algorithm]:
    """Those of the runs, in the order of all; the default one where there are no runs."""
    found = {algorithms.recorded(run.manifest.settings) for run in runs} or {algorithms.DEFAULT}
    return [algorithms.of(name) for name in algorithms.names() if name in found]


def _of(algorithm: Algorithm) -> str:
    return "" if algorithm.name == algorithms.DEFAULT else f" ALGORITHM={algorithm.name}"


def _threads(runs: Sequence[Run]) -> str:
    """Of runs on a CPU, whose numbers go with how many threads sum up."""
    facts = [run.manifest.facts for run in runs]
    found = {one.threads for one in facts if one is not None and one.device == "cpu"}
    return f"OMP_NUM_THREADS={found.pop()} " if len(found) == 1 and None not in found else ""


def _asked_for(run: Run) -> str:
    """As IMPLEMENTATIONS takes it: one that is described by a file, by that file."""
    name = run.manifest.implementation
    return f"<{name}'s compare.yaml>" if run.manifest.spec_sha256 else name


def _words(values: Any) -> str:
    return " ".join(str(value) for value in sorted(set(values)))


def _run(run: Run, rule: str) -> Mapping[str, Any]:
    manifest, facts = run.manifest, run.manifest.facts
    row = frames.run_row(run)
    accuracy = row.get(f"{rule}_top1")
    proof = {
        "data": facts.data_sha256,
        "labelled images": facts.split_sha256,
        "initial weights": facts.initial_weights_sha256,
    } if facts else {}  # fmt: skip
    about = {
        "reason": run.reason,
        "started": manifest.started,
        "training took": "" if manifest.taken else _minutes(manifest.wall_seconds),
        "iterations": row.get("iterations", ""),
        "evaluations": row.get("evaluations", ""),
        "judged": "" if manifest.judged_top1 is None else f"{manifest.judged_top1:.2f}",
        "device": facts.device if facts else "",
        "torch": facts.torch_version if facts else "",
        "shims": (", ".join(facts.shims) or "none") if facts else "",
        "processor": facts.processor if facts else "",
        "threads": facts.threads if facts else None,
        "source": manifest.source_sha256[:12],
        "imported": manifest.imported,
        "taken from": manifest.taken.folder if manifest.taken else "",
        "stubs": ", ".join(facts.stubs) if facts else "",
        "source commit": manifest.source_commit,
        "commit": manifest.own_commit,
        "TorchSSL": manifest.torchssl_commit,
    }
    return {
        "name": folder_name(manifest.labels, manifest.seed, manifest.implementation),
        "status": run.status.value,
        "accuracy": "" if accuracy is None else f"{accuracy:.2f}",
        "about": {key: value for key, value in about.items() if value not in ("", None)},
        "sums": proof,
    }


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f} min"
