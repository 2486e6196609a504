"""A finished run read as its implementation's file says today, where that file trains as before.

How a log is read, what is judged and in what an implementation departs are no part of its training:
a correction of them needs no other run.
"""

from __future__ import annotations

from harness.errors import HarnessError
from harness.runs import kept
from harness.runs.folder import Planned, attempt_folder, check_none_is_lost
from harness.runs.manifest import Status, read_manifest, write_manifest


def reread(planned: Planned) -> str:
    """Keep today's file with the run that `planned` asks for; what to say of it, '' for nothing.

    The run is done and of today's source. It is to be judged anew. Where today's file does not read
    its log to the end, the one that it was trained by stays.
    """
    folder, side = planned.folder, planned.side
    before = read_manifest(folder)
    if before is None or before.status is not Status.DONE or before.taken is not None:
        return ""
    if not kept.names(side) or before.spec_sha256 == kept.sha256(side):
        return ""
    attempt = attempt_folder(folder, before.attempt)
    try:
        points = side.points(attempt, before.settings["test_class_counts"])
        change = {"spec_sha256": kept.sha256(side), "evaluations": len(points), "judged_top1": None}
        manifest = before.model_copy(update=change)
        check_none_is_lost(points, manifest, side.log(attempt))
    except HarnessError as error:
        return f"its file has changed, and does not read it: {error}; it is read as before"
    kept.write(folder, side)
    write_manifest(folder, manifest)
    return "read as its file says now, which trains as before"
