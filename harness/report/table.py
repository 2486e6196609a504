"""points.csv and table.csv: the frames of the runs with fixed digits."""

from __future__ import annotations

import pandas as pd


def to_csv(frame: pd.DataFrame) -> str:
    """CSV with numbers at fixed digits, so that equal runs give equal bytes."""
    shown = frame.copy()
    for column in shown.columns:
        if column in ("iterations", "evaluations", "threads"):
            shown[column] = shown[column].astype("Int64")
        elif column.endswith("_per_second") or column.endswith("seconds"):
            shown[column] = shown[column].map(lambda v: f"{v:.1f}", na_action="ignore")
        elif "top" in column:
            shown[column] = shown[column].map(lambda v: f"{v:.2f}", na_action="ignore")
        elif "loss" in column or column in ("mask", "epoch"):
            shown[column] = shown[column].map(lambda v: f"{v:.4f}", na_action="ignore")
    text: str = shown.to_csv(index=False, lineterminator="\n")
    return text
