"""Answers the ladder's questions with TorchSSL's own code; see `harness.parity.question`.

What is asked of FixMatch alone is answered here too; of MixMatch alone, in `mixmatch_parity`.

Nothing of TorchSSL is replaced but its sources of chance (scripted, where a view's parameters are
given) and its data loaders (fixed batches). What it computes is recorded on the way.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import nn

from harness.implementations.torchssl.child.entry import (
    export_final_weights,
    network_builder,
    run_cuda_calls_on_the_cpu,
)

TITLES = {  # the question's operations by TorchSSL's names
    "autocontrast": "AutoContrast", "brightness": "Brightness", "color": "Color",
    "contrast": "Contrast", "equalize": "Equalize", "identity": "Identity",
    "posterize": "Posterize", "rotate": "Rotate", "sharpness": "Sharpness", "shear_x": "ShearX",
    "shear_y": "ShearY", "solarize": "Solarize", "translate_x": "TranslateX",
    "translate_y": "TranslateY",
}  # fmt: skip


@dataclass(frozen=True)
class Loop:
    """An algorithm's model, ready to train: its module, and what is particular of its loop.

    `second` are the views of an unlabelled image beside `weak`, by their name in step.npz;
    `arguments` those of its arguments that not all loops read. In `chance(batches, recorder)` it
    is trained: its sources of chance then give what step.npz says.
    """

    module: Any
    model: Any
    second: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    chance: Callable[[Any, Any], AbstractContextManager[Any]] = lambda *_: nullcontext()


Question = dict[str, Any]
# (question, builder of its network) -> loop; (question, its folder, folder of the answers).
MakeLoop = Callable[[Question, Any], Loop]
AnswerViews = Callable[[Question, Path, Path], None]


def main() -> None:
    """Of FixMatch."""
    answer(_fixmatch, _answer_views)


def answer(make: MakeLoop, answer_views: AnswerViews) -> None:
    """All answers to the question that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchssl", type=Path, required=True, help="a checkout of TorchSSL")
    parser.add_argument("verb", choices=["answer"])
    parser.add_argument("--folder", type=Path, required=True, help="with the question")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # TorchSSL's deprecated names
    sys.path.insert(0, str(arguments.torchssl))
    run_cuda_calls_on_the_cpu()
    folder, out = arguments.folder, Path()
    question = json.loads((folder / "question.json").read_text(encoding="utf-8"))
    _answer_network(question, folder, out)
    for precision in question["precisions"]:
        _answer_step(question, folder, out, precision, make)
    export_final_weights(out / "latest_model.pth", out / "judged.safetensors")
    answer_views(question, folder, out)


def _network(question: dict[str, Any], folder: Path, precision: str) -> Any:
    from safetensors.torch import load_file

    build = network_builder(question["depth"], question["widen_factor"])
    weights = load_file(folder / "weights.safetensors")

    def builder(num_classes: int) -> nn.Module:
        model: nn.Module = build(num_classes=num_classes)
        model.load_state_dict(weights)
        return model.to(getattr(torch, precision))

    return builder


@torch.no_grad()
def _answer_network(question: dict[str, Any], folder: Path, out: Path) -> None:
    images = torch.from_numpy(np.load(folder / "network.npz")["images"])
    logits = {}
    for precision in question["precisions"]:
        for mode in question["modes"]:
            model = _network(question, folder, precision)(question["classes"])
            model.train(mode == "train")
            logits[f"{precision}-{mode}"] = model(images.to(getattr(torch, precision))).numpy()
    np.savez(out / "network.npz", **logits)
    shapes = {name: list(p.shape) for name, p in model.named_parameters()}
    (out / "parameters.json").write_text(json.dumps(shapes), encoding="utf-8")


def _fixmatch(question: Question, builder: Any) -> Loop:
    from models.fixmatch import fixmatch  # type: ignore[import-not-found]

    model = fixmatch.FixMatch(
        builder, question["classes"], question["ema_decay"], 0.5,
        question["threshold"], question["lambda_u"], hard_label=True, num_eval_iter=10**9,
        logger=mock.Mock(),
    )  # fmt: skip
    return Loop(fixmatch, model, "strong", {"hard_label": True})


