"""A finished run taken from another results folder, instead of being trained again."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.errors import BadInput
from harness.implementations import registry
from harness.implementations.custom import places
from harness.runs.folder import UNSAID, Planned, attempt_folder, run_folders
from harness.runs.inputs import request_settings
from harness.runs.manifest import Manifest, Status, Taken, read_manifest, write_manifest
from harness.runs.origins import origin
from harness.runs.origins.earlier import put_away
from harness.runs.origins.origin import Origin

# What a run leaves that only its machine needs: weights, links, live state.
LEFT_BEHIND = (
    "data", "data_statistics", "labelled.npy", "*console*.log", "progress.json", "tensorboard",
    "judge.json",
    "*.pth", "*.pth.tar", "*.pt", "*.ckpt", "*.safetensors", "*.tmp", ".lock*",
)  # fmt: skip


class OtherTerms(BadInput):
    """A finished run on other terms than are asked for."""


def copy_run(source: Path, target: Path) -> None:
    """Copy a run folder without what only its machine needs; whole, or not at all.

    Its logs are copied whatever they are called. Raises BadInput where it cannot be.
    """
    half = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(half, ignore_errors=True)
    try:
        shutil.copytree(source, half, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        for log in _logs(source):
            there = half / log.relative_to(source)
            if not there.exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(log, there)
        places.forget(half)
        half.rename(target)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        said = error.strerror or error
        raise BadInput(
            f"{source}: cannot be copied to {target} ({said}); make room there, or move away what "
            "is in its place"
        ) from error


def _logs(run_folder: Path) -> list[Path]:
    """What the points of a run are read from."""
    manifest = read_manifest(run_folder)
    if manifest is None:
        return []
    side = registry.of_run(run_folder, manifest.implementation)
    logs = side.logs(attempt_folder(run_folder, manifest.attempt))
    return [log for log in logs if log.is_file()]


def runs_in(folder: Path, profile: str) -> Path:
    """Where the runs of a results folder lie: its own, or those of the profile in it.

    Raises BadInput where there are none.
    """
    for place in (folder / "runs", folder / profile / "runs"):
        if run_folders(place):
            return place
    raise BadInput(f"REFERENCE {folder}: no runs of profile {profile} in it; name another folder")


def take(planned: Planned, wanted: Origin, runs: Path, named: str) -> str:
    """Take the run that `planned` asks for from `runs`; why not, or '' where it was taken.

    `wanted` is the origin of today's code, `named` what the user called the folder. Raises BadInput
    for a manifest of another schema, and OtherTerms for a finished run on other terms.
    """
    source = runs / planned.folder.name
    manifest = read_manifest(source)
    if manifest is None or manifest.status is not Status.DONE:
        return "no finished run of it"
    _check_terms(manifest, planned, source)
    if why := origin.difference(origin.of(manifest), wanted):
        return why
    planned.folder.parent.mkdir(parents=True, exist_ok=True)
    if planned.folder.exists():
        put_away(planned.folder)
    copy_run(source, planned.folder)
    facts = manifest.facts
    taken = manifest.taken or Taken(
        folder=named,
        started=manifest.started,
        processor=(facts.processor or facts.device) if facts else "",
    )
    write_manifest(planned.folder, manifest.model_copy(update={"taken": taken}))
    return ""


def _check_terms(manifest: Manifest, planned: Planned, source: Path) -> None:
    made_with = UNSAID | manifest.recorded
    for key, asked in (UNSAID | request_settings(planned.request)).items():
        found = made_with.get(key)
        if found != asked:
            raise OtherTerms(
                f"REFERENCE {source}: done with {key} = {found}, asked for is {asked}; name a "
                "folder of runs on the same terms"
            )
