"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

from harness.errors import BadInput


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing, as UTF-8. Raises BadInput."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: temporary file, fsync, rename. Raises BadInput."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space on its disk" if full else "name a writable folder with RESULTS="
        raise BadInput(f"{path}: cannot be written ({error.strerror}); {remedy}") from error