def _answer_step(
    question: Question, folder: Path, out: Path, precision: str, make: MakeLoop
) -> None:
    """The fixed batches through the loop's `train` itself, recorded after every step."""
    from train_utils import (  # type: ignore[import-not-found]
        get_cosine_schedule_with_warmup,
        get_optimizer,
    )

    dtype = getattr(torch, precision)
    torch.set_default_dtype(dtype)
    batches = {name: torch.from_numpy(a) for name, a in np.load(folder / "step.npz").items()}
    loop = make(question, _network(question, folder, precision))
    model = loop.model
    for name in ("labelled", "weak", loop.second):
        batches[name] = batches[name].to(dtype)
    rate, momentum, decay = question["lr"], question["momentum"], question["weight_decay"]
    optimizer = get_optimizer(model.model, "SGD", rate, momentum, decay)
    steps = question["steps"]
    schedule = get_cosine_schedule_with_warmup(optimizer, steps, num_warmup_steps=0)
    model.set_optimizer(optimizer, schedule)
    recorder = _Recorder(model, out / f"step-{precision}")

    def labelled() -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        for k in range(steps):
            yield batches["targets"][k], batches["labelled"][k], batches["targets"][k]
            recorder.record()  # the loop asks for the next batch, so step k is done

    unlabelled = list(zip(batches["targets"], batches["weak"], batches[loop.second], strict=True))
    evaluation = _evaluation_batch(folder, dtype)
    loaders = {"train_lb": labelled(), "train_ulb": unlabelled, "eval": evaluation}
    model.set_data_loader(loaders)
    if hasattr(model, "set_dset"):
        model.set_dset(range(len(unlabelled)))
    args = argparse.Namespace(
        resume=False, amp=False, gpu=0, num_classes=question["classes"], num_train_iter=steps,
        clip=0, save_dir=str(out), save_name=".", rank=0, multiprocessing_distributed=False,
        **loop.arguments,
    )  # fmt: skip
    with recorder.listening(loop.module), loop.chance(batches, recorder):
        result = model.train(args)
    model.save_model("latest_model.pth", str(out))
    account = {
        "right": round(result["eval/top-1-acc"] * len(evaluation[0][1])),
        "loss": float(result["eval/loss"]),
    }
    (out / "judge.json").write_text(json.dumps(account), encoding="utf-8")
    torch.set_default_dtype(torch.float32)


def _evaluation_batch(folder: Path, dtype: torch.dtype) -> list[Any]:
    """One batch of test images, through the transform of TorchSSL's evaluation."""
    from datasets.ssl_dataset import get_transform, mean, std  # type: ignore[import-not-found]

    judged = np.load(folder / "judge.npz")
    transform = get_transform(mean["cifar10"], std["cifar10"], 32, False)
    images = [transform(Image.fromarray(image)) for image in judged["images"]]
    targets = torch.from_numpy(judged["targets"])
    return [(targets, torch.stack(images).to(dtype), targets)]


