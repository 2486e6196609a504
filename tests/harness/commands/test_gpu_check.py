"""`make gpu-check`: without a GPU one line, on a simulated one the page."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import torch

from harness.commands import cli
from harness.commands.gpu_check import bounds, command, images, parts
from harness.errors import CheckFailed
from harness.experiment import gpu
from harness.experiment.data import read_dataset
from harness.implementations.torchssl.implementation import TorchSSL
from harness.report.gpu_check import Outcome, Part, markdown
from harness.runs.execution.child import Ended
from harness.runs.files import write_text
from tests.conftest import REPOSITORY, write_small_data
from tests.harness.commands.test_terminal import plain
from tests.simulated_cuda import processes


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["harness", "gpu-check", "--results", str(tmp_path / "r")])
    assert cli.main() == 3
    assert capsys.readouterr().err == "error: gpu-check: torch finds no GPU here\n"
    assert not (tmp_path / "r").exists()


def test_an_unknown_part_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["harness", "gpu-check", "--parts", "speed flight"])
    assert cli.main() == 2
    assert capsys.readouterr().err.startswith("error: PARTS flight: unknown; use device tests ")


@pytest.fixture(scope="module")
def checked(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The parts that train, on a machine without TorchSSL; tests and speed have tests of their own.

    The limits are of a GPU's: here they are longer, and the runs shorter.
    """
    place = tmp_path_factory.mktemp("gpu check")
    write_small_data(place / "data")
    code = (
        "import sys; from harness.commands import cli\n"
        "from harness.commands.gpu_check import bounds, parts\n"
        "parts.TRAINED, parts.RESUMED = 8, 30\n"
        "bounds.LIMITS.update(dict.fromkeys(bounds.LIMITS, 600))\n"
        "sys.exit(cli.main())"
    )
    words = ["gpu-check", "--profile", "quick", "--parts", "device parity training resumption"]
    words += ["--data-dir", str(place / "data"), "--seconds", "3000"]
    environment = processes.environment(place) | {
        "OMP_NUM_THREADS": "1", "TORCHSSL_DIR": str(place / "nowhere"),
        "PYTHONPATH": str(REPOSITORY),
    }  # fmt: skip
    done = subprocess.run(
        [processes.python(place), "-c", code, *words, "--results", str(place / "results")],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done, place


@pytest.mark.timeout(1200)
def test_the_page_says_what_each_part_showed(
    checked: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, place = checked
    assert done.returncode == 0, done.stdout + done.stderr
    page = (place / "results/quick/gpu-check.md").read_text()
    rows = {row.split(" | ")[0]: row for row in page.splitlines() if row.startswith("| ")}
    assert "Simulated GPU" in rows["| versions and device"]
    assert "| compute capability | 9.0 |" in page
    assert "| skipped |" in rows["| the ladder on the GPU"] and "no fixmatch.py" in page
    assert "own done and comparable" in page and "precision tf32" in page
    assert "own: went on from iteration" in rows["| stopped and resumed"]
    assert str(place) not in page.replace(f"TORCHSSL_DIR={place}/nowhere", "")


@pytest.mark.timeout(1200)
def test_who_watches_the_runs_holds_no_context(
    checked: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """It would take memory from them for as long as they last."""
    told = processes.seen(checked[1])
    assert any(one["used"] for one in told)
    watchers = [one for one in told if "harness" in one["argv"] or "gpu-check" in one["argv"]]
    assert len(watchers) == 2 and not any(one["used"] for one in watchers)


def test_a_part_ends_in_its_time(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "is_there", lambda: True)
    monkeypatch.setattr(gpu, "name", lambda: "Some GPU")
    monkeypatch.setattr(parts, "ABOUT", "import time; print('well', flush=True); time.sleep(600)")
    monkeypatch.setitem(bounds.LIMITS, "device", 8)
    question = command.GpuQuestion("quick", tmp_path, data_dir, parts=("device",))
    began = time.monotonic()
    with pytest.raises(CheckFailed, match="versions and device: not ended in its time: its last"):
        command.run(question, plain()[0])
    assert time.monotonic() - began < 300
    assert "    well" in (tmp_path / "quick/gpu-check.md").read_text()
    late = command.GpuQuestion("quick", tmp_path, data_dir, parts=("device",), seconds=-1)
    command.run(late, plain()[0])
    assert "| skipped | 0s | after -1 s in all |" in (tmp_path / "quick/gpu-check.md").read_text()


def test_images_are_made_where_cifar10_is_not_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "cache_folder", lambda: tmp_path / "cache")
    folder, what = images.find(None, "cifar10", tmp_path)
    assert folder is not None and "accuracies mean nothing" in what
    made = read_dataset(folder)
    assert (made.train_size, made.test_size) == (49_500, 10_000)
    assert len(set(made.test_class_counts)) == 1


@pytest.mark.parametrize(("code", "outcome"), [(0, "holds"), (3, "failed")])
def test_the_benchmark_is_part_of_the_page(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, code: int, outcome: str
) -> None:
    asked: list[tuple[str, ...]] = []

    def benched(self: parts.GpuParts, seconds: float, *words: str) -> Ended:
        asked.append(words)
        write_text(self.made / "bench.md", "# Speed\n\nThe table.\n\n## own, tf32\n\nParts.\n")
        return Ended(code, ("error: not all could be timed",))

    monkeypatch.setattr(gpu, "is_there", lambda: True)
    monkeypatch.setattr(gpu, "name", lambda: "Some GPU")
    monkeypatch.setattr(parts.GpuParts, "_child", benched)
    monkeypatch.setattr(TorchSSL, "unavailable", lambda _: None)
    variants = ("tf32", "bf16+compile")
    question = command.GpuQuestion("quick", tmp_path, data_dir, ("speed",), variants)
    try:
        command.run(question, plain()[0])
    except CheckFailed as error:
        assert code and str(error) == "speed: failed: error: not all could be timed"
    page = (tmp_path / "quick/gpu-check.md").read_text()
    assert f"| speed | {outcome} |" in page
    assert "\n## speed\n\nThe table.\n\n### own, tf32\n\nParts.\n" in page
    assert asked[0][asked[0].index("--variants") + 1] == "tf32 bf16+compile"


def test_a_cell_stays_one_cell() -> None:
    page = markdown(["about"], [Part("a", Outcome.FAILED, 61.0, "x | y\nz", "")])
    assert "| a | failed | 1m 01s | x \\| y z |" in page
