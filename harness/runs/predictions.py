"""What a run's final weights predict on each test image: `predictions.csv` in the run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.errors import BadInput
from harness.runs.files import write_text

FILE = "predictions.csv"
COLUMNS = ["image", "target", "predicted"]


@dataclass(frozen=True)
class Predictions:
    """True and predicted class of each test image, in the test set's order; shape (N,), int64."""

    targets: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which images are right; shape (N,)."""
        correct: NDArray[np.bool_] = self.targets == self.predicted
        return correct

    @property
    def top1(self) -> float:
        """Accuracy in percent."""
        return 100 * float(self.correct.mean())


def write(run_folder: Path, predictions: Predictions) -> None:
    """Write `<run_folder>/predictions.csv`, whole."""
    frame = pd.DataFrame({"target": predictions.targets, "predicted": predictions.predicted})
    write_text(run_folder / FILE, frame.to_csv(index_label="image", lineterminator="\n"))


def read(run_folder: Path) -> Predictions | None:
    """The predictions in `run_folder`, None where there are none. Raises BadInput."""
    path = run_folder / FILE
    try:
        frame = pd.read_csv(path, dtype="int64")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); move the run folder away") from error
    if list(frame.columns) != COLUMNS or not len(frame):
        raise BadInput(f"{path}: columns are not {', '.join(COLUMNS)}; move the run folder away")
    return Predictions(frame["target"].to_numpy(), frame["predicted"].to_numpy())
