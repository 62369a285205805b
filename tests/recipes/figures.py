"""A figure of two regions that walks to the right, with all layers known: clips made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.segments import segments
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written
from tests.recipes import drawn
from tests.recipes.drawn import clip_frames, part_of

SIZE, STEP = 40, 2

PALETTE = [[200, 80, 40], [30, 90, 210]]


def label_at(column: int | None) -> NDArray[np.int32]:
    """A body, region 0, with a head, region 1, on it, from a column on; nothing where that is None."""
    label = np.full((SIZE, SIZE), -1, np.int32)
    if column is not None:
        label[18:32, column : column + 12] = 0
        label[10:18, column + 3 : column + 9] = 1
    return label


def line_of(label: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Anti-aliased: black within every border, and grey, too light for a line, beside it."""
    line = np.full(label.shape, 255, np.uint8)
    padded = np.pad(label, 1, constant_values=-1)
    beside = [padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1]]
    border = np.any([other != label for other in beside], axis=0)
    line[border] = 220
    line[border & (label >= 0)] = 0
    return line


def walking(
    clip: str, columns: Sequence[int | None], yaws: float | Sequence[float] = 0.0, *, lines: bool = True
) -> ClipFrames:
    """A clip of the figure from those columns on."""
    labels = [label_at(column) for column in columns]
    lined = [line_of(label) if lines else np.full(label.shape, 255, np.uint8) for label in labels]
    masks = [np.where(label >= 0, 255, 0).astype(np.uint8) for label in labels]
    flat = np.array([[*PALETTE[0], 255], [*PALETTE[1], 255], [0, 0, 0, 0]], np.uint8)
    layers: dict[str, Sequence[Any]] = {
        "color": [flat[label] for label in labels],
        "line": lined,
        "label": labels,
        "seg": [segments(*frame) for frame in zip(lined, labels, masks, strict=True)],
        "flow": [*(_flow(*pair) for pair in pairwise(columns)), None],
        "unmatched": [*(_unmatched(*pair) for pair in pairwise(columns)), None],
        "back": [None, *(_flow(*reversed(pair)) for pair in pairwise(columns))],
        "back_unmatched": [None, *(_unmatched(*reversed(pair)) for pair in pairwise(columns))],
    }
    return clip_frames(clip, layers, yaws, palette=PALETTE)


def _flow(here: int | None, there: int | None) -> NDArray[np.float32]:
    flow = np.zeros((SIZE, SIZE, 2), np.float32)
    flow[label_at(here) >= 0, 0] = 0 if here is None or there is None else there - here
    return flow


def _unmatched(here: int | None, there: int | None) -> NDArray[np.bool_]:
    """As where a point is is, what shows none is unmatched; the figure is never hidden but where it is away."""
    return (label_at(here) < 0) | (there is None)


def written(recipe: Recipe, clips: Sequence[ClipFrames], out: Path, split: str = "train") -> tuple[Part, Written]:
    """Write a part of some clips of a character, and what is on record of it."""
    key = clips[0].meta["id" if recipe.by == "clip" else "character"]
    part = part_of(key, clips, split)
    return part, drawn.written(recipe, part, out)
