"""Whether a checkpoint is whole, and how far it is."""

from __future__ import annotations

import zipfile
from pathlib import Path

from harness.errors import BadInput


def iteration(path: Path, key: str) -> int | None:
    """The updates made before the checkpoint at `path`; None where there is no such file.

    `key` names them in what torch saved. Raises BadInput for a file that is damaged anywhere.
    """
    import torch

    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise ValueError(f"{broken} has another sum")
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return int(state[key])
    except Exception as error:  # whatever a damaged file raises
        raise BadInput(f"{path.name} is damaged ({type(error).__name__}: {error})") from error
