"""Pairs made of numbers, for tests that need no character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import Augment, TrainConfig
from specsia_build.dravie.data.frames import Frames
from specsia_build.dravie.data.patches import PatchSampler


def make_pair(seed: int, size: int = 40, grown: int = 2) -> Pair:
    """A random texture in an ellipse that touches the frame's left border, and Y* a little larger than it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    distance = np.hypot((y - size / 2) / 0.3, (x - 0.15 * size) / 0.2) - size
    z, pos, gt = rng.integers(1, 256, (3, size, size, 4), dtype=np.uint8)
    z[distance > 0] = 0
    gt[distance > grown * 5] = 0
    pos[..., 3] = z[..., 3]
    pos[distance > 0] = 0
    return Pair(f"c{seed}_00", f"c{seed}", 0, z, pos, gt)


def sampler(
    frames: Sequence[Frames], batch: int, augment: Augment | None = None, size: int = 32, **settings: Any
) -> PatchSampler:
    """Patches of a model that sees no drawing, unless `settings` say so."""
    config = replace(TrainConfig(reference="none"), batch=batch, patch=size, **settings)
    return PatchSampler(frames, config, augment)
