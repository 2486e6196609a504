"""A foreign implementation for tests: a folder outside this repository, and the file in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CODE = Path(__file__).parents[1] / "fakes" / "foreign"
ARGUMENTS = (
    "--labels {labels} --seed {seed} --steps {iterations} --eval-every {eval_every} "
    "--batch {batch_size} --mu {mu} --lr {lr} --momentum {momentum} --decay {weight_decay}"
)
LOGS: dict[str, dict[str, Any]] = {
    "text": {
        "reader": "text",
        "file": "out/log.txt",
        "pattern": r"step (?P<iteration>\d+): accuracy (?P<top1>[\d.]+), loss (?P<loss>[\d.]+)",
    },
    "csv": {
        "reader": "csv",
        "file": "out/log.csv",
        "points": {"iteration": "step", "top1": "acc", "loss": "loss"},
    },
    "tensorboard": {
        "reader": "tensorboard",
        "file": "out/events.out.tfevents.*",
        "points": {"top1": "acc", "loss": "loss"},
    },
    "jsonl": {
        "reader": "jsonl",
        "file": "out/log.jsonl",
        "points": {"iteration": "step", "top1": "test.acc", "loss": "loss"},
    },
}
JUDGE = {
    "checkpoint": "out/last.pt",
    "state": "weights",
    "output": "logits",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
}
RESUME = {"arguments": "--resume", "checkpoint": "out/last.pt", "key": "step"}


def described(form: str = "text", mode: str = "", **changes: Any) -> dict[str, Any]:
    """The content of its file; `changes` are by key, a full stop leads into a part."""
    words = f"{ARGUMENTS} --log {form}" + (f" --mode {mode}" if mode else "")
    content: dict[str, Any] = {
        "schema": 1,
        "name": "mine",
        "title": "Mine",
        "run": {"script": "train.py", "arguments": words},
        "log": dict(LOGS[form]),
        "network": {"build": "network:build"},
        "judge": dict(JUDGE),
        "settings": {"threshold": "{threshold}"},
        "differs": {"labelled_order": "from the last class to the first"},
    }
    for key, value in changes.items():
        *parts, last = key.split("__")
        inner = content
        for part in parts:
            inner = inner[part]
        if value is None:
            inner.pop(last)
        else:
            inner[last] = value
    return content


def write(folder: Path, content: Mapping[str, Any]) -> Path:
    """Its repository in `folder`, with the file; the path of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in CODE.glob("*.py"):
        shutil.copyfile(path, folder / path.name)
    file = folder / "compare.yaml"
    file.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    return file
