"""What a job of a cluster does, where the device is that its run asks for: all but the table."""

from __future__ import annotations

import threading

from harness.parity import judge, preflight
from harness.runs.attempt import Limits
from harness.runs.folder import Planned
from harness.runs.manifest import read_manifest
from harness.runs.progress import Watcher
from harness.runs.train import refuse, train


def train_and_judge(
    planned: Planned, watcher: Watcher, limits: Limits, stop: threading.Event
) -> None:
    """Climb rungs 1-4 for a run that begins, train it, and judge what it leaves.

    It is held against what was asked for; against other runs when all are done. Raises Incomplete
    when `stop` is set.
    """
    before = read_manifest(planned.folder)
    if before is None or not before.starts:
        for _, difference in preflight.check([planned], [], watcher.say):
            refuse(planned, str(difference), watcher)
            return
    train(planned, watcher, limits, stop=stop)
    judge.judge(planned, watcher.say)
