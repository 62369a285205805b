"""Apply the network to a frame: to a window around Z, in overlapping tiles if it is large."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import scipy

from specsia_build.arrays import Floats, Pixels
from specsia_build.dravie.config import PATCH, REACH
from specsia_build.dravie.data.encoding import decode_output, encode_input
from specsia_build.dravie.drawing import NO_DRAWING, Drawing, near
from specsia_build.dravie.model.predictor import GEOMETRY, Geometry, Predictor
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.ink import Ink
from specsia_build.rendering.layers import HALF_COVERED

_MARGIN = 32  # Pixels around Z that the network sees
_TILE = 768  # Largest side of a tile in pixels, without its overlap; bounds the network's memory
FARTHEST_PAINT = PATCH // 2 + REACH
"""Pixels from Z, along either axis, beyond which a result is transparent: no patch of training shows places
farther away, and there a network may paint a grey ground."""

SOFT = 2
"""Pixels beside a figure in which its edge may fade out. Faint paint farther out is a haze that no loss on
white sees: without it the alpha of `pretrained` errs 7 to 23 % less, and L1 by at most .0002 more."""


def _spans(length: int, tile: int, geometry: Geometry) -> Iterator[tuple[slice, slice, slice]]:
    """Yield the input of each tile along a side, the part of its output to keep, and where that belongs."""
    overlap = -(-geometry.reach // geometry.multiple) * geometry.multiple
    for start in range(0, length, tile):
        stop = min(length, start + tile)
        first, last = max(0, start - overlap), min(length, stop + overlap)
        yield slice(first, last), slice(start - first, stop - first), slice(start, stop)


def paint(predictor: Predictor, encoded: Floats, tile: int = _TILE) -> Floats:
    """Run a predictor on an encoded picture (H, W, C): (H, W, 4) float32 in [-1, 1].

    Tiles are multiples of 8 and overlap by the network's reach, so that their size changes the result by
    rounding only.
    """
    height, width = encoded.shape[:2]
    geometry = GEOMETRY[predictor.config.architecture]
    spans = (_spans(side, tile, geometry) for side in (height, width))
    painted = np.empty((height, width, 4), np.float32)
    for (in_y, keep_y, to_y), (in_x, keep_x, to_x) in product(*spans):
        painted[to_y, to_x] = predictor.predict(encoded[in_y, in_x])[keep_y, keep_x]
    return painted


def repair(predictor: Predictor, z: Pixels, pos: Pixels, drawing: Drawing = NO_DRAWING) -> Pixels:
    """Repair a frame; raises `SpecsiaError` if the device's memory is too small.

    Z, Zpos and the result are (H, W, 4) uint8 with straight alpha, of any size. The result is transparent
    farther than `FARTHEST_PAINT` from Z, and farther than `SOFT` from the figure: Z and connected paint of at
    least half coverage. A contour of Z in the drawing's ink lies below it and closes gaps.
    """
    out, config = np.zeros_like(z), predictor.config
    if not z[..., 3].any():
        return out
    # Aligned to the network's grid; slices may end beyond the frame.
    grid = GEOMETRY[config.architecture].multiple
    sides = box_around(z[..., 3] > 0, _MARGIN)
    window = tuple(slice(side.start // grid * grid, -(-side.stop // grid) * grid) for side in sides)
    encoded = encode_input(z[window], pos[window], config, drawing)
    result, covered = decode_output(paint(predictor, encoded)), z[window][..., 3] > 0
    result *= near(covered, FARTHEST_PAINT)[..., None]
    dense = result[..., 3] >= HALF_COVERED
    figure = scipy.ndimage.binary_propagation(covered, np.ones((3, 3), np.bool_), mask=covered | dense)
    result = result * near(figure, SOFT)[..., None]
    out[window] = _over_line(result, z[window], drawing.ink) if config.sees_drawing else result
    return out


def _over_line(result: Pixels, z: Pixels, ink: Ink) -> Pixels:
    """Composite a result over a contour of Z in the drawing's ink, at its full width."""
    if ink.width == 0:
        return result
    colours = ink.around(z)
    line = (draw_contour(z, z[..., 3], ink.width, colours)[..., 3:].astype(np.float32) - z[..., 3:]) / 255
    alpha = result[..., 3:].astype(np.float32) / 255
    below = (1 - alpha) * line
    colour = (alpha * result[..., :3] + below * colours) / np.maximum(alpha + below, 1e-6)
    laid: Pixels = np.rint(np.concatenate([colour, 255 * (alpha + below)], axis=2)).astype(np.uint8)
    return laid
