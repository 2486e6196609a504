"""The YAML file that describes your implementation: read, checked, and frozen."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.errors import BadInput
from harness.experiment.contender import Contender
from harness.implementations.custom import placeholders
from harness.implementations.custom.child.shims import SHIMS
from harness.implementations.logs.described.options import LogOptions, Patterns, Reader

KEPT = "compare.yaml"  # in each run's folder: the file that it was trained by
BUDGET = ("labels", "iterations", "batch_size", "mu")  # without which nothing is compared
Number = int | str  # a whole number, or a placeholder of one


class Part(BaseModel):
    """A part of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourcePart(Part):
    """Where your code is: `path` from the file's folder; <NAME>_DIR in the environment wins."""

    path: str = "."
    commit: str = ""


class ResumePart(Part):
    """How it goes on from its checkpoint, and what it loses by it.

    `arguments` come behind those of the run, and `files` are put over its. `key` is what of the
    checkpoint counts (epochs or iterations): times `times`, the updates made.
    """

    arguments: str = ""
    files: Mapping[str, dict[str, Any]] = {}
    checkpoint: str
    key: str
    times: Number = 1
    loses: tuple[str, ...] = ()


class RunPart(Part):
    """How it is started, in a folder of its own; one of script, module and command."""

    script: str = ""
    module: str = ""
    command: tuple[str, ...] = ()
    arguments: str = ""
    environment: Mapping[str, str] = {}
    files: Mapping[str, str | dict[str, Any]] = {}  # written into that folder
    places: Mapping[str, Literal["data", "labelled", "weights"]] = {"data": "data"}
    shims: tuple[str, ...] = ()
    stubs: tuple[str, ...] = ()
    resume: ResumePart | None = None

    @field_validator("shims")
    @classmethod
    def _check_shims(cls, shims: tuple[str, ...]) -> tuple[str, ...]:
        for shim in shims:
            if shim not in SHIMS:
                raise ValueError(f"{shim}: unknown; use {', '.join(SHIMS)}")
        return shims

    @model_validator(mode="after")
    def _check_one_way(self) -> RunPart:
        if sum(map(bool, (self.script, self.module, self.command))) != 1:
            raise ValueError("name one of script, module and command")
        if "data" not in self.places.values():
            raise ValueError("places: none of data; say where it reads the data, as {data: data}")
        for place in (*self.places, *self.files):
            if Path(place).is_absolute() or ".." in Path(place).parts:
                raise ValueError(f"{place}: leaves the run's folder; give a path in it")
        return self


class CountingPart(Part):
    """See `logs.described.options.Counting`."""

    times: Number = 1
    plus: Number = 0


class LogPart(Part):
    """What it logs: see `logs.described.options.LogOptions`.

    `file` may be a pattern, as events.out.*
    """

    reader: Reader
    file: str
    pattern: Patterns = ()
    points: Mapping[str, str] = {}
    start: str = ""
    iteration: CountingPart = CountingPart()
    scale: Mapping[str, float] = {}

    def options(self, names: Mapping[str, Any]) -> LogOptions:
        """With the placeholders' values."""
        content = self.model_dump(exclude={"file", "iteration"})
        counting = placeholders.render(self.iteration.model_dump(), names, "log.iteration")
        return LogOptions.model_validate({**content, "iteration": counting})


class InitialPart(Part):
    """How the initial weights that are handed out become its own: names, and what has no place."""

    rename: Mapping[str, str] = {}
    drop: tuple[str, ...] = ()


class NetworkPart(Part):
    """Who builds the network, and what of it the code fixes that a profile wants otherwise."""

    build: str = Field(pattern=r"^[\w.]+:\w+$")
    sized: Mapping[str, Number] = {}
    sized_by: str = Field("", pattern=r"^([\w.]+:\w+)?$")
    initial: InitialPart | None = None


class SplitPart(Part):
    """The function of its code, `module:function`, that draws its labelled set.

    What that returns, indices or a tuple that begins with them, is replaced by those handed out.
    """

    inject: str = Field(pattern=r"^[\w.]+:\w+$")


