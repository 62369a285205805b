"""Validation of a training on whole frames of another split, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build import png
from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.drawings import Drawings
from specsia_build.dravie.metrics import on_white, region
from specsia_build.dravie.reference import NO_DRAWING, Drawing
from specsia_build.dravie.repair.apply import repair

SPLIT = "validation"

VIEWS = 6
"""Number of rows, spread over the split."""

SEAM = 4
"""White pixels between the pictures of the grid."""


class Watched(NamedTuple):
    """A pair of the validation split, and the drawing of its character."""

    pair: Pair
    drawing: Drawing = NO_DRAWING


def validation_pairs(dataset: OpenedDataset, configs: Sequence[str], model: ModelConfig) -> list[Watched]:
    """Read a few pairs of the validation split, spread over characters and views, without those that show nothing."""
    found = []
    for config in configs:
        count = dataset.splits(config).get(SPLIT, 0)
        if count:
            drawings = Drawings(dataset, config, (SPLIT,)) if model.sees_drawing else None
            numbers = np.unique(np.linspace(0, count - 1, max(1, VIEWS // len(configs))).astype(int))
            for pair in map(decode_pair, dataset.take(config, SPLIT, numbers.tolist(), PAIR_COLUMNS(dataset.kind))):
                if (pair.z[..., 3] | pair.gt[..., 3]).any():
                    found.append(Watched(pair, drawings.of(pair.character_id) if drawings else NO_DRAWING))
    return found


def _error(picture: NDArray[np.uint8], pair: Pair) -> float:
    difference = np.abs(on_white(picture) - on_white(pair.gt))
    return float(difference[region(pair)].mean())


def _row(pictures: Sequence[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """Lay pictures beside each other on white, each in a field of that size and a seam."""
    fields = np.ones((height + SEAM, len(pictures), width + SEAM, 3), np.float32)
    for number, picture in enumerate(pictures):
        fields[: picture.shape[0], number, : picture.shape[1]] = on_white(picture)
    return (fields.reshape(height + SEAM, -1, 3) * 255 + 0.5).astype(np.uint8)


def validate(
    model: nn.Module, config: ModelConfig, watched: Sequence[Watched], device: torch.device
) -> tuple[float, float, bytes]:
    """Repair pairs and measure the results.

    Args:
        model: a generator in evaluation mode.
        config: of it.
        watched: at least one, of any sizes, none all background.
        device: that the model is on.

    Returns:
        The mean absolute error over Z ∪ Y* of what it paints, the same of Z itself, and a PNG whose rows are Z, what it
        paints and Y*.
    """
    pairs = [pair for pair, _ in watched]
    results = [repair(model, config, pair.z, pair.pos, device, drawing) for pair, drawing in watched]
    height, width = np.max([pair.z.shape[:2] for pair in pairs], axis=0)
    rows = [_row((pair.z, result, pair.gt), height, width) for pair, result in zip(pairs, results, strict=True)]
    ours = np.mean([_error(result, pair) for pair, result in zip(pairs, results, strict=True)])
    raw = np.mean([_error(pair.z, pair) for pair in pairs])
    return float(ours), float(raw), png.encode(np.concatenate(rows))
