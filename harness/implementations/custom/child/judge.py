"""What another's network with the weights of its checkpoint says of images.

python -m harness.implementations.custom.child.judge judge.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.implementations.custom.child import shims
from harness.implementations.custom.child.entry import begin_at
from harness.implementations.custom.child.network import named, size

BATCH = 256


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    begin_at(asked["source"], asked.get("script"))
    for name in asked["stubs"]:
        shims.stub(name)
    for name in asked["shims"]:
        shims.SHIMS[name]()
    wanted = asked["network"]
    if wanted.get("sized"):
        size(wanted.get("sized_by") or wanted["build"], wanted["sized"])
    _, _, build = named(wanted["build"])
    network = build(**asked["arguments"])
    _load(network, _state(asked), asked)
    np.save(asked["out"], _say(network, np.load(asked["images"]), asked))


def _state(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The weights in the checkpoint, where the file says that they are."""
    state: Any = _checkpoint(asked["checkpoint"])
    for key in filter(None, asked["state"].split(".")):
        if not isinstance(state, dict) or key not in state:
            there = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
            sys.exit(f"judge.state: no {key!r} in {asked['checkpoint']}; it has {there}")
        state = state[key]
    prefix = asked["prefix"]
    return {k[len(prefix) :] if k.startswith(prefix) else k: v for k, v in state.items()}


def _checkpoint(path: str) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # an older torch, or objects beside weights: its own code wrote them just now
        pass
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except TypeError:
        return torch.load(path, map_location="cpu")


def _load(network: Any, state: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        said = " ".join(str(error).split())[:300]
        sys.exit(f"judge.state: {asked['state']} is not of {asked['network']['build']}: {said}")


def _say(network: Any, images: np.ndarray, asked: Mapping[str, Any]) -> np.ndarray:
    """Logits, (N, classes) float32, of images (N, 32, 32, 3) uint8."""
    import torch

    device = torch.device(asked["device"])
    network.to(device).eval()
    mean, std = (torch.tensor(asked[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    said = []
    with torch.no_grad():
        for begin in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[begin : begin + BATCH]).permute(0, 3, 1, 2).float()
            output = network(((batch / 255 - mean) / std).to(device))
            logits = output[asked["output"]] if asked["output"] else output
            said.append(logits.float().cpu().numpy())
    return np.concatenate(said)


if __name__ == "__main__":
    main()
