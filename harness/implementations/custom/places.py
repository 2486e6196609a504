"""Where on a machine a described implementation ran: its process is told, and a copy is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.implementations.custom import evidence, starting

ASKED = "asked.json"
OUT, SOURCE = "/run", "/source"  # in place of the folders of a machine


def forget(run_folder: Path) -> None:
    """In the copy of a run: no folder of the machine that it was made on is in what was asked."""
    for path in run_folder.glob(f"attempt-*/{ASKED}"):
        told = evidence.read_json(path)
        names = told.get("names")
        if names is None:  # cut short: nothing reads it
            continue
        known = {names.get("out"): OUT, names.get("source"): SOURCE}
        places = {str(place): known[place] for place in filter(None, known)}
        path.write_text(starting.as_json(_replaced(told, places)), encoding="utf-8")


def _replaced(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(one, places) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, places) for one in value]
    if isinstance(value, str):
        for place in sorted(places, key=len, reverse=True):
            value = value.replace(place, places[place])
    return value
