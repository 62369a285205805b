"""Find which side a drawing shows, by what the network that finds joints sees in it.

``python -m benchmarks.facing`` trains it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.backends.relief.net import kept_on_white
from specsia_build.backends.relief.sheets import SIZE, crop_of
from specsia_build.characters.front import layer
from specsia_build.networks.unet import read_tensors
from specsia_build.pictures.masks import resampled
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rigging.find import KINDS, Sight, kind_chances, sight_of
from specsia_build.warning import Warning

DRAWN_SIDES = ("front", "left", "back", "right")
"""The character's own side that is shown, counter-clockwise seen from above, as yaw 0, 90, 180 and 270: a
character whose left side is shown looks to the left of the picture."""

MIRRORED = np.array([0, 3, 2, 1])  # Place in `DRAWN_SIDES` of each side's mirror image
SIDE_WEIGHTS = Path(__file__).parent / "weights" / "facing.safetensors"
MOST_DEVIATIONS = 6.0  # Standard deviations from the mean at which what is seen is cut

# How often drawings show each side, relative to the front: of animals on four legs, and of all others.
_ON_FOUR_LEGS, _OTHERS = np.array([1.0, 2.0, 0.15, 2.0]), np.array([1.0, 0.03, 0.03, 0.03])

SURE, UNSURE_FRONT = 0.85, 0.83
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
    likely = chances >= chances[1:].max() / 4
    others = "|".join(name for name in ("left", "right", "back") if likely[DRAWN_SIDES.index(name)])
    sentence = f"the drawing may show the character from another side: if so, give --facing {others}"
    return "front", (Warning("side-unsure", sentence, others),)


def facing_chances(figure: Pixels) -> Doubles:
    """Probability of each of `DRAWN_SIDES` for a figure (h, w, 4) on transparency, (4,)."""
    views = _views(figure)
    on_four_legs = kind_chances(views)[KINDS.index("four-legged")]
    return _shares(even_of(views) * (on_four_legs * _ON_FOUR_LEGS + (1 - on_four_legs) * _OTHERS))


def even_chances(figure: Pixels) -> Doubles:
    """Probability of each of `DRAWN_SIDES` for a figure (h, w, 4), (4,), where all are as frequent."""
    return even_of(_views(figure))


def small_figure(figure: Pixels) -> Pixels:
    """Crop (SIZE, SIZE, 4) of a figure (h, w, 4) on white, its alpha kept."""
    crop = crop_of(figure[..., 3] >= HALF_COVERED)
    box = (crop.left, crop.top, crop.left + crop.side, crop.top + crop.side)
    return kept_on_white(resampled(figure, box, (SIZE, SIZE)))


def summary(view: Sight) -> Floats:
    """What is seen in a figure, (N,): mean, maximum and moments to the right and down of each feature."""
    parts = []
    for features in (view.inner, view.middle, view.outer):
        size = len(features) - 2
        step = SIZE // size
        shown = view.shown[step // 2 :: step, step // 2 :: step]
        seen = features[1:-1, 1:-1][shown]
        if not len(seen):
            parts.append(np.zeros(4 * features.shape[2], np.float32))
            continue
        places = ((np.argwhere(shown) + 0.5) * 2 / size - 1).astype(np.float32)
        parts += [seen.mean(axis=0), seen.max(axis=0), *(places.T[::-1] @ seen / np.float32(len(seen)))]
    return np.concatenate(parts)


def _views(figure: Pixels) -> tuple[Sight, Sight]:
    """How the networks see a figure and its mirror image."""
    small = small_figure(figure)
    return sight_of(small), sight_of(np.ascontiguousarray(small[:, ::-1]))


@cache
def _tensors() -> Mapping[str, Floats]:
    return read_tensors(SIDE_WEIGHTS)


def even_of(views: tuple[Sight, Sight]) -> Doubles:
    """Probability of each of `DRAWN_SIDES` (4,), where all are as frequent."""
    tensors = _tensors()
    seen = np.stack([summary(view) for view in views])
    apart = ((seen - tensors["mean"]) / tensors["spread"]).clip(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    scores = layer(apart, tensors, "hidden") @ tensors["score.weight"] + tensors["score.bias"]
    score = (scores[0] + scores[1][MIRRORED]).astype(np.float64) / 2
    return _shares(np.exp(score - score.max()))


def _shares(chances: Doubles) -> Doubles:
    return np.asarray(chances / chances.sum())
