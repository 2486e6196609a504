"""Which images make up a batch, and their views.

Sampling is with replacement, labelled images are among the unlabelled ones (as TorchSSL). All
randomness of iteration k comes from a generator seeded with (seed, k): a resumed run needs no
saved state to see the very batches that an uninterrupted one sees.
"""

from __future__ import annotations

import numpy as np
import torch

from own_impl.augment import POLICIES, normalise, strong_views, weak_views
from own_impl.config import Config
from own_impl.data import Data
from own_impl.fixmatch import Batch


def draw_batch(data: Data, config: Config, iteration: int, device: torch.device) -> Batch:
    """The batch of iteration `iteration` (from 0), ready for the network."""
    random = np.random.default_rng((config.seed, iteration))
    labelled = data.labelled[random.integers(0, len(data.labelled), config.batch_size)]
    unlabelled = random.integers(0, len(data.train_images), config.mu * config.batch_size)
    images = data.train_images[unlabelled]
    return Batch(
        labelled=normalise(weak_views(data.train_images[labelled], random), device),
        targets=torch.from_numpy(data.train_labels[labelled]).to(device),
        weak=normalise(weak_views(images, random), device),
        strong=normalise(strong_views(images, POLICIES[config.strong], random), device),
    )
