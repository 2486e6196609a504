"""The ladder of MixMatch holds, and each fault of ours breaks its rung, with the quantity named.

As `test_ladder`: TorchSSL answers once, for real, our side from a copy of `own_impl` in which one
line is wrong.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.experiment import algorithms, data, profile
from harness.implementations import own, registry
from harness.implementations.interface import Request
from harness.implementations.reported import Evidence
from harness.parity import ladder
from harness.parity.preflight import declare, draw_weights
from harness.runs.execution import child
from tests.harness.parity.test_ladder import REPOSITORY, Ladder, _smaller, broken
from tests.helpers import warm

pytestmark = pytest.mark.torchssl
MIXMATCH = algorithms.MIXMATCH.name


@pytest.fixture(scope="module")
def request_() -> Request:
    settings = profile.load("quick")
    return Request(settings, data.open_dataset("mnist5k"), 40, 0, "cpu").under(MIXMATCH)


@pytest.fixture(scope="module")
def reference(request_: Request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which TorchSSL has declared and answered, on a smaller question."""
    side = registry.reference(MIXMATCH)
    if reason := side.unavailable():
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        _smaller(patch)
        draw_weights(side, request_, place)
        declare([(side, request_)], place)
        ladder.ask(request_, place)
        assert ladder.answer([side], place) == [""]
    return place


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
        mine, theirs = registry.create("own-mixmatch"), registry.reference(MIXMATCH)
        with ThreadPoolExecutor() as pool:
            declared = pool.submit(declare, [(mine, request_)], place)
            failures = [*ladder.answer([mine], place), ""]
            (evidence,) = declared.result()
        folder = place / f"{theirs.name}-declared"
        other = Evidence(
            theirs.name, theirs.facts(folder), theirs.settings(folder), algorithm=MIXMATCH
        )
        return ladder.compare(evidence, other, failures, request_, place)

    return climb


def test_every_rung_holds(climb: Ladder) -> None:
    found = climb()
    assert broken(found) == {}
    assert all(rung.holds for rung in found.rungs)
    assert [rung.number for rung in found.rungs] == [1, 2, 3, 4, 5, 6, 7, 8]
    measured = {rung.number: " ".join(map(str, rung.checks)) for rung in found.rungs}
    assert "mixup_coefficient: per batch" in measured[4] and "weak_views: 2" in measured[4]
    assert "both losses count: 3 of 4, every guess" in measured[6]
    assert "whole weak views of given parameters: 40 of 40 equal" in measured[7]
    assert "two views of 1,500 images, and 1,500 mixtures: 13 tests" in measured[7]
    assert len(found.drift) == 4


# What is wrong with us: module, the line and its wrong form; the rungs, and what they must name.
FAULTS = {
    "lambda' is not the larger one": (
        "algorithms/mixmatch.py",
        {"return torch.maximum(lambdas, 1 - lambdas)": "return lambdas"},
        {6: "loss_u differs by"},
    ),
    "a guess with a gradient": (
        "algorithms/mixmatch.py",
        {"@torch.no_grad()\ndef guess_labels": "def guess_labels"},
        {6: "weight/block1.layer.0.bn1.bias differs by"},
    ),
    "running averages moved by the guessing passes": (
        "algorithms/mixmatch.py",
        {"forward(view, frozen_averages=True)": "forward(view)"},
        {6: "statistic/"},
    ),
    "one lambda an example": (
        "config.py",
        {'"batch",\n        description="MixUp': '"paper",\n        description="MixUp'},
        {4: "mixup_coefficient: per example against per batch",
         7: "lambda differs: one an example against one a batch"},
    ),
    "no ramp": (
        "algorithms/mixmatch.py",
        {"return min(1.0, iteration / rising) if rising else 1.0": "return 1.0"},
        {6: "after step 1"},
    ),
    "cross-entropy for the squared error": (
        "algorithms/mixmatch.py",
        {"return functional.mse_loss(logits.softmax(dim=-1), targets)":
         "return labelled_loss(logits, targets)"},
        {6: "loss_u differs by"},
    ),
    "another distribution of lambda": (
        "algorithms/mixmatch.py",
        {"random.beta(config.alpha, config.alpha, drawn)": "random.beta(1.0, 1.0, drawn)"},
        {7: "lambda differ"},
    ),
    "the neighbour as partner": (
        "algorithms/mixmatch.py",
        {"partners=random.permutation(views)": "partners=np.roll(np.arange(views), 1)"},
        {7: "partners of the first view differ"},
    ),
    "the same view twice": (
        "algorithms/mixmatch.py",
        {"    return Draw(\n": "    weak = draw_weak(m, random)\n    return Draw(\n",
         "weak_views=draw_weak(m, random),\n        weak_views_2=draw_weak(m, random)":
         "weak_views=weak,\n        weak_views_2=weak"},
        {7: "both views differ"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_its_rung_alone_and_is_named(climb: Ladder, fault: str) -> None:
    module, changes, named = FAULTS[fault]
    found = broken(climb(module, changes))
    assert found.keys() == named.keys()
    for rung, text in named.items():
        assert text in found[rung]
