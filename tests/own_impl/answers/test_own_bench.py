from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from own_impl.answers import bench, flops
from own_impl.network.wideresnet import WideResNet
from tests.own_impl.conftest import as_options, tiny_settings


def _run(capsys: pytest.CaptureFixture[str], data_dir: Path, **changes: Any) -> tuple[int, str]:
    options = as_options(tiny_settings(**{"data_dir": data_dir, "mu": 60} | changes))
    code = bench.main(["--discard", "2", "--timed", "3", *options])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_a_benchmark_prints_what_a_step_takes_and_its_parts(
    capsys: pytest.CaptureFixture[str],
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = _run(capsys, data_dir)
    assert code == 0
    result = json.loads(text)
    assert list(result["parts"]) == ["augmentation", "forward", "backward", "optimiser", "ema"]
    times = [result[name] for name in result if name.startswith("seconds")]
    assert len(times) == 3
    assert all(seconds > 0 for seconds in [*times, *result["parts"].values()])
    assert result["peak_host_bytes"] > 100 * 2**20  # torch alone is more
    assert result["peak_device_bytes"] is None
    assert 1e8 < result["arithmetic"]["matmul_flops_per_second"] < 1e14
    assert (result["schema"], result["device"], result["threads"]) == (2, "cpu", 1)
    assert list(tmp_path.iterdir()) == []


def test_mixmatch_is_timed_with_its_passes_without_gradient(
    capsys: pytest.CaptureFixture[str], data_dir: Path
) -> None:
    code, text = _run(capsys, data_dir, algorithm="mixmatch", mu=20)
    assert code == 0
    result = json.loads(text)
    assert list(result["parts"]) == ["augmentation", "forward", "backward", "optimiser", "ema"]
    assert all(seconds > 0 for seconds in result["parts"].values())
    images = (torch.zeros(n, 3, 32, 32) for n in (2 + 80, 80))
    assert result["arithmetic"]["flops"] == flops.of_passes(WideResNet(10, 1), *images)


def test_wrong_data_is_exit_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, text = _run(capsys, tmp_path / "nowhere")
    assert code == 2
    assert text.startswith("own_impl: --data-dir")
    assert text.count("\n") == 1


def test_unknown_options_are_refused(capsys: pytest.CaptureFixture[str], data_dir: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        bench.main(["--data-dir", str(data_dir), "--timid", "3"])
    assert stopped.value.code == 2
    assert "--timid" in capsys.readouterr().err
