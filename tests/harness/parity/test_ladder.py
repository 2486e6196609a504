"""The ladder holds, and each fault of ours breaks exactly its rung, with the quantity named.

TorchSSL answers once, for real. Our side answers from a copy of `own_impl` in which one line is
wrong.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.experiment import data, profile
from harness.implementations import own, registry
from harness.implementations.interface import Request
from harness.implementations.reported import Evidence
from harness.parity import ladder, question
from harness.parity.preflight import declare, draw_weights
from harness.runs.execution import child
from tests.helpers import warm

pytestmark = pytest.mark.torchssl
REPOSITORY = Path(__file__).resolve().parents[3]

Ladder = Callable[..., ladder.Climb]


@pytest.fixture(scope="module")
def request_() -> Request:
    settings = profile.load("quick")
    return Request(settings, data.open_dataset("mnist5k"), 40, 0, "cpu")


@pytest.fixture(scope="module")
def reference(request_: Request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which TorchSSL has declared and answered, on a smaller question."""
    side = registry.create("torchssl")
    if reason := side.unavailable():
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        _smaller(patch)
        draw_weights(side, request_, place)
        declare([(side, request_)], place)
        ladder.ask(request_, place)
        ladder.answer([side], place)
    return place


def _smaller(patch: pytest.MonkeyPatch) -> None:
    for name, value in {"STEPS": 4, "DRAWS": 1500, "VIEWS": 40, "MAGNITUDES": 5}.items():
        patch.setattr(question, name, value)


@pytest.fixture
def climb(
    request_: Request, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Ladder:
    """Climbs with our side as it is, or with lines of one of its modules replaced."""

    def climb(module: str = "", changes: dict[str, str] | None = None) -> ladder.Climb:
        _smaller(monkeypatch)
        root = tmp_path / "ours"
        shutil.copytree(REPOSITORY / "own_impl", root / "own_impl")
        for old, new in (changes or {}).items():
            path = root / "own_impl" / module
            text = path.read_text()
            assert text.count(old) == 1, f"{module} has {text.count(old)} of {old!r}"
            path.write_text(text.replace(old, new))
        monkeypatch.setattr(own, "REPOSITORY", root)
        monkeypatch.setattr(child, "run", warm.run)
        place = tmp_path / "place"
        shutil.copytree(reference, place, symlinks=True)
        mine, theirs = registry.create("own"), registry.create("torchssl")
        with ThreadPoolExecutor() as pool:
            declared = pool.submit(declare, [(mine, request_)], place)
            failures = [*ladder.answer([mine], place), ""]
            (evidence,) = declared.result()
        folder = place / "torchssl-declared"
        other = Evidence("torchssl", theirs.facts(folder), theirs.settings(folder))
        return ladder.compare(evidence, other, failures, request_, place)

    return climb


def broken(found: ladder.Climb) -> dict[int, str]:
    return {rung.number: rung.first_difference for rung in found.rungs if rung.broken}


def test_every_rung_holds(climb: Ladder) -> None:
    found = climb()
    assert broken(found) == {}
    assert all(rung.holds for rung in found.rungs)
    assert [rung.number for rung in found.rungs] == [1, 2, 3, 4, 5, 6, 7, 8]
    measured = {rung.number: " ".join(map(str, rung.checks)) for rung in found.rungs}
    assert "78,186 in 34 tensors" in measured[5]
    assert "both losses count: 4 of 4" in measured[6]
    assert "14 operations over their ranges: largest difference 0 in 700" in measured[7]
    assert len(found.drift) == 4
    assert max(row["weight"] for row in found.drift) < 1e-3


# What is wrong with us: module, the line and its wrong form; the rung, and what it must name.
FAULTS = {
    "one changed pixel": (
        "data.py",
        {"    data = Data(*arrays, ":
         "    arrays[0][3, 5, 7, 0] ^= 1\n    data = Data(*arrays, "},
        1, "SHA-256 of pixels and labels",
    ),
    "a swapped label index": (
        "data.py",
        {"checked: Labels = indices.astype(np.int64)":
         "checked: Labels = np.append(indices[1:], np.setdiff1d(np.arange(99), indices)[0])"},
        2, "SHA-256 of the labelled indices",
    ),
    "other initial weights": (
        "train.py",
        {"load_file(config.initial_weights)":
         "{k: 1.5 * v for k, v in load_file(config.initial_weights).items()}"},
        3, "SHA-256 of all initial tensors",
    ),
    "another threshold": (
        "answers/parity.py",
        {"    data = load(config)\n":
         "    config = config.model_copy(update={'threshold': 0.9})\n    data = load(config)\n"},
        4, "threshold: 0.9 against 0.95",
    ),
    "a bias left out": (
        "network/wideresnet.py",
        {"padding=kernel // 2)": "padding=kernel // 2, bias=False)"},
        5, "block1.layer.0.conv1.bias is missing against [16]",
    ),
    "another slope": (
        "network/wideresnet.py",
        {"nn.LeakyReLU(0.1, ": "nn.LeakyReLU(0.2, "},
        5, "logits, float64, training mode",
    ),
    "weight decay on batch norm": (
        "step.py",
        {'"bias" in name or "bn" in name': '"bias" in name'},
        6, "weight/block1.layer.0.bn1.weight differs by",
    ),
    "a moving average over buffers": (
        "network/ema.py",
        {"p in network.named_parameters()}":
         "p in network.state_dict().items() if p.is_floating_point()}",
         "list(self.network.parameters())":
         "[p for p in self.network.state_dict().values() if p.is_floating_point()]"},
        6, "ema/block1.layer.0.bn1.running_mean",
    ),
    "another cosine": (
        "algorithms/schedule.py",
        {"7 / 16 * math.pi": "8 / 16 * math.pi"},
        6, "lr differs by",
    ),
    "cutout before the operations": (
        "views/views.py",
        {"apply_rounds(images, draw.operations":
         "apply_rounds(cutout(images, draw.centre, draw.side), draw.operations",
         "weak_views(cutout(augmented, draw.centre, draw.side), draw.weak)":
         "weak_views(augmented, draw.weak)"},
        7, "whole strong views of given parameters",
    ),
    "a shorter range of shears": (
        "views/views.py",
        {"share = random.random(chosen.shape)": "share = 0.9 * random.random(chosen.shape)"},
        7, "magnitudes differ",
    ),
    "sampling without replacement": (
        "algorithms/fixmatch.py",
        {"unlabelled=data.unlabelled[random.integers(0, len(data.unlabelled), m)]":
         "unlabelled=(np.arange(m) + m * iteration) % len(data.train_images)"},
        7, "repeats among unlabelled differ",
    ),
    "mirrored test images": (
        "evaluate.py",
        {"inputs = torch.split(normalise(channels_first(images).to(device)), batch_size)":
         "inputs = torch.split(normalise(channels_first(images).flip(3)).to(device), batch_size)"},
        8, "test images right",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_its_rung_alone_and_is_named(climb: Ladder, fault: str) -> None:
    module, changes, rung, named = FAULTS[fault]
    found = broken(climb(module, changes))
    assert list(found) == [rung]
    assert named in found[rung]
