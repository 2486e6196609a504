"""A finished log that somebody hands over: its accuracies stand in the table, and prove nothing.

What it was trained on, from which weights and how is not known: no rung of the ladder is shown,
and it is held against nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import BadInput
from harness.experiment import settings_file
from harness.experiment.contender import Contender
from harness.experiment.profile import Profile
from harness.implementations.interface import Command, Implementation, Request
from harness.implementations.logs.described import read as described
from harness.implementations.logs.described.options import OWN_FORMATS, LogOptions
from harness.implementations.reported import Facts, Level, Point, Progress, Proof

KEPT = "imported.yaml"  # in each run's folder
RUNGS = (1, 2, 3)  # which a run of another code base can show
TOLD = "of an imported log nothing but its accuracies is known"


class ImportedLog(BaseModel):
    """The file kept with an imported run: whose it is, and how its log is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(alias="schema", default=1)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str
    files: tuple[str, ...] = Field(min_length=1)  # in the folder of its attempt
    log: LogOptions

    @property
    def text(self) -> str:
        """As it is kept."""
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return yaml.safe_dump({"schema": 1, **content}, sort_keys=False)


class Imported(Implementation):
    """Runs of it are imported, and never trained."""

    def __init__(self, about: ImportedLog) -> None:
        super().__init__(
            Contender(
                name=about.name,
                title=about.title,
                implementation=about.name,
                against="",
                note=TOLD,
                style=None,
            )
        )
        self.about = about

    def kept_files(self) -> Mapping[str, str]:
        return {KEPT: self.about.text}

    def unavailable(self) -> str | None:
        return "it was imported: its log is all that is here"

    def commit(self) -> str:
        return ""

    def source_sha256(self) -> str:
        return ""

    def weights_command(self, profile: Profile, seed: int, out: Path) -> Command:
        raise BadInput(f"{self.name}: {self.unavailable()}")

    def train_command(self, request: Request, folder: Path, resume: bool = False) -> Command:
        raise BadInput(f"{self.name}: {self.unavailable()}")

    def logs(self, folder: Path) -> list[Path]:
        return [folder / name for name in self.about.files]

    def log(self, folder: Path) -> Path:
        return folder / self.about.files[-1]

    def points(self, folder: Path, class_counts: Sequence[int]) -> list[Point]:
        return described.read(self.logs(folder), self.about.log, class_counts)

    def facts(self, folder: Path) -> Facts | None:
        proof = tuple(Proof(rung=rung, level=Level.NOT_SHOWN, text=TOLD) for rung in RUNGS)
        return Facts(
            data_sha256="", split_sha256="", initial_weights_sha256="", torch_version="",
            device="unknown", proof=proof,
        )  # fmt: skip

    def progress(self, folder: Path) -> Progress | None:
        return None


def read_kept(run_folder: Path) -> ImportedLog | None:
    """What is kept with an imported run; None where the run in `run_folder` is none."""
    path = run_folder / KEPT
    return settings_file.read(path, ImportedLog) if path.is_file() else None


def log_options(named: str) -> LogOptions:
    """How a log is read: one of the known formats by name, or as a YAML file says.

    The file has the keys of a reader, or a part `log` that has them. Raises BadInput.
    """
    if named in OWN_FORMATS:
        return LogOptions.model_validate({"reader": named})
    path = Path(named)
    if path.suffix not in (".yaml", ".yml"):
        raise BadInput(
            f"FORMAT {named}: unknown; use {', '.join(OWN_FORMATS)}, or a YAML file with the keys "
            "of a reader (see docs/your-own.md)"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        part = content.get("log", content)
        return LogOptions.model_validate({k: v for k, v in part.items() if k != "file"})
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"FORMAT {named}: cannot be read ({error}); name another file") from error
    except (yaml.YAMLError, AttributeError) as error:
        said = " ".join(str(error).split())
        raise BadInput(f"FORMAT {named}: no keys of a reader ({said}); correct it") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "log"
        message = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"FORMAT {named}: {key}: {message}; correct it") from error
