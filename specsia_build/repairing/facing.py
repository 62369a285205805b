"""Find by a small network which side a drawing shows; ``python -m benchmarks.facing`` trains it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.arrays import Floats, Pixels
from specsia_build.characters.front import FRONT_SIZE, MARGIN, features, layer, measures, networks
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.warning import Warning

DRAWN_SIDES = ("front", "left", "back", "right")
"""The character's own side that is shown, counter-clockwise seen from above, as yaw 0, 90, 180 and 270: a
character whose left side is shown looks to the left of the picture."""

_WEIGHTS = Path(__file__).parent / "weights"
MIRRORED = np.array([0, 3, 2, 1])  # Place in `DRAWN_SIDES` of each side's mirror image
# How often drawings show each side, relative to the front, as logits
RARE = np.log(np.array([1.0, 0.15, 0.15, 0.15]))

SURE, UNSURE_FRONT = 0.98, 0.5
"""Probability of a side from which it is taken, and of the front below which the others are mentioned."""


def choose_facing(figure: Pixels) -> tuple[str, tuple[Warning, ...]]:
    """Choose the side of `DRAWN_SIDES` that a figure (h, w, 4) on transparency shows; returns warnings too.

    It is the front unless another side is sure.
    """
    chances = facing_chances(figure)
    side = DRAWN_SIDES[int(chances.argmax())]
    if side != "front" and chances.max() >= SURE:
        sentence = f"the drawing seems to show the character's {side} side: if not, give --facing front"
        return side, (Warning("side-unsure", sentence, side),)
    if chances[0] >= UNSURE_FRONT:
        return "front", ()
    others = "|".join(
        name for name in ("left", "right", "back") if chances[DRAWN_SIDES.index(name)] > chances.max() / 4
    )
    sentence = f"the drawing may show the character from another side: if so, give --facing {others}"
    return "front", (Warning("side-unsure", sentence, others),)


def facing_chances(figure: Pixels) -> NDArray[np.float64]:
    """Probability of each of `DRAWN_SIDES` for a figure (h, w, 4) on transparency, (4,)."""
    own = crop_of(figure)
    crops = np.stack([own, own[:, ::-1]])
    measured = np.stack([measures(crop) for crop in crops])
    logits = np.mean([side_logits(crops, measured, tensors) for tensors in networks(_WEIGHTS)], axis=0)
    scores = (logits[0] + logits[1][MIRRORED]) / 2 + RARE
    chances: NDArray[np.float64] = np.exp(scores - scores.max())
    return np.asarray(chances / chances.sum())


def side_logits(crops: Floats, measured: Floats, tensors: Mapping[str, Floats]) -> Floats:
    """Logits of `DRAWN_SIDES` (N, 4) for crops (N, `FRONT_SIZE`, `FRONT_SIZE`, 4) and their measures."""
    hidden = layer(features(crops, measured, tensors), tensors, "hidden")
    return hidden @ tensors["score.weight"] + tensors["score.bias"]


def crop_of(figure: Pixels) -> Floats:
    """Square crop (`FRONT_SIZE`, `FRONT_SIZE`, 4) float32 of a figure, 0 to 1, with premultiplied colours."""
    rows, columns = box_around(figure[..., 3] >= HALF_COVERED)
    half = MARGIN * max(rows.stop - rows.start, columns.stop - columns.start) / 2
    middle_x, middle_y = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    margin = int(half) + 2
    wide = np.pad(figure[rows, columns], ((margin, margin), (margin, margin), (0, 0)))
    x, y = middle_x - columns.start + margin, middle_y - rows.start + margin
    image = Image.fromarray(wide).convert("RGBa")
    edges = (x - half, y - half, x + half, y + half)
    crop = image.resize((FRONT_SIZE, FRONT_SIZE), Image.Resampling.BOX, edges)
    return np.asarray(crop, np.float32) / np.float32(255)
