"""Images computed from a renderer's layers: position colours and the edge image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import POSITION_AXES, position_codes
from specsia_build.jit import compiled, inlined, ready
from specsia_build.pictures.masks import box_around

EDGE_THRESHOLD = 0.3  # Gradient magnitude of position/255 from which the published set draws an edge
EDGE_OUTSIDE = 2.0  # Position code of the background, so that the silhouette is an edge too

MOST_OFF_COLOUR, COLOUR_TOLERANCE = 0.05, 16
"""Largest share of the pixels of a contour of one colour that differ from it by more than so many levels."""

_MOST_SQUARED, _OUTSIDE = int((255 * EDGE_THRESHOLD) ** 2), int(255 * EDGE_OUTSIDE)
"""The same in levels, whose squares are whole numbers."""


@inlined
def _code(value):  # type: ignore[no-untyped-def]
    """The nearest of 0 … 255, halves upwards."""
    return np.uint8(np.int32(min(255.0, max(0.0, value)) + 0.5))


@compiled
def _encode(position, alpha, gain, offset):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    out = np.zeros((height, width, 4), np.uint8)
    # Outside of the loop, where they would be loaded again for every pixel.
    first, second, third = POSITION_AXES
    by_first, by_second, by_third = gain[0], gain[1], gain[2]
    at_first, at_second, at_third = offset[0], offset[1], offset[2]
    for y in range(height):
        any_alpha = np.uint8(0)
        for x in range(width):
            any_alpha |= alpha[y, x]
        if any_alpha == 0:
            continue
        for x in range(width):
            if alpha[y, x] == 0:
                continue
            out[y, x, 0] = _code(by_first * position[y, x, first] + at_first)
            out[y, x, 1] = _code(by_second * position[y, x, second] + at_second)
            out[y, x, 2] = _code(by_third * position[y, x, third] + at_third)
            out[y, x, 3] = alpha[y, x]
    return out


def position_image(
    position: NDArray[np.float32],
    alpha: NDArray[np.uint8],
    box_min: NDArray[np.floating],
    box_max: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """Zpos: (H, W, 4) uint8 of positions (H, W, 3) in units, coloured by the box, with the given alpha (H,
    W)."""
    gain, offset = position_codes(list(box_min), list(box_max))
    return np.asarray(_encode(ready(position), ready(alpha), gain, offset))


@inlined
def _mirrored(i, count):  # type: ignore[no-untyped-def]
    """Index of one pixel of mirrored border (without the edge row itself), as OpenCV's default has it."""
    if i < 0:
        return min(1, count - 1)
    return i if i < count else max(0, count - 2)


@inlined
def _level(pixel, c):  # type: ignore[no-untyped-def]
    """Channel `c` of a pixel for the edge image, or the code of the background."""
    return np.int16(pixel[c]) if pixel[3] == 255 else np.int16(_OUTSIDE)


@compiled
def _edge(pos):  # type: ignore[no-untyped-def]
    height, width = pos.shape[0], pos.shape[1]
    padded = np.empty((height + 2, width + 2), np.int16)
    largest = np.zeros((height, width), np.int32)
    out = np.empty((height, width), np.uint8)
    for c in range(3):
        for y in range(height + 2):
            row, to = pos[_mirrored(y - 1, height)], padded[y]
            for x in range(width):
                to[x + 1] = _level(row[x], c)
            to[0], to[width + 1] = to[_mirrored(-1, width) + 1], to[_mirrored(width, width) + 1]
        for y in range(height):
            upper, middle, lower, to = padded[y], padded[y + 1], padded[y + 2], largest[y]
            for x in range(width):
                # In 16 bits as far as they fit: twice as many then fit a register.
                west = np.int16(upper[x] + 2 * middle[x] + lower[x])
                east = np.int16(upper[x + 2] + 2 * middle[x + 2] + lower[x + 2])
                north = np.int16(upper[x] + 2 * upper[x + 1] + upper[x + 2])
                south = np.int16(lower[x] + 2 * lower[x + 1] + lower[x + 2])
                gx, gy = np.int32(np.int16(east - west)), np.int32(np.int16(south - north))
                to[x] = max(to[x], np.int32(gx * gx + gy * gy))
    for y in range(height):
        for x in range(width):
            out[y, x] = 0 if largest[y, x] > _MOST_SQUARED else 255
    return out


def edge_image(pos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The published set's edge image of a position image (H, W, 4): (H, W) uint8, 0 on edges and 255
    elsewhere."""
    out, covered = np.full(pos.shape[:2], np.uint8(255)), pos[..., 3] == 255
    if covered.any():
        # Beyond a margin of two pixels there are no edges, and a mirrored border changes nothing.
        window = box_around(covered, 2)
        out[window] = _edge(ready(pos[window]))
    return out


def contour_colour(gt: NDArray[np.uint8], gt_mask: NDArray[np.uint8]) -> list[int]:
    """Mean colour, three levels, of the contour of Y* (H, W, 4) outside its silhouette (H, W); black without
    one."""
    alpha = np.where(gt_mask == 0, gt[..., 3], np.uint8(0))
    weights = alpha[alpha > 0].astype(np.float64)
    sums = weights @ gt[alpha > 0][:, :3].astype(np.float64)
    return [int(level + 0.5) for level in sums / max(1.0, weights.sum())]


def off_colour(gt: NDArray[np.uint8], gt_mask: NDArray[np.uint8], colour: Sequence[int]) -> NDArray[np.bool_]:
    """Whether each of the N pixels of a contour, see `contour_colour`, differs from its colour; (N,)."""
    levels = gt[(gt_mask == 0) & (gt[..., 3] > 0), :3].astype(np.int16)
    return np.asarray((abs(levels - np.asarray(colour)) > COLOUR_TOLERANCE).any(axis=-1))
