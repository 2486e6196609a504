"""The lines of a log: decoded, and without what others put around them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput, LogError
from harness.implementations.logs import wrapping

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32-LE"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32-BE"),
    (codecs.BOM_UTF16_LE, "UTF-16-LE"),
    (codecs.BOM_UTF16_BE, "UTF-16-BE"),
)
# Bytes that are no UTF-8, as `surrogateescape` keeps them; zeros are what a disk fault leaves.
_NO_TEXT = re.compile("[\0\udc80-\udcff]")


@dataclass(frozen=True)
class Line:
    """A line, or one of those drawn in its place after a carriage return; never blank."""

    path: Path
    number: int
    label: str  # the rank that wrote it, where whoever collected the lines says so
    text: str
    cut: bool  # the file ends inside it: it was being written, or a kill or full disk cut it
    no_text: str = ""  # the first byte in it that is no text, in words
    raw: str = ""  # as it stands in the file, with what others put around it

    def error(self, problem: str) -> LogError:
        """What is wrong with this line, and the remedy."""
        bytes_too = f" ({self.no_text})" if self.no_text else ""
        return LogError(
            f"{self.path}:{self.number}: {problem}{bytes_too}; restore the line from the original "
            "log, or delete it"
        )


def is_damaged(text: str) -> bool:
    """Whether there were bytes in it that are no text."""
    return _NO_TEXT.search(text) is not None


def read_lines(path: Path, expected: str) -> list[Line]:
    """The lines of a log that are not blank. UTF-8, or UTF-16 and 32 with a byte-order mark.

    Raises BadInput where the file cannot be opened, LogError for an encoding that is not read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name a {expected}") from error
    lines = _decode(content, path).split("\n")
    return [
        line
        for number, raw in enumerate(lines, 1)
        for line in _drawn(path, number, raw, cut=number == len(lines))
    ]


def _drawn(path: Path, number: int, raw: str, cut: bool) -> Iterator[Line]:
    no_text = _first_byte_that_is_no_text(raw) if is_damaged(raw.rstrip("\0")) else ""
    label = ""
    parts = wrapping.open_envelope(raw).rstrip("\r\n").split("\r")
    for index, part in enumerate(parts, 1):
        own_label, text = wrapping.unwrap(part)
        label = own_label or label
        if text:
            yield Line(path, number, label, text, cut and index == len(parts), no_text, part)


def _first_byte_that_is_no_text(raw: str) -> str:
    match = _NO_TEXT.search(raw)
    assert match is not None
    before = len(raw[: match.start()].encode("utf-8", "surrogateescape"))
    return f"byte {before + 1} of the line, 0x{ord(match[0]) & 0xFF:02x}, is no UTF-8 text"


def _decode(content: bytes, path: Path) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark) and _has_zeros(content[len(mark) :]):
            return _decode_wide(content[len(mark) :], encoding, path)
    for encoding in ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE"):
        if _is_ascii_in(encoding, content[:64]):
            raise LogError(
                f"{path}:1: looks like {encoding} without a byte-order mark (byte "
                f"{content.index(0) + 1} is 0x00); convert it: iconv -f {encoding} -t UTF-8"
            )
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _has_zeros(content: bytes) -> bool:
    """Whether it can be UTF-16 or 32: of a log's letters each has a zero."""
    return content.count(0) * 4 >= len(content)


def _is_ascii_in(encoding: str, head: bytes) -> bool:
    text = head[: len(head) // 4 * 4].decode(encoding, "replace")
    return text != "" and text.isascii() and "\0" not in text


def _decode_wide(content: bytes, encoding: str, path: Path) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding)
        if "\n".encode(encoding) not in content[error.start :]:
            return before  # cut within the last line
        raise LogError(
            f"{path}:{before.count(chr(10)) + 1}: byte {error.start + 1} of the file is no "
            f"{encoding} ({error.reason}); restore the line from the original log"
        ) from error
