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
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.repairing.drawing import Frontal
from specsia_build.repairing.pixel_art import outlined

Painter = Callable[[Pixels, Pixels, float], Pixels]
"""Repairs a frame: Z and Zpos, (S, S, 4) uint8 each, and the yaw in degrees, to (S, S, 4) uint8."""

_AROUND = 60.0  # Degrees from the front at which the drawing's own colours have faded out
_RIM = 2.0  # Pixels inside of an edge over which they fade out as well


def art_painter(front: Frontal) -> Painter:
    """Return a function that shows frames as pixel art: in the pixels, colours and outline of the drawing."""
    size, pitch = len(front.image), front.pitch
    ink = None if front.ink is None else front.ink.scaled(1 / pitch)
    colours = np.unique(front.image[front.image[..., 3] == 255][:, :3], axis=0)
    nearest = scipy.spatial.cKDTree(colours)
    # Pixels of the art begin where the drawing does; the first one may begin before the frame.
    starts = [side.start % pitch - pitch for side in box_around(front.mask > 0)]
    cells = [np.floor((np.arange(size) - start) / pitch).astype(np.int64) for start in starts]
    middles = [
        np.floor(start + (np.arange(cell[-1] + 1) + 0.5) * pitch).astype(np.int64).clip(0, size - 1)
        for start, cell in zip(starts, cells, strict=True)
    ]

    def paint(z: Pixels, pos: Pixels, yaw: float) -> Pixels:
        art = z[np.ix_(*middles)]
        solid = art[..., 3] >= HALF_COVERED
        art[~solid] = 0
        art[solid, 3] = 255
        art[solid, :3] = colours[nearest.query(art[solid][:, :3])[1]]
        return np.ascontiguousarray(outlined(art, ink)[np.ix_(*cells)])

    return paint


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
