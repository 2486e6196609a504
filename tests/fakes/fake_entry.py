"""The child of the stand-in: writes a log like ours, in the way that FAKE_MODE says.

ok; crash (exit 7 half way); killed (SIGKILL half way); short (stops early, exit 0); garbage (an
evaluation that cannot be read); wrong-data, wrong-split, wrong-weights (used others than asked
for); no-weights (fails before it trains); slow (half a second an evaluation); silent (exit 0, no
log).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np


def write(kind: str, **content: object) -> None:
    with Path("metrics.jsonl").open("a") as log:
        log.write(json.dumps({"kind": kind, "schema": 1, **content}) + "\n")


def train(after: list[int], data_sha256: str, iterations: int, mode: str) -> None:
    if mode == "silent":
        return
    split = np.load("labelled.npy").astype("<i8")
    sums = {
        "data_sha256": data_sha256,
        "split_sha256": hashlib.sha256(split.tobytes()).hexdigest(),
        "initial_weights_sha256": hashlib.sha256(
            Path("initial.safetensors").read_bytes()
        ).hexdigest(),
    }
    if mode.startswith("wrong-"):
        key = {"data": "data_sha256", "split": "split_sha256"}.get(
            mode[6:], "initial_weights_sha256"
        )
        sums[key] = "0" * 64
    write("start", torch_version="none", device="cpu", **sums)
    for n in after:
        if n > iterations / 2:
            if mode == "crash":
                print("something went wrong, says the child")
                sys.exit(7)
            if mode == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if mode == "short":
                return
            if mode == "garbage":
                write("evaluation", iteration=n)
        if mode == "slow":
            time.sleep(0.5)
        losses = {"loss": 1.0, "loss_x": 0.5, "loss_u": 0.5, "mask": 0.25, "eval_loss": 1.0}
        top1 = 100 * n / (n + iterations)
        write("evaluation", iteration=n, top1=top1, top5=99.0, seconds=float(n), **losses)
        state = {"iteration": n, "iterations": iterations, "seconds": n / 10, "mask": 0.25}
        Path("progress.json").write_text(json.dumps(state))
    write("end", iteration=iterations, seconds=1.0)


if __name__ == "__main__":
    if os.environ.get("FAKE_MODE") == "no-weights":
        sys.exit("out of luck")
    if sys.argv[1] == "weights":
        Path(sys.argv[2]).write_bytes(b"weights")
    else:
        evaluations = [int(n) for n in sys.argv[2].split(",")]
        train(evaluations, sys.argv[3], int(sys.argv[4]), os.environ.get("FAKE_MODE", "ok"))
