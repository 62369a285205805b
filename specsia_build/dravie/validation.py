"""What a training is watched by: whole frames that it never sees, as numbers and as a picture to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build import png
from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.apply import repair
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.metrics import on_white, regions

SPLIT = "validation"

VIEWS = 6
"""Rows that are looked at, spread over the split."""

SEAM = 4
"""White pixels between the pictures of the grid."""


def validation_pairs(dataset: OpenedDataset, configs: Sequence[str]) -> list[Pair]:
    """A few pairs of the validation split, spread over characters and views; none where there is no such split."""
    found = []
    for config in configs:
        count = dataset.splits(config).get(SPLIT, 0)
        if count:
            wanted = np.unique(np.linspace(0, count - 1, max(1, VIEWS // len(configs))).astype(int))
            found += dataset.take(config, SPLIT, wanted.tolist(), PAIR_COLUMNS(dataset.kind))
    return [decode_pair(row) for row in found]


def _error(picture: NDArray[np.uint8], pair: Pair) -> float:
    difference = np.abs(on_white(picture) - on_white(pair.gt))
    return float(difference[regions(pair).region].mean())


def _row(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    padded = [np.pad(on_white(p), ((0, SEAM), (0, SEAM), (0, 0)), constant_values=1.0) for p in pictures]
    return (np.concatenate(padded, axis=1) * 255 + 0.5).astype(np.uint8)


def validate(
    model: nn.Module, config: ModelConfig, pairs: Sequence[Pair], device: torch.device
) -> tuple[float, float, bytes]:
    """Repair pairs.

    Args:
        model: a generator in evaluation mode.
        config: of it.
        pairs: at least one, all of one size.
        device: that the model is on.

    Returns:
        The mean absolute error over Z ∪ Y* of what it paints, the same of Z itself, and a PNG whose rows are Z, what it
        paints and Y*.
    """
    results = [repair(model, config, pair.z, pair.pos, device) for pair in pairs]
    grid = np.concatenate([_row((pair.z, result, pair.gt)) for pair, result in zip(pairs, results, strict=True)])
    ours = np.mean([_error(result, pair) for pair, result in zip(pairs, results, strict=True)])
    raw = np.mean([_error(pair.z, pair) for pair in pairs])
    return float(ours), float(raw), png.encode(grid)
