"""What made a run: the source that trained it, the torch it used, the kind of device.

A number belongs to the code that made it. A finished run of another origin is *stale*: it is no
number of today's code, and enters no table of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.implementations.interface import Implementation
from harness.runs.manifest import Manifest

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Origin:
    """`source` is a SHA-256 ('' where the run recorded none), `torch` as major.minor."""

    source: str
    torch: str
    device: str  # cpu or cuda

    @property
    def name(self) -> str:
        """Of the folder that earlier runs of it are kept in."""
        return self.source[:12] or UNKNOWN


def of(manifest: Manifest) -> Origin:
    """The origin of a run by its manifest; before it has facts, torch and device are ''."""
    facts = manifest.facts
    if facts is None:
        return Origin(manifest.source_sha256, "", "")
    device = "cpu" if facts.device == "cpu" else "cuda"
    return Origin(manifest.source_sha256, minor(facts.torch_version), device)


def here(side: Implementation, device: str) -> Origin:
    """What a run of `side` that is trained here and now would have."""
    return Origin(side.source_sha256(), minor(side.torch_version() or ""), device)


def minor(version: str) -> str:
    """`2.14.1+cu130` -> `2.14`."""
    return ".".join(version.split("+")[0].split(".")[:2])


def difference(found: Origin, wanted: Origin) -> str:
    """In which one origin is not the other, in words; '' where in nothing that is known of both.

    A run that recorded no source is of another than the one that is wanted. Where the code is not
    here, so that none is wanted, any will do.
    """
    if wanted.source and found.source != wanted.source:
        return f"made by source {found.source[:7] or UNKNOWN}, now it is {wanted.source[:7]}"
    for what in ("torch", "device"):
        old, new = getattr(found, what), getattr(wanted, what)
        if old and new and old != new:
            return f"made with {what} {old}, now it is {new}"
    return ""
