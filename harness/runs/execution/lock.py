"""Who works in a folder: one process at a time. A lock whose process died is taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
from pydantic import ValidationError

from harness.errors import BadInput
from harness.runs.execution.process import Process, this_process
from harness.runs.files import write_text

LOCK, HOLDER = ".lock", ".lock-holder.json"


@contextmanager
def only_one(
    folder: Path, say: Callable[[str], None] | None = None, what: str = "comparison"
) -> Iterator[None]:
    """Hold `folder`, made if need be. Raises BadInput if it cannot be held.

    The kernel frees the lock of a process that died; that this happened is told by `say`.
    """
    lock = filelock.FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        other = holder(folder)
        by = f" ({other})" if other else ""
        raise BadInput(
            f"RESULTS {folder}: another {what} is running in it{by}; wait for it, or name another "
            "folder"
        ) from error
    except OSError as error:
        raise BadInput(
            f"RESULTS {folder}: cannot be written ({error.strerror}); name a writable folder"
        ) from error
    try:
        before = holder(folder)
        if before is not None and say is not None:
            say(f"{folder}: the {what} of {before} died here; going on from what it left")
        write_text(folder / HOLDER, this_process().model_dump_json() + "\n")
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> Process | None:
    """Who holds `folder`, or held it when it died; None: nobody, or it cannot be told."""
    try:
        return Process.model_validate_json((folder / HOLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError):
        return None
