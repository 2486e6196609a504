"""python -m own_impl.answers.parity: what own_impl computes, asked of the code that trains.

`declare` opens a run as training would (its settings, sums, initial weights in `metrics.jsonl`)
and adds the first indices that it would draw (`streams.npz`). `answer` reads a folder of inputs
(question.json, weights.safetensors, network.npz, step.npz, views.npz) and writes what
this implementation makes of them into the working directory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from own_impl import machine
from own_impl.algorithms import fixmatch
from own_impl.config import Config, parse
from own_impl.data import load
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Model
from own_impl.train import make_network, open_run
from own_impl.views.operations import NAMES, OPERATIONS
from own_impl.views.views import (
    POLICIES,
    StrongDraw,
    WeakDraw,
    apply,
    draw_strong,
    normalise,
    strong_views,
    weak_views,
)


def main() -> None:
    """`declare` and a run's options, or `answer` and the folder of the question."""
    verb, *rest = sys.argv[1:]
    if verb == "declare":
        declare(parse(rest))
    else:
        answer(Path(rest[0]), Path())


def declare(config: Config, draws: int = 20_000) -> None:
    """Open a run as training does, and write the first indices that it would draw."""
    data = load(config)
    device = machine.prepare(config)
    model = Model(make_network(config, data).to(device), config)
    open_run(config, data, model, device)
    n = -(-draws // config.batch_size)
    drawn = [fixmatch.draw(data, config, k) for k in range(n)]
    labelled = np.concatenate([one.labelled for one in drawn])[:draws]
    unlabelled = np.concatenate([one.unlabelled for one in drawn])[:draws]
    position = np.empty(len(data.train_labels), np.int64)  # among the labelled images
    position[data.labelled] = np.arange(len(data.labelled))
    np.savez(config.out / "streams.npz", labelled=position[labelled], unlabelled=unlabelled)


def answer(folder: Path, out: Path) -> None:
    """All answers to the question in `folder`, into `out`."""
    question = json.loads((folder / "question.json").read_text(encoding="utf-8"))
    machine.prepare(Config.model_validate({"device": question["device"], "precision": "fp32"}))
    answer_network(question, folder, out)
    for precision in question["precisions"]:
        answer_step(question, folder, out, precision)
    answer_views(question, folder, out)


def network(question: dict[str, Any], folder: Path, dtype: torch.dtype) -> WideResNet:
    """The asked network with the given weights."""
    made = WideResNet(question["depth"], question["widen_factor"], question["classes"])
    made.load_state_dict(load_file(folder / "weights.safetensors"))
    return made.to(question["device"], dtype)


@torch.no_grad()
def answer_network(question: dict[str, Any], folder: Path, out: Path) -> None:
    """network.npz: logits (N, classes) in each mode; parameters.json: name -> shape."""
    images = torch.from_numpy(np.load(folder / "network.npz")["images"])
    made = WideResNet(question["depth"], question["widen_factor"], question["classes"])
    shapes = {name: list(p.shape) for name, p in made.named_parameters()}
    (out / "parameters.json").write_text(json.dumps(shapes), encoding="utf-8")
    logits = {}
    for precision in question["precisions"]:
        dtype = getattr(torch, precision)
        for mode in question["modes"]:
            model = network(question, folder, dtype).train(mode == "train")
            inputs = images.to(question["device"], dtype)
            logits[f"{precision}-{mode}"] = model(inputs).cpu().numpy()
    np.savez(out / "network.npz", **logits)


def answer_step(question: dict[str, Any], folder: Path, out: Path, precision: str) -> None:
    """step-<precision>/<k>.npz: losses, learning rate and every tensor after each step."""
    dtype = getattr(torch, precision)
    batches = {
        name: torch.from_numpy(array).to(question["device"])
        for name, array in np.load(folder / "step.npz").items()
    }
    names = ("lr", "momentum", "weight_decay", "ema_decay", "threshold", "lambda_u", "mu")
    settings = {name: question[name] for name in (*names, "batch_size", "depth", "widen_factor")}
    config = Config(**settings, iterations=question["steps"])
    model = Model(network(question, folder, dtype), config)
    (out / f"step-{precision}").mkdir()
    for k in range(question["steps"]):
        batch = fixmatch.Batch(
            labelled=batches["labelled"][k].to(dtype),
            targets=batches["targets"][k],
            weak=batches["weak"][k].to(dtype),
            strong=batches["strong"][k].to(dtype),
        )
        losses = model.update(fixmatch.losses(model.forward, batch, config, k))
        scalars = {"loss_x": losses.labelled, "loss_u": losses.unlabelled, "mask": losses.mask}
        tensors: dict[str, Any] = {
            f"scalar/{name}": value.item() for name, value in scalars.items()
        }
        tensors |= {"scalar/lr": model.learning_rate, **_state(model)}
        np.savez(out / f"step-{precision}" / f"{k}.npz", **tensors)


def _state(model: Model) -> dict[str, Any]:
    tensors = {}
    for name, parameter in model.network.named_parameters():
        tensors[f"weight/{name}"] = parameter.detach().cpu().numpy()
        if (momentum := model.optimizer.state[parameter].get("momentum_buffer")) is not None:
            tensors[f"momentum/{name}"] = momentum.cpu().numpy()
    for name, average in model.ema.average.items():
        tensors[f"ema/{name}"] = average.cpu().numpy()
    for name, buffer in model.network.named_buffers():
        tensors[f"statistic/{name}"] = buffer.cpu().numpy()
    return tensors


def answer_views(question: dict[str, Any], folder: Path, out: Path) -> None:
    """views.npz: operations and whole views of given parameters; draws.npz: parameters drawn."""
    asked = dict(np.load(folder / "views.npz"))
    images = torch.from_numpy(np.ascontiguousarray(asked["images"].transpose(0, 3, 1, 2)))
    images = images.to(question["device"])
    few = images[: question["operation_images"]]
    n_magnitudes = asked["magnitude"].shape[1]
    repeated = few.repeat_interleave(n_magnitudes, dim=0)
    operations = [
        apply(name, repeated, np.tile(magnitudes, len(few)))
        .view(len(few), n_magnitudes, *few.shape[1:])
        .permute(0, 1, 3, 4, 2)
        .cpu()
        .numpy()
        for name, magnitudes in zip(question["operations"], asked["magnitude"], strict=True)
    ]
    order = np.array([NAMES.index(name) for name in question["operations"]])
    low, high = (np.array([getattr(o, end) for o in OPERATIONS], float) for end in ("low", "high"))
    chosen = order[asked["chosen"]]
    weak = WeakDraw(asked["flip"], asked["top"], asked["left"])
    strong = StrongDraw(
        operations=chosen,
        magnitudes=low[chosen] + (high - low)[chosen] * asked["fraction"],
        centre=asked["centre"],
        side=asked["side"] * images.shape[-1],
        weak=weak,
    )
    np.savez(
        out / "views.npz",
        operations=np.array(operations),
        weak=normalise(weak_views(images, weak)).cpu().numpy(),
        strong=normalise(strong_views(images, strong)).cpu().numpy(),
    )
    drawn = draw_strong(
        question["draws"],
        (images.shape[2], images.shape[3]),
        POLICIES["torchssl"],
        np.random.default_rng(question["seed"]),
    )
    span = (high - low)[drawn.operations]
    np.savez(
        out / "draws.npz",
        chosen=np.argsort(order)[drawn.operations],
        fraction=(drawn.magnitudes - low[drawn.operations]) / span,
        side=drawn.side / images.shape[-1],
        centre=drawn.centre,
        flip=drawn.weak.flip,
        top=drawn.weak.top,
        left=drawn.weak.left,
    )


if __name__ == "__main__":
    main()
