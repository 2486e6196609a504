"""Every setting of a run: declared once, checked, frozen, and saved with the run's metrics."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

DESCRIPTION = """FixMatch and MixMatch: semi-supervised image classification, by themselves.

example: python -m own_impl --num-labeled 4000 --epochs 500
example: python -m own_impl --dataset mnist5k --num-labeled 250 --depth 10 --widen-factor 1 \\
             --batch-size 10 --mu 4 --iterations 400 --eval-every 100 --ema-decay 0.99
example: python -m own_impl --algorithm mixmatch --dataset mnist5k --num-labeled 250 --depth 10 \\
             --widen-factor 1 --batch-size 8 --mu 1 --iterations 3000 --lambda-u 25

Writes into --out: metrics.jsonl (one line an evaluation), checkpoint.pt, final-ema.safetensors.
"""

# Settings that one algorithm has and the others have not.
SETTINGS_OF = {
    "fixmatch": ("threshold", "strong", "interleave"),
    "mixmatch": ("temperature", "alpha", "ramp_up", "mixup"),
}
LAMBDA_U = {"fixmatch": 1.0, "mixmatch": 100.0}


class Config(BaseModel):
    """The settings; the defaults are those of the 2024 report (500 epochs of 224 iterations)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Data
    dataset: Literal["cifar10", "mnist5k"] = Field("cifar10", description="data set by name")
    data_dir: Path | None = Field(
        None, description="a folder that holds cifar-10-batches-py, instead of --dataset"
    )
    num_labeled: int = Field(4000, gt=0, description="labelled images, the same number per class")
    labelled_indices: Path | None = Field(
        None, description=".npy file of labelled indices; drawn from --seed when not given"
    )
    labelled_in_pool: bool = Field(
        True, description="the labelled images are among the unlabelled ones, as in TorchSSL"
    )
    # Schedule
    epochs: int = Field(500, gt=0, description="epochs of --iterations-per-epoch")
    iterations_per_epoch: int = Field(224, gt=0, description="iterations that count as an epoch")
    iterations: int | None = Field(None, gt=0, description="iterations in all, instead of --epochs")
    warmup: int = Field(0, ge=0, description="iterations of linear learning-rate warm-up")
    # What every algorithm has
    algorithm: Literal["fixmatch", "mixmatch"] = Field(
        "fixmatch", description="what is trained; a setting of the other one is refused"
    )
    batch_size: int = Field(32, gt=0, description="labelled images in a batch (B)")
    mu: int = Field(7, gt=0, description="unlabelled images per labelled one")
    lambda_u: float = Field(
        LAMBDA_U["fixmatch"],
        ge=0,
        description=f"weight of the unlabelled loss; {LAMBDA_U['mixmatch']:g} for mixmatch, if not "
        "given",
    )
    # FixMatch (section 2.2 and table 4 of the paper)
    threshold: float = Field(0.95, ge=0, le=1, description="confidence of a pseudo-label (tau)")
    strong: Literal["torchssl", "paper"] = Field(
        "torchssl",
        description="strong view: torchssl (3 operations, any magnitude) or paper (n=2, m=10)",
    )
    interleave: bool = Field(
        False, description="mix the three batches, for when a batch is split over devices"
    )
    # MixMatch (section 3 of its paper)
    temperature: float = Field(0.5, gt=0, description="sharpening of guessed labels (T)")
    alpha: float = Field(0.5, gt=0, description="MixUp's coefficient is of Beta(alpha, alpha)")
    ramp_up: float = Field(
        0.4,
        ge=0,
        le=1,
        description="share of the iterations over which the weight of the unlabelled loss rises "
        "from 0",
    )
    mixup: Literal["batch", "paper"] = Field(
        "batch",
        description="MixUp's coefficient: one a batch (TorchSSL) or one an example (the paper)",
    )
    # Optimiser
    lr: float = Field(0.03, gt=0, description="learning rate at the start")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD momentum")
    nesterov: bool = Field(True, description="Nesterov momentum")
    weight_decay: float = Field(
        5e-4, ge=0, description="weight decay; none on biases and batch norm"
    )
    use_ema: bool = Field(True, description="evaluate the moving average of the weights")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="decay of the moving average")
    precise_bn: bool = Field(
        False,
        description="evaluate with batch-norm statistics of just these weights, from a pass over "
        "all training images, instead of the averages that training left",
    )
    # Network
    depth: int = Field(28, description="depth of the Wide ResNet, 6n + 4")
    widen_factor: int = Field(2, gt=0, description="width of the Wide ResNet")
    initial_weights: Path | None = Field(
        None, description=".safetensors file; drawn from --seed when not given"
    )
    # The machine
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA where it is")
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="arithmetic: fp32 (in full), tf32 (CUDA only) or bf16 (autocast)"
    )
    compile: bool = Field(
        False, description="torch.compile the network: a minute at first, faster steps after"
    )
    threads: int | None = Field(
        None,
        gt=0,
        description="threads of an operation on the CPU, whose sums go with their number; as many "
        "as torch takes when not given",
    )
    deterministic: bool = Field(
        False, description="equal seeds give equal runs on equal machines, at some cost on CUDA"
    )
    # The run
    seed: int = Field(
        0, ge=0, lt=2**32, description="seed of split, initial weights, batches and views"
    )
    out: Path = Field(Path("runs/own"), description="folder for metrics and checkpoints")
    resume: bool = Field(False, description="go on from the checkpoint in --out")
    eval_every: int | None = Field(
        None, gt=0, description="iterations between evaluations (an epoch when not given)"
    )
    eval_at: tuple[int, ...] | None = Field(
        None,
        description="iterations after which to evaluate, as 1,101,201, instead of --eval-every",
    )
    eval_batch_size: int = Field(512, gt=0, description="images in an evaluation batch")
    checkpoint_every: int = Field(500, gt=0, description="iterations between checkpoints")

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: dict[str, Any]) -> dict[str, Any]:
        at = values.get("eval_at")
        return values | {"eval_at": at.split(",")} if isinstance(at, str) else values

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        weight = LAMBDA_U.get(str(values.get("algorithm")))
        return values if weight is None else {"lambda_u": weight} | values

    @model_validator(mode="after")
    def _check_algorithm(self) -> Config:
        for name in sorted(self._of_others() & self.model_fields_set):
            option = f"--{name.replace('_', '-')} {getattr(self, name)}"
            raise ValueError(f"{option}: {self.algorithm} has no such setting; leave it out")
        return self

    @model_validator(mode="after")
    def _check(self) -> Config:
        if (self.depth - 4) % 6 != 0 or self.depth < 10:
            raise ValueError(f"--depth {self.depth}: not 6n + 4; use 10, 16, 22 or 28")
        if self.nesterov and self.momentum == 0:
            raise ValueError("--momentum 0: Nesterov needs momentum; add --no-nesterov")
        if self.warmup >= self.total_iterations:
            raise ValueError(
                f"--warmup {self.warmup}: does not end before iteration {self.total_iterations}"
            )
        return self

    @model_serializer(mode="wrap")
    def _leave_out_others(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is saved with a run is what it has."""
        settings: dict[str, Any] = serialise(self)
        return {name: v for name, v in settings.items() if name not in self._of_others()}

    def _of_others(self) -> set[str]:
        """The settings that are of other algorithms only."""
        return {n for other, ns in SETTINGS_OF.items() if other != self.algorithm for n in ns}

    @property
    def total_iterations(self) -> int:
        return self.iterations or self.epochs * self.iterations_per_epoch

    def evaluates_after(self, iteration: int) -> bool:
        """Whether the model is evaluated after `iteration` updates; always after the last."""
        if iteration == self.total_iterations:
            return True
        if self.eval_at is not None:
            return iteration in self.eval_at
        return iteration % (self.eval_every or self.iterations_per_epoch) == 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"own_impl: {message}; see --help\n")


def parse(arguments: Sequence[str] | None = None) -> Config:
    """The settings from the command line; wrong ones end the program with one line and exit 2."""
    parser = _Parser(
        prog="python -m own_impl",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, field in Config.model_fields.items():
        option = "--" + name.replace("_", "-")
        text = f"{field.description} (default: {field.default})"
        for algorithm, names in SETTINGS_OF.items():
            text = f"{algorithm}: {text}" if name in names else text
        if field.annotation is bool:
            parser.add_argument(
                option, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
            )
        else:
            parser.add_argument(option, default=argparse.SUPPRESS, help=text, metavar="X")
    given = vars(parser.parse_args(arguments))
    try:
        return Config(**given)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-") + ": " if first["loc"] else ""
        message = first["msg"].removeprefix("Value error, ")
        parser.exit(2, f"own_impl: {option}{message}; see --help\n")
