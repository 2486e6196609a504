"""table, report: all outputs again from what the runs left; trains nothing."""

from __future__ import annotations

from pathlib import Path

from harness.analysis import results
from harness.analysis.results import Results
from harness.commands.console.terminal import Terminal
from harness.errors import NoRuns
from harness.experiment import profile as profiles
from harness.experiment.profile import Profile
from harness.report import markdown, outputs
from harness.runs.execution.lock import only_one


def existing(folder: Path, name: str) -> tuple[Path, Profile]:
    """The results of profile `name` under `folder`, and the profile. Raises NoRuns, BadInput."""
    name, _ = profiles.resolve_auto(name)
    profile = profiles.load(name)
    require_runs(folder / name)
    return folder / name, profile


def require_runs(folder: Path, command: str = "make compare") -> None:
    """Raise NoRuns where `folder` holds none; `command` makes some."""
    if not (folder / "runs").is_dir():
        raise NoRuns(folder, command)


def rebuild(root: Path, name: str, terminal: Terminal) -> None:
    """Write tables, figures and page again, and show the table."""
    folder, profile = existing(root, name)
    with only_one(folder, terminal.say):
        write(folder, profile)
        show(folder, terminal)


def write(folder: Path, profile: Profile) -> Results:
    """Write all outputs of the runs in `folder`; returns what was read. Raises BadInput."""
    found = results.read(folder)
    outputs.write(folder, outputs.build(found, profile))
    return found


def show(folder: Path, terminal: Terminal) -> None:
    """The table on the terminal, and where the files are."""
    terminal.say()
    terminal.markdown((folder / outputs.MARKDOWN).read_text(encoding="utf-8"))
    for name in outputs.ALL_NAMES:
        if (folder / name).exists():
            terminal.say(f"  {folder / name}")


def show_under(root: Path, name: str, rule: str, terminal: Terminal) -> None:
    """Only show the table, under another selection rule."""
    folder, profile = existing(root, name)
    compared = outputs.compare(results.read(folder), profile, rule)
    terminal.markdown(markdown.render(compared))
