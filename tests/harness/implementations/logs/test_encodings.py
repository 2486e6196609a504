"""What a file's bytes are: read where they say so, named where they do not."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from harness.errors import LogError
from tests.helpers.plain_logs import PLAIN, joined, read

NAMES = ["torchssl", "own", "progress"]
MARKED = {
    "UTF-8": (codecs.BOM_UTF8, "utf-8"),
    "UTF-16, as PowerShell's > writes it": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "UTF-16, big end first": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "UTF-32": (codecs.BOM_UTF32_LE, "utf-32-le"),
    "UTF-32, big end first": (codecs.BOM_UTF32_BE, "utf-32-be"),
}


@pytest.mark.parametrize("encoding", MARKED)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_byte_order_mark(tmp_path: Path, name: str, encoding: str, newline: str) -> None:
    mark, codec = MARKED[encoding]
    text = joined(PLAIN[name])
    content = mark + text.replace("\n", newline).encode(codec)
    expected = read(name, tmp_path / "log", text)
    assert read(name, tmp_path / "log", content) == expected
    for cut in range(1, 8):
        assert read(name, tmp_path / "log", content[:-cut]) in (expected, expected[:-1])


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"])
@pytest.mark.parametrize("name", NAMES)
def test_none(tmp_path: Path, name: str, encoding: str) -> None:
    content = joined(PLAIN[name]).encode(encoding)
    with pytest.raises(
        LogError, match=rf"log:1: looks like {encoding} without .*; convert it: ico"
    ):
        read(name, tmp_path / "log", content)


def test_a_damaged_line_of_utf_16(tmp_path: Path) -> None:
    before, after = "".join(f"{n}\n" for n in range(5)), joined(PLAIN["own"])
    content = (
        codecs.BOM_UTF16_LE + before.encode("utf-16-le") + b"\x00\xd8" + after.encode("utf-16-le")
    )
    with pytest.raises(LogError, match=r"log:6: byte 21 of the file is no UTF-16-LE"):
        read("own", tmp_path / "log", content)


@pytest.mark.parametrize(
    ("name", "number", "old", "new", "byte"),
    [
        ("torchssl", 4, b"./saved_models'", "./gespeichert/für'".encode("latin-1"), "0xfc"),
        ("torchssl", 18, b"'eval/top-1-acc': 0.12", b"'eval/top-1-acc': 0.\xb22", "0xb2"),
        ("torchssl", 18, b"INFO] 0 iteration, USE_EMA", b"IN\xff\xff\xff", "0xff"),
        ("torchssl", 18, b"tensor(2.2265)", b"tensor(2.2265\0\0\0\0", "0x00"),
        ("own", 3, b'"top1": 12.4', b'"top1": 1\x822.4', "0x82"),
        ("own", 3, b'"evaluation"', b'"eval\x82tion"', "0x82"),
        ("progress", 8, b"43.10", b"43.1\xa5", "0xa5"),
        ("progress", 8, "100% ■".encode(), b"100% \xdb\xdb", "0xdb"),  # a bar in code page 437
        ("progress", 6, b"Iter: 224", b"Iter: 2\xa54", "0xa5"),
    ],
)
def test_bytes_that_are_no_text(
    tmp_path: Path, name: str, number: int, old: bytes, new: bytes, byte: str
) -> None:
    lines = joined(PLAIN[name]).encode().split(b"\n")
    damaged = lines[number - 1].replace(old, new, 1)
    assert damaged != lines[number - 1]
    at = damaged.index(bytes.fromhex(byte[2:])) + 1
    content = b"\n".join([*lines[: number - 1], damaged, *lines[number:]])
    with pytest.raises(LogError, match=rf"log:{number}: .*\(byte {at} of the line, {byte}, is no"):
        read(name, tmp_path / "log", content)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", [b"\0" * 4096, b"\xe2\x96", b"\xff\xfe\0\0"])
def test_what_a_kill_or_a_disk_leaves_at_the_end(tmp_path: Path, name: str, end: bytes) -> None:
    content = joined(PLAIN[name]).encode()
    expected = read(name, tmp_path / "log", content)
    assert read(name, tmp_path / "log", content + end) == expected
    within = content[: len(content) - 60]
    assert read(name, tmp_path / "log", within + end) in (expected, expected[:-1])
