"""Standard output and error: neither an encoding nor a reader that is gone ends the program."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ERRORS = "harness-stand-ins"  # the name of the error handler
# For what we and rich print; anything else that a stream cannot say is written as \xe9 or \u4e2d.
STAND_INS = {
    "±": "+/-", "✗": "x", "✓": "ok", "×": "x", "→": "->", "·": "-", "•": "*",
    "…": "~",  # rich's, where a line is cut: as wide, or the line would wrap
    "–": "-", "—": "-", "−": "-", "≤": "<=", "≥": ">=", "≈": "~", "μ": "mu", "\xa0": " ",
    "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


def prepare() -> None:
    """Make both streams safe; once, before anything is printed."""
    codecs.register_error(ERRORS, _stand_in)
    sys.stdout = _safe(sys.stdout, sys.__stdout__)
    sys.stderr = _safe(sys.stderr, sys.__stderr__)


def sayable(text: str, encoding: str) -> str:
    """What a stream of that encoding makes of `text`: to be measured before it is laid out."""
    codecs.register_error(ERRORS, _stand_in)
    return text.encode(encoding, ERRORS).decode(encoding)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_in_ascii, lacking)), error.end


def _in_ascii(character: str) -> str:
    if character in STAND_INS:
        return STAND_INS[character]
    if "\u2500" <= character <= "\u257f":  # lines of tables, which rich draws
        return {"─": "-", "━": "-", "═": "=", "│": "|", "┃": "|", "║": "|"}.get(character, "+")
    if "\u2580" <= character <= "\u259f":  # bars
        return "#"
    if "\u2800" <= character <= "\u28ff":  # spinners
        return "*"
    return character.encode("ascii", "backslashreplace").decode()


def _safe(stream: TextIO | None, real: TextIO | None) -> TextIO:
    if stream is None:  # closed by who started us: >&-
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
    if stream is real and isinstance(stream, io.TextIOWrapper):  # not what a test puts there
        stream.flush()
        return io.TextIOWrapper(
            io.BufferedWriter(_Descriptor(stream.fileno(), "wb", closefd=False)),
            encoding=stream.encoding,
            errors=ERRORS,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=ERRORS)
    return stream


class _Descriptor(io.FileIO):
    """A file descriptor that is turned to nowhere once it cannot be written.

    A reader that is gone, as `| head`, is no error: the command goes on and ends with its own exit
    code. Anything else, such as a full disk, is raised, once.
    """

    def write(self, content: ReadableBuffer, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                return memoryview(content).nbytes
            raise
