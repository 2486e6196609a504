"""Profiles: the documented numbers, what is refused, and when TorchSSL evaluates."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest
import torch
import yaml

from harness.errors import BadInput
from harness.experiment import gpu, profile
from harness.experiment.profile import Profile
from harness.implementations import registry
from tests.conftest import REPOSITORY

TORCHSSL = REPOSITORY / "third_party" / "torchssl" / "config" / "fixmatch"
PROFILES = REPOSITORY / "configs" / "profiles"

# name in TorchSSL's YAML -> name in ours
SAME = {
    "num_train_iter": "iterations",
    "num_eval_iter": "eval_every",
    "batch_size": "batch_size",
    "uratio": "mu",
    "p_cutoff": "threshold",
    "ulb_loss_ratio": "lambda_u",
    "lr": "lr",
    "momentum": "momentum",
    "weight_decay": "weight_decay",
    "ema_m": "ema_decay",
    "depth": "depth",
    "widen_factor": "widen_factor",
    "dataset": "data",
}


def edited(tmp_path: Path, **settings: object) -> Path:
    content = yaml.safe_load((PROFILES / "quick.yaml").read_text())
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content | settings))
    return path


def torchssl_evaluates_after(iterations: int, num_eval_iter: int) -> list[int]:
    """TorchSSL's loop, said again: numbers of updates made before each evaluation."""
    after = []
    it = 0
    while it < iterations:
        updates = it + 1
        if it % num_eval_iter == 0:
            after.append(updates)
        it += 1
        if it > 0.8 * iterations:
            num_eval_iter = 1000
    if after[-1] != iterations:
        after.append(iterations)
    return after


def short(iterations: int, eval_every: int) -> Profile:
    return profile.load("quick").model_copy(
        update={"iterations": iterations, "eval_every": eval_every}
    )


SHIPPED = ["cifar10", "photographs", "quick", "report2024"]


def test_which_there_are() -> None:
    assert profile.names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_the_name_is_the_file_name(name: str) -> None:
    assert profile.load(name).name == name


def test_quick() -> None:
    quick = profile.load("quick")
    assert (quick.data, quick.depth, quick.widen_factor) == ("mnist5k", 10, 1)
    assert not quick.requires_cuda


def test_cifar10() -> None:
    cifar10 = profile.load("cifar10")
    assert (cifar10.data, cifar10.depth, cifar10.widen_factor) == ("cifar10", 28, 2)
    assert (cifar10.iterations, cifar10.batch_size, cifar10.mu) == (2**20, 64, 7)
    assert cifar10.selection == "median20"
    assert cifar10.requires_cuda


def test_photographs_need_no_gpu() -> None:
    """TorchSSL's settings for CIFAR-10, with quick's network, batch and schedule."""
    photographs, quick = profile.load("photographs"), profile.load("quick")
    assert (photographs.data, photographs.requires_cuda) == ("cifar10", False)
    differ = {"name", "description", "data", "eval_every", "floor", "seconds_per_iteration"}
    assert photographs.model_dump(exclude=differ) == quick.model_dump(exclude=differ)


def test_report2024() -> None:
    report = profile.load("report2024")
    assert (report.data, report.depth, report.widen_factor) == ("cifar10", 28, 2)
    assert (report.iterations, report.batch_size, report.mu) == (500 * 224, 32, 7)
    assert report.eval_every == 224
    assert report.requires_cuda


@pytest.mark.parametrize("labels", [40, 250, 4000])
def test_cifar10_is_torchssls_own_configuration(labels: int) -> None:
    path = TORCHSSL / f"fixmatch_cifar10_{labels}_0.yaml"
    if not path.exists():
        pytest.skip("third_party/torchssl is not checked out")
    theirs = yaml.safe_load(path.read_text())
    ours = profile.load("cifar10")
    assert {key: getattr(ours, name) for key, name in SAME.items()} == {
        key: theirs[key] for key in SAME
    }
    assert theirs["amp"] is False
    # Without amp torch computes in float32, and on CUDA it convolves in TF32 of its own accord.
    assert ours.precision == "tf32"


@pytest.mark.parametrize(
    ("name", "device", "precision"),
    [
        ("quick", "cpu", "fp32"),
        ("quick", "cuda", "tf32"),
        ("cifar10", "cpu", "fp32"),
        ("cifar10", "cuda", "tf32"),
    ],
)
def test_the_precision_is_what_torch_has_on_the_device(
    name: str, device: str, precision: str
) -> None:
    """TorchSSL computes so, whatever it is asked; so ours does too."""
    assert profile.load(name).on(device).precision == precision
    assert registry.create("torchssl").fixed_on(device)["precision"] == precision


def test_a_profile_that_needs_cuda_may_say_fp32(tmp_path: Path) -> None:
    path = edited(tmp_path, requires_cuda=True, precision="fp32")
    assert profile.read(path).on("cuda").precision == "fp32"


