"""The child of the stand-in: writes a log like ours, in the way that FAKE_MODE says.

ok; crash (exit 7 half way); killed (SIGKILL half way); short (stops early, exit 0); garbage (an
evaluation that cannot be read); wrong-data, wrong-split, wrong-weights (used others than asked
for); no-weights (fails before it trains); slow (half a second an evaluation); silent (exit 0, no
log); hang (writes nothing more half way); deaf (so, and SIGTERM does not end it); flood (prints
without end until it is stopped); nan (a loss that is not finite); says (prints FAKE_SAYS and exits
1 half way).

Any mode after `steady-` evaluates every FAKE_PAUSE seconds (0.02) and leaves a checkpoint after
each evaluation, from which it goes on; the others leave none. A mode is taken only while the file
FAKE_ONCE, if given, does not exist; the child makes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

CHECKPOINT = Path("checkpoint.pt")
PAUSE = float(os.environ.get("FAKE_PAUSE", "0.02"))


def write(kind: str, **content: object) -> None:
    with Path("metrics.jsonl").open("a") as log:
        log.write(json.dumps({"kind": kind, "schema": 1, **content}) + "\n")


def start(data_sha256: str, mode: str) -> None:
    split = Path("labelled.npy").read_bytes()[128:]  # behind NumPy's header: int64, little-endian
    sums = {
        "data_sha256": data_sha256,
        "split_sha256": hashlib.sha256(split).hexdigest(),
        "initial_weights_sha256": hashlib.sha256(
            Path("initial.safetensors").read_bytes()
        ).hexdigest(),
    }
    if mode.startswith("wrong-"):
        key = {"data": "data_sha256", "split": "split_sha256"}.get(
            mode[6:], "initial_weights_sha256"
        )
        sums[key] = "0" * 64
    settings = json.loads(os.environ.get("FAKE_SETTINGS", "{}"))
    device = os.environ.get("FAKE_DEVICE", "cpu")
    write("start", torch_version="none", device=device, settings=settings, **sums)


def misbehave(mode: str, iteration: int) -> None:
    """What the mode does in the second half of the run."""
    if mode == "crash":
        print("something went wrong, says the child")
        sys.exit(7)
    if mode == "says":
        sys.exit(os.environ["FAKE_SAYS"])
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "garbage":
        write("evaluation", iteration=iteration)
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode in ("hang", "deaf"):
        time.sleep(600)
    while mode == "flood":
        print("nothing new " * 1000)


def train(after: list[int], data_sha256: str, iterations: int, mode: str, resume: bool) -> None:
    if mode == "silent":
        return
    steady = mode.startswith("steady")
    mode = mode.removeprefix("steady").removeprefix("-")
    if resume:
        reached = int(CHECKPOINT.read_text())
        write("resume", iteration=reached)
        after = [n for n in after if n > reached]
    else:
        start(data_sha256, mode)
    for n in after:
        if n > iterations / 2:
            if mode == "short":
                return
            misbehave(mode, n)
        time.sleep(0.5 if mode == "slow" else PAUSE if steady else 0)
        losses = {"loss": 1.0, "loss_x": 0.5, "loss_u": 0.5, "mask": 0.25, "eval_loss": 1.0}
        if mode == "nan" and n > iterations / 2:
            losses["loss"] = float("nan")
        top1 = 100 * n / (n + iterations)
        write("evaluation", iteration=n, top1=top1, top5=99.0, seconds=float(n), **losses)
        state = {"iteration": n, "iterations": iterations, "seconds": n / 10, "mask": 0.25}
        replace(Path("progress.json"), json.dumps(state))
        if steady:
            replace(CHECKPOINT, str(n))
    if mode == "nan":
        time.sleep(600)
    write("end", iteration=iterations, seconds=1.0)


def replace(path: Path, content: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(content)
    temporary.replace(path)


def chosen_mode() -> str:
    once = os.environ.get("FAKE_ONCE")
    if once is None:
        return os.environ.get("FAKE_MODE", "ok")
    try:
        Path(once).touch(exist_ok=False)
    except FileExistsError:
        return "steady"
    return os.environ.get("FAKE_MODE", "ok")


if __name__ == "__main__":
    if os.environ.get("FAKE_MODE") == "no-weights":
        sys.exit("out of luck")
    if sys.argv[1] == "weights":
        Path(sys.argv[2]).write_bytes(b"weights")
    elif sys.argv[1] == "declare":
        start(sys.argv[3], os.environ.get("FAKE_MODE", "ok"))
    else:
        evaluations = [int(n) for n in sys.argv[2].split(",")]
        resumed = sys.argv[5] == "1"
        train(evaluations, sys.argv[3], int(sys.argv[4]), chosen_mode(), resumed)
