"""Are the outputs in a results folder what its `runs/` give, to the byte?"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from importlib import metadata
from itertools import zip_longest
from pathlib import Path

from harness.analysis import provenance, results
from harness.analysis import study as findings
from harness.analysis.diff import accepted
from harness.commands.results import claims as claims_command
from harness.commands.results import table
from harness.errors import BadInput, CheckFailed
from harness.experiment import claims as claims_definition
from harness.experiment import study as studies
from harness.experiment.claims import Claims
from harness.experiment.profile import Profile
from harness.experiment.study import Study
from harness.implementations.interface import REPOSITORY
from harness.report import outputs
from harness.report.study import outputs as study_outputs

BINARY = (".png",)
INPUTS = ("runs", accepted.FILE, provenance.FILE)
INPUT_PREFIXES = (".", "parity", "step-drift", "bench")  # made by their own commands
DRAWING = ("matplotlib", "numpy", "pandas", "pillow", "contourpy", "jinja2", "scipy")
CRLF = (
    "its lines end in CR LF and not in LF, as git's core.autocrlf or an editor leaves them; "
    "'git config core.autocrlf false', delete it, and 'git checkout' it again"
)
CONTEXT = 40  # characters shown on either side of the first difference in a line


def check(folder: Path, profile: Profile) -> list[str]:
    """Build all outputs again and say, one line each, where the files in `folder` differ.

    Nothing is written. Raises BadInput where there are no runs, or a run cannot be read.
    """
    table.require_runs(folder)
    return differences(folder, outputs.build(results.read(folder), profile))


def check_study(folder: Path, study: Study) -> list[str]:
    """As `check`, of a study."""
    again = f"make study NAME={study.name}"
    table.require_runs(folder, again)
    built = study_outputs.build(findings.read(folder, study))
    return differences(folder, built, f"'{again}' writes it")


def check_claims(root: Path, claims: Claims) -> list[str]:
    """As `check`, of the page of claims in `root`. Raises BadInput where there is none."""
    folder, remedy = studies.place(root, claims.name), f"'make study NAME={claims.name}' writes it"
    if not claims_command.is_there(root, claims):
        raise BadInput(f"{folder}: no page of these claims; {remedy}")
    return differences(folder, claims_command.build(root, claims), remedy)


def check_with_claims(root: Path, profile: Profile) -> list[str]:
    """As `check`, of the comparison of `profile` in `root` and of the claims measured from it."""
    found = check(root / profile.name, profile)
    for claims in claims_definition.of_profile(profile.name):
        if claims_command.is_there(root, claims):
            found += check_claims(root, claims)
    return found


def differences(
    folder: Path, built: Mapping[str, bytes], remedy: str = "'make table' writes it"
) -> list[str]:
    """Where the files in `folder` are not `built`, a line each, and those that are none of it."""
    found = [
        difference
        for name, content in built.items()
        if (difference := _difference(folder / name, content, remedy))
    ]
    known = set(built) | set(INPUTS)
    for path in sorted(folder.iterdir()):
        if path.name not in known and not path.name.startswith(INPUT_PREFIXES):
            found.append(f"{path}: nothing in runs/ gives it; move it away")
    return found


def require(found: list[str]) -> None:
    """Raise CheckFailed that names the first file and line that differ."""
    if found:
        raise CheckFailed(failure(found))


def failure(differences: list[str]) -> str:
    """The first difference, how many more there are, and whether libraries may be to blame."""
    more = f" (and {len(differences) - 1} more files)" if len(differences) > 1 else ""
    return differences[0] + more + library_note()


def library_note() -> str:
    """Bytes of figures, and digits of tables, may change with the libraries that write them."""
    others = []
    for line in (REPOSITORY / "requirements.lock").read_text(encoding="utf-8").splitlines():
        name, _, locked = line.partition("==")
        if name in DRAWING and (here := _version(name)) != locked:
            others.append(f"{name} {here} for {locked}")
    if not others:
        return ""
    return (
        f"; the libraries here are not those of requirements.lock ({', '.join(others)}), which can "
        "change the bytes of figures: 'make setup' installs them"
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _difference(path: Path, built: bytes, remedy: str) -> str:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return f"{path}: missing; {remedy}"
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    if found == built:
        return ""
    if found.replace(b"\r\n", b"\n") == built:
        return f"{path}: {CRLF}"
    if path.suffix in BINARY:
        return f"{path}: not the bytes that runs/ give"
    if path.name == outputs.SUMS and (difference := _altered(path, found, built, remedy)):
        return difference
    lines = zip_longest(_lines(found), _lines(built))
    number, (has, given) = next(
        (number, pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1]
    )
    return f"{path}:{number}: has {_excerpt(has, given)}, runs/ give {_excerpt(given, has)}"


def _altered(path: Path, found: bytes, built: bytes, remedy: str) -> str:
    """Which file of a run is not the one that the sums are of; '' if only their order is not."""
    listed, there = (dict(_sums(content)) for content in (found, built))
    for number, (name, digest) in enumerate(_sums(found), 1):
        file = path.parent / name
        since = f"since the outputs were written ({path}:{number})"
        if name not in there:
            unlisted = [n for n, known in there.items() if known == digest and n not in listed]
            if unlisted:
                return f"{path}:{number}: names '{name}', which is '{unlisted[0]}' in runs/"
            return f"{file}: {_what_became(path.parent, name, digest, listed)} {since}"
        if there[name] != digest:
            if _sha256(file.read_bytes().replace(b"\r\n", b"\n")) == digest:
                return f"{file}: {CRLF}"
            return f"{file}: altered {since}"
    for name in there:
        if name not in listed:
            return f"{path.parent / name}: not in {path}; {remedy}"
    return ""


def _what_became(folder: Path, name: str, digest: str, listed: Collection[str]) -> str:
    """Of a file in `folder` that no run reads any more, where one did."""
    file = folder / name
    if file.exists():
        return "there, but of no run that is read any more,"
    beside = sorted(file.parent.iterdir()) if file.parent.is_dir() else []
    for other in [*beside, *sorted((folder / "runs").rglob(file.name))]:
        now = other.relative_to(folder).as_posix()
        if now not in listed and other.is_file() and _sha256(other.read_bytes()) == digest:
            return f"renamed to '{now}'"
    return "gone"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sums(content: bytes) -> list[tuple[str, str]]:
    """(file, SHA-256) of each line, whatever it ends in."""
    parts = (line.rstrip("\r").partition("  ") for line in _lines(content) if line)
    return [(name, digest) for digest, _, name in parts]


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", errors="backslashreplace").split("\n")


def _excerpt(line: str | None, other: str | None) -> str:
    """The line around its first difference from the other; `nothing` past the end of a file."""
    if line is None:
        return "nothing"
    pairs = enumerate(zip_longest(line, other or ""))
    at = next((i for i, (a, b) in pairs if a != b), 0)
    begin, end = max(0, at - CONTEXT), at + CONTEXT
    return repr("..." * (begin > 0) + line[begin:end] + "..." * (end < len(line)))
