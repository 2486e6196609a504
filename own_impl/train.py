"""The training loop: batch, step, evaluation, checkpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from own_impl import checkpoint, machine
from own_impl.algorithms.choice import algorithm
from own_impl.algorithms.parts import Losses
from own_impl.config import Config
from own_impl.data import Data, DataError, load, weights_sha256
from own_impl.evaluate import Evaluation, Evaluator, network_to_evaluate
from own_impl.metrics import Metrics
from own_impl.network.initial_weights import draw
from own_impl.network.wideresnet import WideResNet
from own_impl.resolved import resolved
from own_impl.step import Model
from own_impl.views.batches import Batches


def train(config: Config) -> Evaluation:
    """Train as the settings say; returns the last evaluation.

    Raises DataError, CheckpointError, CompileError, NonFiniteLoss.
    """
    data = load(config)
    device = machine.prepare(config)
    trained = algorithm(config)
    model = Model(make_network(config, data).to(device), config)
    metrics, seconds = open_run(config, data, model, device)
    if odd := machine.notice(config, device):
        metrics.say(odd)
    evaluator = Evaluator(data.test_images, data.test_labels, device)
    batches = Batches(data, config, device, trained.draw, trained.make)
    began = time.monotonic() - seconds
    pace = _Pace(model.iteration)

    result = None
    while model.iteration < config.total_iterations:
        with pace.data():
            batch = batches[model.iteration]
        lr = model.learning_rate
        losses = model.update(model.losses(batch))
        done = model.iteration
        evaluates = config.evaluates_after(done)
        checkpoints = done % config.checkpoint_every == 0 or done == config.total_iterations
        # Down to here nothing waits for the device; what follows does.
        if evaluates or checkpoints or metrics.due():
            model.finite.check()
            values = _values(losses) | {"lr": lr} | pace.since_last(done)
            metrics.progress(done, values, time.monotonic() - began)
        if evaluates:
            result = _evaluate(model, data, evaluator)
            metrics.evaluation(done, values, result)
            metrics.write(
                "evaluation",
                iteration=done,
                top1=result.top1,
                top5=result.top5,
                eval_loss=result.loss,
                seconds=time.monotonic() - began,
                **values,
                **model.guesses.take(),
            )
        if checkpoints:
            checkpoint.save(config.out / "checkpoint.pt", model, time.monotonic() - began)
        if evaluates or checkpoints:
            pace.restart(done)

    if result is None:  # resumed after the last iteration
        result = _evaluate(model, data, evaluator)
    with network_to_evaluate(model, data) as network:
        checkpoint.export_final(config.out / "final-ema.safetensors", network)
    metrics.write("end", iteration=model.iteration, seconds=time.monotonic() - began)
    return result


class _Pace:
    """Seconds a step since the last line, and those of them that went into its batch."""

    def __init__(self, iteration: int) -> None:
        self.restart(iteration)

    def restart(self, iteration: int) -> None:
        self._iteration, self._began, self._data = iteration, time.monotonic(), 0.0

    @contextmanager
    def data(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._data += time.monotonic() - began

    def since_last(self, iteration: int) -> dict[str, float]:
        """Called when the device has done all that it was asked."""
        steps = iteration - self._iteration
        seconds = (time.monotonic() - self._began) / steps
        values = {"data_time": self._data / steps, "batch_time": seconds}
        self.restart(iteration)
        return values


def make_network(config: Config, data: Data) -> WideResNet:
    """The network with the given initial weights, or those that the seed draws."""
    network = draw(config.depth, config.widen_factor, data.classes, config.seed)
    if config.initial_weights is not None:
        try:
            network.load_state_dict(load_file(config.initial_weights))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise DataError(
                f"--initial-weights {config.initial_weights}: not readable weights of "
                f"WRN-{config.depth}-{config.widen_factor} ({type(error).__name__})"
            ) from error
    return network


def open_run(
    config: Config, data: Data, model: Model, device: torch.device
) -> tuple[Metrics, float]:
    """Start or resume: the metrics file, and the seconds trained so far."""
    metrics = Metrics(config)
    if config.resume:
        seconds = checkpoint.load(config.out / "checkpoint.pt", model)
        metrics.write(
            "resume",
            iteration=model.iteration,
            settings=config.model_dump(mode="json"),
            data_sha256=data.sha256(),
            split_sha256=data.split_sha256(),
        )
        return metrics, seconds
    if metrics.path.exists():
        raise DataError(f"--out {config.out}: holds a run; add --resume or name another folder")
    try:
        config.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"--out {config.out}: cannot be made ({error.strerror})") from error
    metrics.write(
        "start",
        settings=config.model_dump(mode="json") | {"iterations": config.total_iterations},
        resolved=resolved(config, data, model),
        data_sha256=data.sha256(),
        split_sha256=data.split_sha256(),
        initial_weights_sha256=weights_sha256(model.network.state_dict()),
        parameters=sum(p.numel() for p in model.network.parameters()),
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        torch_version=str(torch.__version__),
        threads=torch.get_num_threads(),
        processor=machine.processor(),
    )
    # So that a run stopped at any moment can go on.
    checkpoint.save(config.out / "checkpoint.pt", model, 0.0)
    return metrics, 0.0


def _values(losses: Losses) -> dict[str, float]:
    measured = (losses.total, losses.labelled, losses.unlabelled, losses.mask)
    names = ("loss", "loss_x", "loss_u", "mask")
    return dict(zip(names, torch.stack(measured).tolist(), strict=True))


def _evaluate(model: Model, data: Data, evaluator: Evaluator) -> Evaluation:
    with network_to_evaluate(model, data) as network:
        return evaluator.evaluate(network, model.config.eval_batch_size)