class JudgePart(Part):
    """How its last checkpoint is judged: where the weights are, and what the network takes."""

    checkpoint: str
    state: str
    prefix: str = ""
    arguments: Mapping[str, Any] = {}
    output: str = ""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Spec(Part):
    """The whole file."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    source: SourcePart = SourcePart()
    python: str = ""
    run: RunPart
    log: LogPart
    network: NetworkPart | None = None
    judge: JudgePart | None = None
    split: SplitPart | None = None
    settings: Mapping[str, Any] = {}  # declared: what nothing in its process shows
    differs: Mapping[str, Any] = {}  # in what it departs on purpose
    notes: tuple[str, ...] = ()
    style: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Spec:
        if self.split is not None and self.run.command:
            raise ValueError(
                "split: run.command has nobody in its process; name a script or module"
            )
        if self.judge is not None and self.network is None:
            raise ValueError("network: missing, and judge needs its build")
        for field in BUDGET:
            if field in self.differs:
                raise ValueError(f"differs.{field}: the budget is the same for all")
        return self

    @property
    def contender(self) -> Contender:
        """The row of the table."""
        return Contender(
            name=self.name,
            title=self.title,
            implementation=self.name,
            note=" ".join(self.notes),
            style=self.style,
        )

    @property
    def trains(self) -> dict[str, Any]:
        """What of the file decides how it trains: not how it is read, judged or called."""
        content = self.model_dump(mode="json", include={"python", "run", "network", "settings"})
        if self.split is not None:
            content["split"] = self.split.model_dump()
        return {**content, "commit": self.source.commit}


@dataclass(frozen=True)
class Described:
    """A file, its text, and where it lies; None: it is kept with a run, and its source is not here.

    Equal texts are the same description.
    """

    spec: Spec
    text: str
    path: Path | None = None

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(path: Path) -> Described:
    """Your file at `path`. Raises BadInput with file, key and remedy."""
    described = _read(path)
    _check_placeholders(described.spec, path)
    return described


def read_kept(run_folder: Path) -> Described | None:
    """The file that the run in `run_folder` was trained by; None where it has none."""
    path = run_folder / KEPT
    if not path.is_file():
        return None
    described = _read(path)
    return Described(described.spec, described.text)


def _read(path: Path) -> Described:
    try:
        text = path.read_text(encoding="utf-8")
        spec = Spec.model_validate(yaml.safe_load(text))
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); name a file that describes your "
            "implementation ('make new-spec' writes one to begin with)"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 ({error.reason}); save it as that") from error
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise BadInput(f"{path}: not YAML ({said}); correct the file") from error
    except ValidationError as error:
        raise BadInput(f"{path}: {_problem(error)}") from error
    return Described(spec, text, path.resolve())


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "(the file)"
    if first["type"] == "extra_forbidden":
        model: Any = Spec
        for part in first["loc"][:-1]:
            model = _model_of(model, str(part)) or model
        known = [field.alias or name for name, field in model.model_fields.items()]
        return f"{key}: unknown; use {', '.join(known)}"
    if first["type"] == "missing":
        return f"{key}: missing; add it"
    said = re.sub("^Value error, ", "", first["msg"])
    return f"{key}: {said}; correct the file"


def _model_of(model: Any, part: str) -> Any:
    """The part of the file that the key `part` of `model` is; None where it is none."""
    field = model.model_fields.get(part)
    kinds = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Part)), None)


def _check_placeholders(spec: Spec, path: Path) -> None:
    """Raise BadInput for a placeholder that there is not, with its key."""
    names = placeholders.examples()
    run = spec.run
    try:
        _check_quotations(run)
        for key in ("script", "module", "command", "arguments", "environment", "files"):
            placeholders.render(getattr(run, key), names, f"run.{key}")
        if run.resume is not None:
            placeholders.render(run.resume.model_dump(), names, "run.resume")
        if spec.network is not None:
            placeholders.render(dict(spec.network.sized), names, "network.sized")
        if spec.judge is not None:
            placeholders.render(spec.judge.model_dump(), names, "judge")
        placeholders.render(dict(spec.settings), names, "settings")
        placeholders.render(spec.log.file, names, "log.file")
        spec.log.options(names)
    except ValidationError as error:
        raise BadInput(f"{path}: log.{_problem(error).removeprefix('(the file): ')}") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _check_quotations(run: RunPart) -> None:
    """Raise BadInput for arguments whose words cannot be told apart."""
    texts = {"run.arguments": run.arguments}
    if run.resume is not None:
        texts["run.resume.arguments"] = run.resume.arguments
    for key, text in texts.items():
        try:
            shlex.split(text)
        except ValueError as error:
            raise BadInput(
                f"{key}: {error}; write it in quotation marks of the other kind"
            ) from error
