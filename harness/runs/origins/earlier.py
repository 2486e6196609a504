"""Runs of another origin: moved aside when today's are trained, and back when it returns.

They lie in `<runs>/earlier/<origin>/<run>/` and are never lost.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.runs.folder import Planned, run_folders
from harness.runs.inputs import request_settings
from harness.runs.manifest import Status, read_manifest
from harness.runs.origins import origin
from harness.runs.origins.origin import Origin

FOLDER = "earlier"


def put_away(run_folder: Path) -> Path | None:
    """Move a run out of the way of one that is to take its place; where to.

    None: it was none yet. What a start that never came to a manifest left there is removed.
    """
    manifest = read_manifest(run_folder)
    if manifest is None:
        shutil.rmtree(run_folder)
        return None
    place = run_folder.parent / FOLDER / origin.of(manifest).name
    place.mkdir(parents=True, exist_ok=True)
    target, number = place / run_folder.name, 1
    while target.exists():
        number += 1
        target = place / f"{run_folder.name}.{number}"
    run_folder.rename(target)
    return target


def bring_back(planned: Planned, wanted: Origin) -> bool:
    """Move a finished run of `wanted` on the same terms back, if one was put away.

    What lies in its place is put away in turn.
    """
    place = planned.folder.parent / FOLDER / wanted.name
    for kept in sorted(place.glob(f"{planned.folder.name}*")):
        manifest = read_manifest(kept)
        if (
            manifest is not None
            and manifest.implementation == planned.side.name
            and manifest.status is Status.DONE
            and not origin.difference(origin.of(manifest), wanted)
            and manifest.settings == request_settings(planned.request)
        ):
            if planned.folder.exists():
                put_away(planned.folder)
            kept.rename(planned.folder)
            return True
    return False


def places(runs_folder: Path) -> Iterator[Path]:
    """The folders of earlier origins that hold runs."""
    yield from (path for path in sorted((runs_folder / FOLDER).glob("*")) if run_folders(path))
