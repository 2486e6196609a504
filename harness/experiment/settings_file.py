"""A YAML file as a checked, frozen model: unknown keys and wrong values name file and key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import BadInput

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs"
Model = TypeVar("Model", bound=BaseModel)


def read(path: Path, model: type[Model]) -> Model:
    """Read `path` as `model`. Raises BadInput with file, key and what is wrong."""
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML ({str(error).splitlines()[0]})") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(the file)"
        raise BadInput(f"{path}: {key}: {first['msg']}; correct the file") from error


def read_json(path: Path, model: type[Model], remedy: str) -> Model | None:
    """Read `path` as `model`; None where there is no such file. Raises BadInput with `remedy`."""
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(the file)"
        raise BadInput(f"{path}: {key}: {first['msg']}; {remedy}") from error
