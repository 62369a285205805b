"""Validation of a training on whole frames of another split, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specsia_build import png
from specsia_build.dataset.pairs import PAIR_COLUMNS, decode_pair
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.drawings import Drawings, DrawnPair
from specsia_build.dravie.drawing import NO_DRAWING
from specsia_build.dravie.metrics import on_white, region
from specsia_build.dravie.model.networks import Generator
from specsia_build.dravie.repair.apply import repair

SPLIT = "validation"

VIEWS = 6  # Number of rows, spread over the split
SEAM = 4  # White pixels between the pictures of the grid


def validation_pairs(dataset: OpenedDataset, configs: Sequence[str], model: ModelConfig) -> list[DrawnPair]:
    """Read a few pairs of the validation split, spread over characters and views, without empty ones."""
    watched = []
    for config in configs:
        count = dataset.splits(config).get(SPLIT, 0)
        if not count:
            continue
        drawings = Drawings(dataset, config, (SPLIT,)) if model.sees_drawing else None
        numbers = np.unique(np.linspace(0, count - 1, max(1, VIEWS // len(configs))).astype(int))
        for pair in map(decode_pair, dataset.take(config, SPLIT, numbers.tolist(), PAIR_COLUMNS(dataset.kind))):
            if (pair.z[..., 3] | pair.gt[..., 3]).any():
                watched.append(DrawnPair(pair, drawings.of(pair.character_id) if drawings else NO_DRAWING))
    return watched


def validate(generator: Generator, watched: Sequence[DrawnPair]) -> tuple[float, float, bytes]:
    """Repair at least one pair, and measure the results.

    Returns:
        The mean absolute error over Z ∪ Y* of the results and of Z itself, and a PNG whose rows are Z, the result and
        Y*.
    """
    height, width = np.max([pair.z.shape[:2] for pair, _ in watched], axis=0) + SEAM
    grid = np.ones((len(watched), height, 3, width, 3), np.float32)
    errors = []
    for row, (pair, drawing) in zip(grid, watched, strict=True):
        z, gt = on_white(pair.z), on_white(pair.gt)
        result = on_white(repair(generator, pair.z, pair.pos, drawing))
        for number, picture in enumerate((z, result, gt)):
            row[: picture.shape[0], number, : picture.shape[1]] = picture
        pixels = region(pair)
        errors.append([float(np.abs(picture - gt)[pixels].mean()) for picture in (result, z)])
    ours, raw = np.mean(errors, axis=0).tolist()
    image = (grid.reshape(len(watched) * height, 3 * width, 3) * 255 + 0.5).astype(np.uint8)
    return ours, raw, png.encode(image)
