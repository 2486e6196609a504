"""What a child prints, on disk: the beginning and the end, however much lies between."""

from __future__ import annotations

import os
from pathlib import Path

HEAD, TAIL = "console.log", "console-end.log"
LIMIT = 1 << 20  # bytes of the beginning; of the end there is at least as much
REMEMBERED = 1 << 16  # bytes kept in memory: a full disk keeps none


class Console:
    """Takes all that comes out of a pipe; never stops reading, whatever becomes of the files."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self.bytes = 0
        self._end = b""

    def copy(self, pipe: int) -> None:
        """Read the file descriptor `pipe` to its end."""
        while chunk := os.read(pipe, 1 << 16):
            self.bytes += len(chunk)
            self._end = (self._end + chunk)[-REMEMBERED:]
            try:
                self._write(chunk)
            except OSError:
                continue

    def last_lines(self, count: int = 20) -> list[str]:
        """The last lines that are not empty."""
        return _lines(self._end)[-count:]

    def _write(self, chunk: bytes) -> None:
        head, tail = self.folder / HEAD, self.folder / TAIL
        room = self.limit - _size(head)
        if room > 0:
            _append(head, chunk[:room])
        if len(chunk) > max(room, 0):
            if _size(tail) > self.limit:
                tail.replace(self.folder / ("older-" + TAIL))
            _append(tail, chunk[max(room, 0) :])


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", errors="replace").replace("\r", "\n")
    return [line for line in text.splitlines() if line.strip()]
