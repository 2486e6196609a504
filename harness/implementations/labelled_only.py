"""Our FixMatch without its unlabelled loss: what the unlabelled images are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.implementations.interface import Baseline
from harness.implementations.own import Own


class LabelledOnly(Own):
    """`own_impl` with `--lambda-u 0`, and nothing else changed."""

    name = "labelled_only"
    title = "Labelled images only (own)"
    departs: ClassVar[Mapping[str, Any]] = {"lambda_u": 0.0}
    baseline = Baseline(
        of="own",
        note="FixMatch (own) with lambda_u = 0, so that no unlabelled loss moves a weight. All "
        "else is the same, the joint batch too: batch norm still sees the unlabelled views. Their "
        "loss and mask are measured and not trained on.",
    )
