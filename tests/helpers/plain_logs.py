"""Whole, valid logs of each format, line by line, for tests of what is done to them."""

from __future__ import annotations

from pathlib import Path

from harness.implementations.logs import READERS

LOGS = Path(__file__).parents[1] / "logs"
Read = tuple[tuple[int, float, float | None], ...]  # (iteration, top1, top5) of each evaluation


def torchssl() -> list[str]:
    return (LOGS / "torchssl-60-run0.txt").read_text().splitlines()


def torchssl_resumed() -> list[str]:
    """Killed after its third evaluation, and gone on with from before that."""
    lines = torchssl()
    at = [n for n, line in enumerate(lines) if "iteration, USE_EMA" in line]
    again = [line.replace(" 05:", " 06:").replace("0.106,", "0.2,") for line in lines]
    return [*lines[: at[2] + 1], *again[:5], *again[at[1] + 1 :]]


def torchssl_without_matrices() -> list[str]:
    """But for the last one, as older versions log."""
    return (LOGS / "torchssl-20000.txt").read_text().splitlines()


def own() -> list[str]:
    return (LOGS / "own-30.jsonl").read_text().splitlines()


def own_resumed() -> list[str]:
    start, first, second, third, end = own()
    resume = '{"kind": "resume", "schema": 1, "iteration": 15}'
    again = second.replace('"top1": 12.4', '"top1": 22.2')
    return [start, first, second, third, resume, again, third.replace("13.4", "33.4"), end]


def progress() -> list[str]:
    """Bars of three epochs, each time drawn on a line of its own."""
    train, test, _ = (LOGS / "progress-report-2024.txt").read_text().splitlines()
    lines = []
    for epoch, accuracy in enumerate(("11.25", "43.10", "58.75"), 1):
        training = train.replace("Epoch: 1/", f"Epoch: {epoch}/")
        lines += [training.replace("224/ 224.", "100/ 224."), training]
        lines += [test.replace("313/ 313.", "9/ 313."), test.replace("11.25", accuracy)]
    return lines


def progress_own() -> list[str]:
    """What ours prints where there is no terminal."""
    lines = []
    for iteration, accuracy in ((10, "13.20"), (20, "12.40"), (30, "13.40")):
        lines += [
            f"Train Epoch: 1/1. Iter: {iteration}/224. LR: 0.0280. Data: 0.050s. Batch: 0.682s. "
            "Loss: 2.4013. Loss_x: 2.4013. Loss_u: 0.0000. Mask: 0.10.",
            f"Test Iter: {iteration}/30. Loss: 3.0832. top1: {accuracy}. top5: 49.20.",
        ]
    return lines


# By name; its first word is the format.
PLAIN = {
    "torchssl": torchssl(),
    "torchssl resumed": torchssl_resumed(),
    "torchssl without matrices": torchssl_without_matrices(),
    "own": own(),
    "own resumed": own_resumed(),
    "progress": progress(),
    "progress own": progress_own(),
}


def read(name: str, path: Path, text: str | bytes) -> Read:
    """What the reader of that format finds in `text`, written to `path`."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    points = READERS[name.split()[0]](path)
    return tuple((point.iteration, point.top1, point.top5) for point in points)


def joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
