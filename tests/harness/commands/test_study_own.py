"""A study of our real FixMatch, some iterations long."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from harness.analysis import study as findings
from harness.commands import verify
from harness.commands.console.terminal import Terminal
from harness.commands.study import StudyQuestion as Question
from harness.commands.study import study
from harness.experiment import profile
from harness.experiment import study as definition
from harness.experiment.data import read_dataset
from harness.implementations import registry
from harness.implementations.interface import Request
from harness.runs.manifest import read_manifest
from tests.helpers import studied


def require_study(root: Path) -> None:
    """As `make verify STUDY=trial`."""
    study = definition.load("trial")
    verify.require(verify.check_study(definition.place(root, "trial"), study))


def test_options_become_flags_and_a_comparison_has_none(data_dir: Path) -> None:
    plain = Request(profile.load("quick", 20), read_dataset(data_dir), 40, 0, "cpu")
    options = {
        "warmup": 3,
        "precision": "bf16",
        "use_ema": False,
        "precise_bn": True,
        "interleave": True,
    }
    words = registry.create("own").train_command(replace(plain, options=options), data_dir).argv
    pairs = set(itertools.pairwise(words))
    assert {("--warmup", "3"), ("--precision", "bf16"), ("--batch-size", "8")} <= pairs
    assert {"--no-use-ema", "--precise-bn", "--interleave"} <= set(words)
    told = " ".join(registry.create("own").train_command(plain, data_dir).argv)
    assert "--warmup 0 --precision fp32" in told
    assert not any(name in told for name in ("use-ema", "precise-bn", "interleave"))


@pytest.mark.usefixtures("fake", "untraced")  # no TorchSSL: ours draws the weights
def test_the_average_changes_no_training_and_a_loss_that_diverged_is_shown(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    variants = {"with-ema": {}, "no-ema": {"use_ema": False}, "hot": {"lr": 1e9}}
    studied.define(monkeypatch, tmp_path / "configs", baseline="with-ema", variants=variants)
    out = io.StringIO()
    asked = Question(
        name="trial", results=tmp_path, labels=[40], seeds=[0], iterations=20, data_dir=data_dir
    )
    study(asked, Terminal(Console(file=out, soft_wrap=True)))

    folder = definition.place(tmp_path, "trial")
    text = (folder / "README.md").read_text("utf-8")
    assert "`no-ema` " in text and "every logged training loss the same number" in text
    table = pd.read_csv(folder / "table.csv").set_index("variant")
    assert table["status"].to_dict() == {"with-ema": "done", "no-ema": "done", "hot": "failed"}
    assert table["initial_weights_sha256"].nunique() == 1
    hot = read_manifest(folder / "runs/hot/40-seed0-own")
    assert hot is not None and findings.is_diverged(hot)
    assert "`hot` has no accuracy, its loss was not finite in 1 of 1 runs (at iteration" in text
    assert "| `hot` | 40 | 0 | not finite: the loss is " in text
    assert "unlabelled " in text and "learning rate " in text
    require_study(tmp_path)