def test_hyper_parameters_are_what_changes_a_run() -> None:
    assert profile.load("quick").hyper_parameters() == {
        "depth": 10, "widen_factor": 1, "iterations": 5000, "eval_every": 200, "batch_size": 8,
        "mu": 1, "threshold": 0.95, "lambda_u": 1.0, "lr": 0.03, "momentum": 0.9,
        "weight_decay": 0.0005, "ema_decay": 0.998, "warmup": 0, "precision": "fp32",
    }  # fmt: skip


def test_it_is_frozen() -> None:
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        profile.load("quick").lr = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("name", ["slow", "", "../published", "quick.yaml"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(
        BadInput, match=r"^PROFILE .*: unknown; use auto, cifar10, photographs, quick, report"
    ):
        profile.load(name)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("treshold", 0.95),
        ("schema", 2),
        ("data", "svhn"),
        ("depth", 12),
        ("depth", 4),
        ("widen_factor", 0),
        ("iterations", 0),
        ("iterations", "many"),
        ("iterations", 1.5),
        ("eval_every", -1),
        ("mu", 0),
        ("threshold", 1.01),
        ("lr", 0),
        ("momentum", 1),
        ("ema_decay", 1),
        ("warmup", 5),
        ("precision", "bf16"),
        ("selection", "luckiest"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, key: str, value: object) -> None:
    path = edited(tmp_path, **{key: value})
    with pytest.raises(BadInput) as error:
        profile.read(path)
    assert str(error.value).startswith(f"{path}: {key}: ")
    assert "\n" not in str(error.value)


def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    content = yaml.safe_load((PROFILES / "quick.yaml").read_text())
    del content["mu"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(BadInput, match=r"mine\.yaml: mu: Field required"):
        profile.read(path)


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [1\n", "!!python/object/apply:os.getcwd []\n"])
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"mine\.yaml: ") as error:
        profile.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("iterations", "eval_every"),
    [
        (1600, 50),
        (60, 20),
        (12000, 500),
        (1, 1),
        (1, 50),
        (7, 3),
        (1000, 1000),
        (1001, 1000),
        (5001, 700),
    ],
)
def test_it_evaluates_when_torchssl_does(iterations: int, eval_every: int) -> None:
    expected = torchssl_evaluates_after(iterations, eval_every)
    assert short(iterations, eval_every).evaluated_after() == expected


def test_evaluations_of_a_short_run_by_hand() -> None:
    assert short(60, 20).evaluated_after() == [1, 21, 41, 60]


def test_torchssls_schedule_has_378_evaluations_and_the_end() -> None:
    after = profile.load("cifar10").evaluated_after()
    assert after == torchssl_evaluates_after(2**20, 5000)
    assert len(after) == 378 + 1
    assert after[0] == 1
    assert after[-2:] == [1048001, 2**20]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("iterations", [1, 30, 400, 2000])
def test_shortened(name: str, iterations: int) -> None:
    whole, shortened = profile.load(name), profile.load(name, iterations)
    assert shortened.iterations == iterations
    assert 1 <= shortened.eval_every <= whole.eval_every
    # Enough to see a curve, not so many that evaluating is what takes the time.
    if iterations < whole.iterations:
        assert len(shortened.evaluated_after()) <= 12
    kept = {"iterations", "eval_every"}
    assert shortened.model_dump(exclude=kept) == whole.model_dump(exclude=kept)


def test_shortened_to_its_own_length_is_the_same_profile() -> None:
    assert profile.load("quick", 5000) == profile.load("quick")


@pytest.mark.parametrize(("cuda", "name"), [(True, "cifar10"), (False, "quick")])
def test_auto_says_which_and_why(monkeypatch: pytest.MonkeyPatch, cuda: bool, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(gpu, "name", lambda: "Some GPU")  # of a process of its own
    chosen, why = profile.resolve_auto("auto")
    assert chosen == name
    assert why == ("CUDA is there (Some GPU)" if cuda else "no CUDA here")


def test_a_named_profile_is_not_resolved() -> None:
    assert profile.resolve_auto("report2024") == ("report2024", "as asked")


@pytest.mark.parametrize(
    ("labels", "value"), [(20, 5.0), (40, 5.0), (100, 5.0), (250, 3.0), (999, 3.0), (4000, 2.0)]
)
def test_margins_and_tolerances_go_by_the_nearest_count_below(labels: int, value: float) -> None:
    assert profile.at({250: 3.0, 40: 5.0, 4000: 2.0}, labels) == value


@pytest.mark.parametrize("key", ["margin", "tolerance"])
@pytest.mark.parametrize("value", [{}, {40: 0}, {40: -1.0}, {0: 1.0}, {40: 101}, 3.0])
def test_a_wrong_margin_is_refused(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(BadInput, match=rf"mine\.yaml: {key}"):
        profile.read(edited(tmp_path, **{key: value}))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_profile_says_how_much_is_a_difference(name: str) -> None:
    found = profile.load(name)
    assert set(found.margin) == set(found.tolerance) == {40, 250, 4000}
