"""Runs another's training script unchanged, with a witness and the shims that were asked for.

    python -m harness.implementations.custom.child.entry asked.json

In the interpreter that its owner names: Python 3.8, torch 1.12 and NumPy 1.21 or later. The file
says what is to be run and how; see `implementation`.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.implementations.custom.child import network, shims, split
from harness.implementations.custom.child.clock import Clock
from harness.implementations.custom.child.network import HandedOut
from harness.implementations.custom.child.witness import Witness


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    begin_at(asked["source"], asked.get("script"))
    for name in asked["stubs"]:
        shims.stub(name)
    for name in asked["shims"]:
        shims.SHIMS[name]()
    handed = prepare_network(asked)
    watching: Clock | Witness = Clock(asked) if asked["is_timed"] else Witness(asked, handed)
    watching.install()
    sys.argv = [asked["script"] or asked["module"], *asked["words"]]
    if asked["inject"]:
        split.inject(asked["inject"], np.load(asked["labelled"]))
    try:
        if asked["script"]:
            runpy.run_path(asked["script"], run_name="__main__")
        else:
            runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
    finally:
        watching.end()


def begin_at(source: str, script: str | None) -> None:
    """Modules are sought where they would be without the harness: its folder is on no path."""
    here = str(Path(__file__).resolve().parents[4])
    sys.path[:] = [place for place in sys.path if place not in ("", str(Path.cwd()), here)]
    sys.path.insert(0, str(Path(script).parent) if script else source)
    rest = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place != here]
    os.environ["PYTHONPATH"] = os.pathsep.join(rest)


def prepare_network(asked: Mapping[str, Any]) -> HandedOut | None:
    """Give the network its size and its initial weights, where the file says how."""
    wanted = asked.get("network") or {}
    if wanted.get("sized"):
        network.size(wanted.get("sized_by") or wanted["build"], wanted["sized"])
    if wanted.get("initial") is None or asked["first"]:
        return None
    weights = network.read_weights(asked["weights"])
    return network.hand_out(wanted["build"], weights, wanted["initial"])


if __name__ == "__main__":
    main()
