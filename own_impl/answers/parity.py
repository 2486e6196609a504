"""python -m own_impl.answers.parity: what own_impl computes, asked of the code that trains.

`declare` opens a run as training would (its settings, sums, initial weights in `metrics.jsonl`)
and adds the first indices that it would draw (`streams.npz`). `answer` reads a folder of inputs
(question.json, weights.safetensors, network.npz, step.npz, views.npz) and writes what
this implementation makes of them into the working directory.

The question is of FixMatch unless question.json names another `algorithm`. MixMatch is asked with
`temperature`, `alpha` and `ramp_up` in place of `threshold`, and (where not the default) `mixup`;
in step.npz with `weak_2` (K, mu B, ...), `lambda` (K,), or (K, B + 2 mu B), and `permutation`
(K, B + 2 mu B) in place of `strong`. Its steps have no mask; for its draws.npz see `draws`.
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
from own_impl.algorithms import fixmatch, mixmatch
from own_impl.algorithms.choice import algorithm
from own_impl.answers.draws import of_fixmatch, of_mixmatch
from own_impl.config import SETTINGS_OF, Config, parse
from own_impl.data import load
from own_impl.network.wideresnet import WideResNet
from own_impl.step import Model
from own_impl.train import make_network, open_run
from own_impl.views.operations import NAMES, OPERATIONS, Integers
from own_impl.views.views import (
    StrongDraw,
    WeakDraw,
    apply,
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
    drawn = [algorithm(config).draw(data, config, k) for k in range(n)]
    labelled = np.concatenate([one.labelled for one in drawn])[:draws]
    unlabelled = np.concatenate([one.unlabelled for one in drawn])[:draws]
    position = np.empty(len(data.train_labels), np.int64)  # among the labelled images
    position[data.labelled] = np.arange(len(data.labelled))
    np.savez(config.out / "streams.npz", labelled=position[labelled], unlabelled=unlabelled)


def answer(folder: Path, out: Path) -> None:
    """All answers to the question in `folder`, into `out`."""
    question = json.loads((folder / "question.json").read_text(encoding="utf-8"))
    machine.prepare(
        Config.model_validate({"device": question.get("device", "cpu"), "precision": "fp32"})
    )
    answer_network(question, folder, out)
    for precision in question["precisions"]:
        answer_step(question, folder, out, precision)
    answer_views(question, folder, out)


def network(question: dict[str, Any], folder: Path, dtype: torch.dtype) -> WideResNet:
    """The asked network with the given weights."""
    made = WideResNet(question["depth"], question["widen_factor"], question["classes"])
    made.load_state_dict(load_file(folder / "weights.safetensors"))
    return made.to(question.get("device", "cpu"), dtype)


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
            inputs = images.to(question.get("device", "cpu"), dtype)
            logits[f"{precision}-{mode}"] = model(inputs).cpu().numpy()
    np.savez(out / "network.npz", **logits)


def answer_step(question: dict[str, Any], folder: Path, out: Path, precision: str) -> None:
    """step-<precision>/<k>.npz: losses, learning rate and every tensor after each step."""
    dtype = getattr(torch, precision)
    arrays = {
        name: torch.from_numpy(array).to(question.get("device", "cpu"))
        for name, array in np.load(folder / "step.npz").items()
    }
    config = settings(question)
    model = Model(network(question, folder, dtype), config)
    (out / f"step-{precision}").mkdir()
    for k in range(question["steps"]):
        batch = _batch(config, {name: array[k] for name, array in arrays.items()}, dtype)
        losses = model.update(model.losses(batch))
        scalars = {"loss_x": losses.labelled, "loss_u": losses.unlabelled}
        if config.algorithm == "fixmatch":
            scalars["mask"] = losses.mask
        tensors: dict[str, Any] = {
            f"scalar/{name}": value.item() for name, value in scalars.items()
        }
        tensors |= {"scalar/lr": model.learning_rate, **_state(model)}
        np.savez(out / f"step-{precision}" / f"{k}.npz", **tensors)


def settings(question: dict[str, Any]) -> Config:
    """The settings of the asked step; those that the question does not name have no part in it."""
    name = question.get("algorithm", "fixmatch")
    names = {"lr", "momentum", "weight_decay", "ema_decay", "lambda_u", "mu", "batch_size", "seed"}
    names |= {"depth", "widen_factor", *SETTINGS_OF[name]} & set(question)
    return Config(
        algorithm=name, iterations=question["steps"], **{name: question[name] for name in names}
    )


def _batch(config: Config, given: dict[str, torch.Tensor], dtype: torch.dtype) -> Any:
    """The algorithm's batch of the given arrays; what is true of its images was not asked."""
    labelled, weak = given["labelled"].to(dtype), given["weak"].to(dtype)
    truth = torch.full((len(weak),), -1, device=weak.device)
    if config.algorithm == "fixmatch":
        strong = given["strong"].to(dtype)
        return fixmatch.Batch(labelled, given["targets"], weak, strong, truth)
    partners = given["permutation"]
    return mixmatch.Batch(
        labelled=labelled,
        targets=given["targets"],
        weak=weak,
        weak_2=given["weak_2"].to(dtype),
        lambdas=given["lambda"].expand(len(partners)),
        partners=partners,
        truth=truth,
    )


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
    images = images.to(question.get("device", "cpu"))
    weak = WeakDraw(asked["flip"], asked["top"], asked["left"])
    views: dict[str, Any] = {"weak": normalise(weak_views(images, weak)).cpu().numpy()}
    config = settings(question)
    if config.algorithm == "mixmatch":  # which has no strong views
        drawn = of_mixmatch(question["draws"], config)
    else:
        order = np.array([NAMES.index(name) for name in question["operations"]])
        views |= _strong(question, asked, images, order, weak)
        size = (images.shape[2], images.shape[3])
        drawn = of_fixmatch(question["draws"], size, order, question["seed"])
    np.savez(out / "views.npz", **views)
    np.savez(out / "draws.npz", **drawn)


def _strong(
    question: dict[str, Any],
    asked: dict[str, Any],
    images: torch.Tensor,
    order: Integers,
    weak: WeakDraw,
) -> dict[str, Any]:
    """Each operation at each magnitude, and whole strong views that end with the weak one's crop.

    `order` are the question's operations as our own list numbers them.
    """
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
    low, high = (np.array([getattr(o, end) for o in OPERATIONS], float) for end in ("low", "high"))
    chosen = order[asked["chosen"]]
    strong = StrongDraw(
        operations=chosen,
        magnitudes=low[chosen] + (high - low)[chosen] * asked["fraction"],
        centre=asked["centre"],
        side=asked["side"] * images.shape[-1],
        weak=weak,
    )
    return {
        "operations": np.array(operations),
        "strong": normalise(strong_views(images, strong)).cpu().numpy(),
    }


if __name__ == "__main__":
    main()
