from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from own_impl.config import Config, parse

REPOSITORY = Path(__file__).parents[2]


def test_the_defaults_are_those_of_the_2024_report() -> None:
    config = parse([])
    assert config == Config()
    assert (config.epochs, config.iterations_per_epoch) == (500, 224)
    assert config.total_iterations == 112_000
    assert (config.batch_size, config.mu, config.lambda_u) == (32, 7, 1.0)
    assert (config.lr, config.momentum, config.nesterov) == (0.03, 0.9, True)
    assert (config.weight_decay, config.threshold) == (5e-4, 0.95)
    assert (config.use_ema, config.ema_decay, config.warmup) == (True, 0.999, 0)
    assert (config.depth, config.widen_factor) == (28, 2)
    assert (config.dataset, config.num_labeled, config.strong) == ("cifar10", 4000, "torchssl")
    assert (config.precision, config.interleave) == ("fp32", False)


def test_every_kind_of_option_is_read() -> None:
    config = parse(
        ["--num-labeled", "250", "--no-use-ema", "--interleave", "--lr", "0.1", "--out", "a b"]
    )
    assert config.num_labeled == 250
    assert config.use_ema is False
    assert config.interleave is True
    assert config.lr == 0.1
    assert str(config.out) == "a b"


def test_iterations_replace_epochs() -> None:
    assert parse(["--iterations", "7", "--epochs", "3"]).total_iterations == 7
    assert parse(["--epochs", "3", "--iterations-per-epoch", "5"]).total_iterations == 15


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--lrr", "1"], "--lrr"),
        (["--epochs"], "--epochs"),
        (["--lr", "-1"], "--lr"),
        (["--lr", "0"], "--lr"),
        (["--batch-size", "x"], "--batch-size"),
        (["--batch-size", "0"], "--batch-size"),
        (["--mu", "0"], "--mu"),
        (["--threshold", "1.5"], "--threshold"),
        (["--ema-decay", "1"], "--ema-decay"),
        (["--momentum", "1"], "--momentum"),
        (["--momentum", "0"], "--momentum"),
        (["--seed", "-1"], "--seed"),
        (["--dataset", "svhn"], "--dataset"),
        (["--strong", "weak"], "--strong"),
        (["--algorithm", "flexmatch"], "--algorithm"),
        (["--algorithm", "mixmatch", "--temperature", "0"], "--temperature"),
        (["--algorithm", "mixmatch", "--alpha", "0"], "--alpha"),
        (["--algorithm", "mixmatch", "--ramp-up", "1.5"], "--ramp-up"),
        (["--algorithm", "mixmatch", "--mixup", "both"], "--mixup"),
        (["--precision", "fp8"], "--precision"),
        (["--eval-at", "1,x"], "--eval-at"),
        (["--depth", "11"], "--depth"),
        (["--depth", "4"], "--depth"),
        (["--warmup", "5", "--iterations", "5"], "--warmup"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(
    arguments: list[str], names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.count("\n") == 1
    assert error.startswith("own_impl: ")
    assert f"{names} " in error or f"{names}:" in error


def test_mixmatch_has_settings_and_a_weight_of_its_own() -> None:
    config = parse(["--algorithm", "mixmatch"])
    assert (config.temperature, config.alpha, config.ramp_up, config.mixup) == (
        0.5,
        0.5,
        0.4,
        "batch",
    )
    assert config.lambda_u == 100
    assert parse(["--algorithm", "mixmatch", "--lambda-u", "1"]).lambda_u == 1
    assert parse(["--algorithm", "fixmatch"]) == Config()
    assert parse(["--algorithm", "fixmatch"]).lambda_u == 1


@pytest.mark.parametrize(
    ("algorithm", "option"),
    [
        ("mixmatch", ["--threshold", "0.95"]),
        ("mixmatch", ["--strong", "paper"]),
        ("mixmatch", ["--no-interleave"]),
        ("fixmatch", ["--temperature", "0.5"]),
        ("fixmatch", ["--alpha", "0.75"]),
        ("fixmatch", ["--ramp-up", "0.4"]),
        ("fixmatch", ["--mixup", "batch"]),
    ],
)
def test_a_setting_of_the_other_algorithm_is_refused_by_name(
    algorithm: str, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(["--algorithm", algorithm, *option])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    name = option[0].replace("--no-", "--")
    assert error.startswith(f"own_impl: {name} ")
    assert f"{algorithm} has no such setting; leave it out" in error
    assert error.count("\n") == 1


def test_what_is_saved_is_what_the_algorithm_has() -> None:
    fixmatch, mixmatch = (
        parse(["--algorithm", name]).model_dump(mode="json") for name in ("fixmatch", "mixmatch")
    )
    assert fixmatch.keys() - mixmatch.keys() == {"threshold", "strong", "interleave"}
    assert mixmatch.keys() - fixmatch.keys() == {"temperature", "alpha", "ramp_up", "mixup"}


def test_momentum_may_be_0_without_nesterov() -> None:
    assert parse(["--momentum", "0", "--no-nesterov"]).momentum == 0


def test_settings_are_frozen_and_unknown_keys_refused() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().lr = 1.0  # type: ignore[misc]
    with pytest.raises(ValidationError, match="learning_rate"):
        Config(learning_rate=1.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("depth", [10, 16, 22, 28, 40])
def test_depths_of_6n_plus_4_are_taken(depth: int) -> None:
    assert Config(depth=depth).depth == depth


def _evaluations(config: Config) -> list[int]:
    return [k for k in range(1, config.total_iterations + 1) if config.evaluates_after(k)]


def test_evaluation_is_each_epoch_and_after_the_last_iteration() -> None:
    assert _evaluations(Config(iterations=10, iterations_per_epoch=4)) == [4, 8, 10]
    assert _evaluations(Config(iterations=10, eval_every=3)) == [3, 6, 9, 10]
    assert _evaluations(Config(epochs=2, iterations_per_epoch=3)) == [3, 6]


def test_evaluation_at_named_iterations_and_after_the_last() -> None:
    config = parse(["--eval-at", "1,101,201", "--iterations", "250", "--eval-every", "7"])
    assert config.eval_at == (1, 101, 201)
    assert _evaluations(config) == [1, 101, 201, 250]


def test_settings_survive_json() -> None:
    for algorithm in ("fixmatch", "mixmatch"):
        given = ["--eval-at", "1,2", "--out", "x", "--iterations", "9", "--algorithm", algorithm]
        config = parse(given)
        assert Config.model_validate_json(config.model_dump_json()) == config


def test_help_names_every_setting_and_exits_0() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "own_impl", "--help"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""
    for name, field in Config.model_fields.items():
        assert "--" + name.replace("_", "-") in done.stdout
        assert field.description
