"""Of which runs the page of claims is made: source, commit, machine and seeds of each contender."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.analysis.claims.answers import Weighed
from harness.report import markdown
from harness.report.study.tables import table
from harness.runs.folder import Run
from harness.runs.manifest import Manifest

HEADER = [
    "contender", "labelled: seeds", "source", "commit", "torch", "processor", "threads",
]  # fmt: skip


def parts(weighed: Weighed) -> list[str]:
    """Where the runs are from, then a row a contender, and the data that all share."""
    done = weighed.done
    folder = f"{weighed.claims.profile}/runs"
    evidence = weighed.results.provenance
    said = [
        f"Made from the runs in `{folder}` beside the folder of studies: {len(done)} are done, of "
        f"{_data(done)}; `runs.sha256` has the sums of their files."
    ]
    if evidence is not None:
        reason = markdown.text(evidence.reason)
        said.append(f"Published {evidence.date} at `{_short(evidence.commit)}`: {reason}.")
    rows = [
        _row(name, several)
        for name in weighed.claims.every_contender
        if (several := [run for run in done if run.manifest.implementation == name])
    ]
    return [" ".join(said), table(HEADER, rows)]


def _row(name: str, runs: Sequence[Run]) -> list[str]:
    manifests = [run.manifest for run in runs]
    facts = [one.facts for one in manifests if one.facts is not None]
    return [
        f"`{name}`",
        _seeds(runs),
        _all(one.source_sha256[:12] for one in manifests),
        _all(_commit(one) for one in manifests),
        _all(one.torch_version for one in facts),
        _all(markdown.text(one.processor or one.device) for one in facts),
        _all(str(one.threads or "") for one in facts),
    ]


def _seeds(runs: Sequence[Run]) -> str:
    """`40: 0, 1; 250: 0`."""
    by_labels: dict[int, list[int]] = {}
    for run in runs:
        by_labels.setdefault(run.manifest.labels, []).append(run.manifest.seed)
    return "; ".join(
        f"{labels}: {', '.join(str(seed) for seed in sorted(seeds))}"
        for labels, seeds in sorted(by_labels.items())
    )


def _commit(manifest: Manifest) -> str:
    """Of this repository, and of TorchSSL where that is what trained."""
    own, theirs = _short(manifest.own_commit), _short(manifest.torchssl_commit)
    return f"{own}, TorchSSL {theirs}" if manifest.implementation.startswith("torchssl") else own


def _short(commit: str) -> str:
    """Its first digits, and `-dirty` where more than the commit was used."""
    digits, _, state = commit.partition("-")
    return digits[:12] + (f"-{state}" if state else "")


def _data(runs: Sequence[Run]) -> str:
    return _all(
        f"{run.manifest.settings['data']} {run.manifest.settings['data_sha256'][:12]}"
        for run in runs
    )


def _all(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in sorted(set(values)) if value) or "unknown"
