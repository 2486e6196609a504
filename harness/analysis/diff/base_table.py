"""What accuracies are held against: table.csv of a git revision or a file, each cell checked."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.analysis import frames
from harness.analysis.diff import column_kinds
from harness.errors import BadInput
from harness.implementations import git_command
from harness.implementations.git_command import GitRefused, NoRevision

SAVE = "save it as CSV with commas, in UTF-8, or take the file from git again"
NEITHER = "neither a file nor a git revision here; try 'git fetch', or name another"
KEY = ("labels", "implementation", "seed")


class NoTable(BadInput):
    """The base is there and has no table for this profile."""


@dataclass(frozen=True)
class Base:
    """What is compared with: its name as given, a commit or SHA-256, and its table.csv."""

    name: str
    identity: str
    table: pd.DataFrame


def base(spec: str, folder: Path) -> Base:
    """The table of `folder` at a git revision, or a saved table.csv. Raises BadInput, NoTable."""
    if not spec:
        raise BadInput("BASE: empty; name a git revision or a saved table.csv")
    content = _file(spec)
    if content is not None:
        return Base(spec, hashlib.sha256(content).hexdigest(), read(content, spec))
    try:
        root = git_command.root(folder)
    except GitRefused as error:
        raise BadInput(
            f"BASE {spec}: no such file, and {folder} is in no git clone ({error})"
        ) from error
    path = (folder.resolve() / frames.TABLE).relative_to(root).as_posix()
    try:
        commit = git_command.commit(spec, root)
        # Before results were published they lay where results of this machine lie now.
        places = (path, path.replace("/published/", "/", 1))
        place = next((one for one in places if _is_there(root, commit, one)), None)
        if place is None:
            raise NoTable(f"BASE {spec}: has no {path}; name a revision that has")
        content = git_command.ask(root, "cat-file", "blob", f"{commit}:{place}")
    except NoRevision as error:
        what = str(error) or NEITHER
        if Path(spec).is_dir():
            what = f"a folder; name the {frames.TABLE} in it"
        raise BadInput(f"BASE {spec}: {what}") from error
    except GitRefused as error:
        raise BadInput(f"BASE {spec}: {error}") from error
    return Base(spec, commit, read(content, f"{spec}:{place}"))


def _is_there(root: Path, commit: str, path: str) -> bool:
    return bool(git_command.ask(root, "ls-tree", "-z", "--full-tree", commit, "--", path))


def read(content: bytes, name: str) -> pd.DataFrame:
    """A table.csv: whole numbers, percentages and text by column; what is empty is None, NaN or ''.

    Raises BadInput with row and column, both as a spreadsheet counts them, for what is no table,
    is of another schema, or has a cell that its column cannot have.
    """
    records = list(_records(_text(content, name), name))
    if not records:
        raise BadInput(f"{name}: not a table.csv: it is empty; name another")
    columns, rows = records[0][1], records[1:]
    _check_header(columns, rows, name)
    for number, cells in rows:
        if len(cells) != len(columns):
            last = columns[min(len(cells), len(columns)) - 1]
            raise BadInput(
                f"{name}: row {number}, column {last}: {len(cells)} cells in this row, the header "
                f"has {len(columns)}; {column_kinds.REMEDY}"
            )
    series = {}
    for column in (c for c in frames.RUN_COLUMNS if c in columns):
        at, kind = columns.index(column), column_kinds.of(column)
        values = [kind.value(cells[at], f"{name}: row {n}, column {column}") for n, cells in rows]
        series[column] = pd.Series(values, dtype=kind.dtype)
    frame = pd.DataFrame(series)
    _check_keys(frame, [number for number, _ in rows], name)
    return frame


def _file(spec: str) -> bytes | None:
    """The content of a file; None where there is none of that name."""
    try:
        return Path(spec).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        return None
    except OSError as error:
        raise BadInput(
            f"BASE {spec}: cannot be read ({error.strerror}); make it readable, or name another"
        ) from error


def _text(content: bytes, name: str) -> str:
    if content.startswith(b"PK\x03\x04"):
        raise BadInput(f"{name}: a spreadsheet or archive, not a table.csv; {SAVE}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise BadInput(f"{name}: row {row}: not UTF-8 ({error.reason}); {SAVE}") from error
    if text.startswith("\ufeff"):
        raise BadInput(
            f"{name}: row 1, column 1: begins with a byte-order mark; save it without one "
            "('CSV', not 'CSV UTF-8'), or take the file from git again"
        )
    return text


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """(row, its cells stripped) of all that are not blank; the first is the header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    width = 0
    try:
        for number, cells in enumerate(reader, 1):
            stripped = [cell.strip() for cell in cells]
            width = width or len(stripped)
            if not any(stripped[width:]):  # blank cells on the right say nothing
                stripped = stripped[:width]
            if any(stripped):
                yield number, stripped
    except csv.Error as error:
        raise BadInput(f"{name}: row {reader.line_num}: no CSV ({error}); {SAVE}") from error


def _check_header(columns: list[str], rows: list[tuple[int, list[str]]], name: str) -> None:
    if len(columns) == 1 and (separator := re.search(r"[;\t|]", columns[0])):
        text = f"columns are separated by {separator[0]!r}, not by commas"
        raise BadInput(f"{name}: row 1, column 1: not a table.csv: {text}; {SAVE}")
    if "schema" in columns:  # the rest may be otherwise in another one
        at = columns.index("schema")
        for number, cells in rows:
            found = cells[at].removesuffix(".0") if at < len(cells) else ""
            if found.isdecimal() and int(found) != frames.SCHEMA:
                raise BadInput(
                    f"{name}: row {number}, column schema: schema {found}, this code reads "
                    f"{frames.SCHEMA}; use its own code"
                )
    for column in frames.RUN_COLUMNS:
        if column not in columns and column not in frames.LATER_COLUMNS:
            others = [c for c in columns if c and c not in frames.RUN_COLUMNS]
            unknown = f", but {', '.join(map(repr, others[:3]))}" if others else ""
            raise BadInput(
                f"{name}: row 1: not a table.csv of this version: no column {column}{unknown}; "
                "name the columns as table.csv does, or take the file from git again"
            )
    for column in frames.RUN_COLUMNS:
        if columns.count(column) > 1:
            raise BadInput(f"{name}: row 1, column {column}: there twice; delete one")


def _check_keys(frame: pd.DataFrame, numbers: list[int], name: str) -> None:
    first: dict[tuple[object, ...], int] = {}
    for number, key in zip(numbers, frame[list(KEY)].itertuples(index=False), strict=True):
        labels, implementation, seed = key
        if key in first:
            raise BadInput(
                f"{name}: row {number}, column seed: {labels} labels {implementation} seed {seed} "
                f"is in row {first[key]} already; delete one"
            )
        first[key] = number