class _Recorder:
    """Writes what TorchSSL's loop computed, a file after each step."""

    def __init__(self, model: Any, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.step = 0
        self.losses: dict[str, float] = {}
        folder.mkdir()

    @contextmanager
    def listening(self, module: Any) -> Iterator[None]:
        """Hear what the loss functions return, as the loop of `module` calls them."""
        labelled, unlabelled = module.ce_loss, module.consistency_loss

        def ce_loss(*args: Any, **kwargs: Any) -> Any:
            loss = labelled(*args, **kwargs)
            self.losses["loss_x"] = loss.mean().item()  # MixMatch's loop takes the mean itself
            return loss

        def consistency_loss(*args: Any, **kwargs: Any) -> Any:
            found = unlabelled(*args, **kwargs)
            if isinstance(found, tuple):
                self.losses |= {"loss_u": found[0].item(), "mask": found[1].item()}
            else:
                self.losses["loss_u"] = found.item()
            return found

        with mock.patch.multiple(module, ce_loss=ce_loss, consistency_loss=consistency_loss):
            yield

    def record(self) -> None:
        network, optimizer = self.model.model, self.model.optimizer
        tensors: dict[str, Any] = {f"scalar/{name}": v for name, v in self.losses.items()}
        tensors["scalar/lr"] = optimizer.param_groups[0]["lr"]
        for name, parameter in network.named_parameters():
            tensors[f"weight/{name}"] = parameter.detach().numpy()
            if (momentum := optimizer.state[parameter].get("momentum_buffer")) is not None:
                tensors[f"momentum/{name}"] = momentum.numpy()
        for name, average in self.model.ema.shadow.items():
            tensors[f"ema/{name}"] = average.numpy()
        for name, buffer in network.named_buffers():
            tensors[f"statistic/{name}"] = buffer.numpy()
        np.savez(self.folder / f"{self.step}.npz", **tensors)
        self.step += 1


class _HasTransforms(Protocol):
    transforms: list[Any]


def transforms_of(algorithm: str) -> tuple[Any, _HasTransforms]:
    """TorchSSL's own weak and strong transform, from the data set class that it trains with."""
    from datasets.dataset import BasicDataset  # type: ignore[import-not-found]
    from datasets.ssl_dataset import get_transform, mean, std

    weak = get_transform(mean["cifar10"], std["cifar10"], 32, True)
    blank = np.zeros((1, 32, 32, 3), np.uint8)
    dataset = BasicDataset(algorithm, blank, None, 10, weak, is_ulb=True)
    return dataset.transform, dataset.strong_transform


def _answer_views(question: dict[str, Any], folder: Path, out: Path) -> None:
    from datasets.augmentation import randaugment  # type: ignore[import-not-found]

    views: dict[str, Any] = dict(np.load(folder / "views.npz"))
    names = [TITLES[name] for name in question["operations"]]
    operations = [getattr(randaugment, name) for name in names]
    few = [Image.fromarray(image) for image in views["images"][: question["operation_images"]]]
    results = [
        [[np.asarray(operation(image, v)) for v in magnitudes] for image in few]
        for operation, magnitudes in zip(operations, views["magnitude"].tolist(), strict=True)
    ]
    weak_transform, strong_transform = transforms_of("fixmatch")
    listed = {entry[0].__name__: entry for entry in randaugment.augment_list()}
    made: dict[str, list[Any]] = {"weak": [], "strong": []}
    for v, pixels in enumerate(views["images"]):
        image = Image.fromarray(pixels)
        script = {name: views[name][v] for name in ("fraction", "side", "centre", "flip")}
        script |= {"chosen": [listed[names[n]] for n in views["chosen"][v]]}
        script |= {"corner": (int(views["top"][v]), int(views["left"][v]))}
        with scripted(**script):
            made["strong"].append(strong_transform(image).numpy())  # type: ignore[operator]
        with scripted(**script):
            made["weak"].append(weak_transform(image).numpy())
    made["operations"] = results
    views = {name: np.array(arrays) for name, arrays in made.items()}
    np.savez(out / "views.npz", **views)
    np.savez(out / "draws.npz", **_draw(question, strong_transform, [listed[n] for n in names]))


@contextmanager
def scripted(
    chosen: Any, fraction: Any, side: Any, centre: Any, flip: Any, corner: tuple[int, int]
) -> Iterator[None]:
    """TorchSSL's sources of chance give these values, in the order in which it asks."""
    from torchvision import transforms

    randoms = iter([*fraction.tolist(), float(side) / 0.5])
    uniforms = iter(centre.tolist())
    with ExitStack() as stack:
        for target, name, value in (
            (random, "choices", lambda *_, **__: chosen),
            (random, "random", lambda: next(randoms)),
            (np.random, "uniform", lambda *_: next(uniforms)),
            (torch, "rand", lambda *_, **__: torch.tensor([0.0 if flip else 0.9])),
            (transforms.RandomCrop, "get_params", lambda *_: (*corner, 32, 32)),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        yield


def _draw(question: dict[str, Any], transform: Any, listed: list[Any]) -> dict[str, Any]:
    """Parameters of views that TorchSSL's transform draws by itself, heard as it draws them."""
    from torchvision import transforms

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(question["seed"])
    heard: dict[str, list[Any]] = {"chosen": [], "randoms": [], "centre": [], "flip": []}
    heard |= {"corner": []}
    choices, uniform, rand = random.choices, np.random.uniform, torch.rand
    draw, crop = random.random, transforms.RandomCrop
    corner = crop.get_params

    def hear(key: str, value: Any) -> Any:
        heard[key].append(value)
        return value

    image = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    with ExitStack() as stack:
        for target, name, value in (
            (random, "choices", lambda *a, **k: hear("chosen", choices(*a, **k))),
            (random, "random", lambda: hear("randoms", draw())),
            (np.random, "uniform", lambda *a: hear("centre", uniform(*a))),
            (torch, "rand", lambda *a, **k: hear("flip", rand(*a, **k))),
            (crop, "get_params", staticmethod(lambda *a: hear("corner", corner(*a)))),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        for _ in range(question["draws"]):
            transform(image)
    n = question["draws"]
    randoms = np.array(heard["randoms"]).reshape(n, -1)
    corners = np.array(heard["corner"])
    names = [entry[0].__name__ for entry in listed]
    return {
        "chosen": np.array([[names.index(e[0].__name__) for e in row] for row in heard["chosen"]]),
        "fraction": randoms[:, :-1],
        "side": 0.5 * randoms[:, -1],
        "centre": np.array(heard["centre"]).reshape(n, 2),
        "flip": np.array([value.item() < 0.5 for value in heard["flip"]]),
        "top": corners[:, 0],
        "left": corners[:, 1],
    }


if __name__ == "__main__":
    main()
