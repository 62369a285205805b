"""Paint frames of a turn: the drawing itself in front, its colours beside it, and a model's elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy

from specsia_build.arrays import Pixels
from specsia_build.dravie.drawing import NO_CONTOUR, Drawing, visible_places
from specsia_build.dravie.model.predictor import Predictor
from specsia_build.dravie.repair.apply import repair
from specsia_build.repairing.drawing import Frontal

Painter = Callable[[Pixels, Pixels, float], Pixels]
"""Repairs a frame: Z and Zpos, (S, S, 4) uint8 each, and the yaw in degrees, to (S, S, 4) uint8."""

_AROUND = 60.0  # Degrees from the front at which the drawing's own colours have faded out
_RIM = 2.0  # Pixels inside of an edge over which they fade out as well


def as_it_is(z: Pixels, pos: Pixels, yaw: float) -> Pixels:
    """Return Z, as pixel art needs no model."""
    return z.copy()


def seen_by_network(front: Frontal, pos: Pixels) -> Drawing:
    """A drawing in the reconstruction's scale as a network sees it; `pos` (S, S, 4) uint8: frame 0's Zpos."""
    # The line's colour is mixed with the figure's where they meet.
    return Drawing(*visible_places(pos, front.color, front.mask), front.ink or NO_CONTOUR)


def with_back(drawing: Drawing, back: Frontal, pos: Pixels) -> Drawing:
    """A drawing with a drawn back, its colours at positions of the view from behind, Zpos (S, S, 4) uint8."""
    return replace(drawing, back=visible_places(pos, back.color, back.mask))


def painter(predictor: Predictor, drawing: Drawing) -> Painter:
    """Return a function that repairs frames, which do not jump where the film passes the drawing."""

    def paint(z: Pixels, pos: Pixels, yaw: float) -> Pixels:
        out = repair(predictor, z, pos, drawing)
        share = _share(yaw)
        if share == 0:
            return out
        depth = scipy.ndimage.distance_transform_edt((z[..., 3] == 255) & (out[..., 3] == 255))
        return drawing.paste(z, pos, out, share * np.clip(depth / _RIM - 0.5, 0, 1)[..., None])

    return paint


def _share(yaw: float) -> float:
    """Share of the drawing's colours in a frame: 1 from the front, 0 beyond `_AROUND` degrees, smoothly."""
    away = min(abs((yaw + 180) % 360 - 180) / _AROUND, 1.0)
    return 1 - away * away * (3 - 2 * away)
