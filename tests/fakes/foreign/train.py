"""A training script as people write them, of another repository: it knows nothing of the harness.

`--mode` makes it go wrong: no-log, half-log, fraction, other-split, few-steps, nothing, crash,
spoils-data, other-keys, missing-module, other-lr, hang.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from pathlib import Path

import drawing
import network
import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, RandomSampler
from torchvision.datasets import CIFAR10

MEAN, STD = 0.5, 0.25


class Labelled(CIFAR10):
    """The images at `indices`, as tensors."""

    def __init__(self, root: str, train: bool, indices: np.ndarray | None = None) -> None:
        super().__init__(root, train=train, download=True)
        self.targets = np.asarray(self.targets)
        if indices is not None:
            self.data, self.targets = self.data[indices], self.targets[indices]

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = torch.from_numpy(self.data[index]).permute(2, 0, 1).float() / 255
        return (image - MEAN) / STD, int(self.targets[index])


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("labels", "seed", "steps", "eval-every", "batch", "mu"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("lr", "momentum", "decay"):
        parser.add_argument(f"--{name}", type=float, required=True)
    parser.add_argument("--data", default="data")
    parser.add_argument("--log", choices=("text", "csv", "tensorboard", "jsonl"), default="text")
    parser.add_argument("--mode", default="")
    parser.add_argument("--resume", action="store_true")
    a = parser.parse_args()
    once = os.environ.get("FOREIGN_ONCE")
    if once is not None and Path(once).exists():
        a.mode = ""
    elif once is not None:
        Path(once).touch()
    if a.mode == "missing-module":
        import a_module_that_nobody_has  # noqa: F401
    if a.mode == "nothing":
        return
    if a.mode == "other-lr":
        a.lr *= 2
    if a.mode == "few-steps":
        a.steps -= a.eval_every
    torch.manual_seed(a.seed)
    Path("out").mkdir(exist_ok=True)
    log = Log(a.log, a.mode)
    everything = Labelled(a.data, train=True)
    drawn = drawing.draw(everything.targets, a.labels, a.seed + (a.mode == "other-split"))
    labelled = Labelled(a.data, train=True, indices=drawn[::-1].copy())
    if a.mode == "spoils-data":
        batch = Path(a.data) / "cifar-10-batches-py" / "data_batch_1"
        batch.unlink()
        batch.write_bytes(b"spoilt")
    steps = a.batch * a.steps
    batches = iter(loader(labelled, a.batch, steps))
    unlabelled = iter(loader(everything, a.batch * a.mu, steps * a.mu))
    test = DataLoader(Labelled(a.data, train=False), batch_size=32)
    model = network.build()
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": a.decay},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=a.lr, momentum=a.momentum, nesterov=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: math.cos(7 * math.pi * step / (16 * a.steps))
    )
    begin = 0
    if a.resume:
        state = torch.load("out/last.pt", weights_only=True)
        model.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        begin = state["step"]
    for step in range(begin, a.steps):
        images, targets = next(batches)
        unknown, _ = next(unlabelled)
        model.train()
        logits = model(torch.cat([images, unknown]))["logits"]
        loss = functional.cross_entropy(logits[: len(images)], targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if (step + 1) % a.eval_every == 0:
            log.write(step + 1, evaluate(model, test), loss.item())
            save(model, optimizer, scheduler, step + 1, a.mode)
        if a.mode == "crash" and step > a.steps / 2:
            sys.exit("out of luck")
        if a.mode == "hang" and step > a.steps / 2:
            time.sleep(600)


def loader(dataset: Labelled, batch: int, images: int) -> DataLoader:
    sampler = RandomSampler(dataset, replacement=True, num_samples=images)
    return DataLoader(dataset, batch_size=batch, sampler=sampler)


def evaluate(model: network.Small, test: DataLoader) -> float:
    model.eval()
    right = 0
    with torch.no_grad():
        for images, targets in test:
            right += int((model(images)["logits"].argmax(1) == targets).sum())
    return 100 * right / len(test.dataset)


def save(model, optimizer, scheduler, step: int, mode: str) -> None:
    key = "something_else" if mode == "other-keys" else "weights"
    parts = {"optimizer": optimizer, "scheduler": scheduler}
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({key: model.state_dict(), "step": step, **state}, "out/last.pt")


class Log:
    """One of four forms."""

    def __init__(self, form: str, mode: str) -> None:
        self.form, self.mode = form, mode
        if form == "tensorboard":
            from torch.utils.tensorboard import SummaryWriter

            self.events = SummaryWriter("out")

    def write(self, step: int, top1: float, loss: float) -> None:
        if self.mode == "no-log":
            return
        if self.mode == "fraction":
            top1 /= 100
        if self.form == "tensorboard":
            self.events.add_scalar("acc", top1, step)
            self.events.add_scalar("loss", loss, step)
            self.events.flush()
        elif self.form == "csv":
            path = Path("out/log.csv")
            anew = not path.exists()
            with path.open("a", newline="") as file:
                rows = [["step", "acc", "loss"]] * anew + [[step, top1, loss]]
                csv.writer(file).writerows(rows)
        elif self.form == "jsonl":
            with Path("out/log.jsonl").open("a") as file:
                file.write(f'{{"step": {step}, "test": {{"acc": {top1}}}, "loss": {loss}}}\n')
        else:
            said = "accuracy" if self.mode == "half-log" else f"step {step}: accuracy {top1:.2f}"
            with Path("out/log.txt").open("a") as file:
                file.write(f"[INFO] {said}, loss {loss:.4f}\n")


if __name__ == "__main__":
    main()
