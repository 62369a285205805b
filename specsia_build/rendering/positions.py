"""Images of positions: their colours, and the edges between them."""

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import ON_CHARACTER, PositionChannels, position_codes
from specsia_build.jit import compiled, inlined, ready
from specsia_build.pictures.masks import box_around

EDGE_THRESHOLD = 0.3  # Gradient magnitude of position/255 from which the published set draws an edge
EDGE_OUTSIDE = 2.0  # Position code of the background, so that the silhouette is an edge too

_MOST_SQUARED, _OUTSIDE = int((255 * EDGE_THRESHOLD) ** 2), int(255 * EDGE_OUTSIDE)
"""The same in levels, whose squares are whole numbers."""


@inlined
def _code(value):  # type: ignore[no-untyped-def]
    """The nearest of 0 … 255, halves upwards."""
    return np.uint8(np.int32(min(255.0, max(0.0, value)) + 0.5))


@compiled
def _encode(position, alpha, gain, offset, axes):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    out = np.zeros((height, width, 4), np.uint8)
    # Outside of the loop, where they would be loaded again for every pixel.
    first, second, third = axes
    by_first, at_first = gain[0], offset[0]
    by_second, at_second = gain[1], offset[1]
    by_third, at_third = gain[2], offset[2]
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
    channels: PositionChannels = ON_CHARACTER,
) -> NDArray[np.uint8]:
    """Zpos: (H, W, 4) uint8 of positions (H, W, 3) in units, coloured by the box.

    Its alpha is `alpha` (H, W). For `IN_VIEW`, positions and box are in the camera's axes.
    """
    gain, offset = position_codes(list(box_min), list(box_max), channels)
    return np.asarray(_encode(ready(position), ready(alpha), gain, offset, channels.axes))


@inlined
def _level(pixel, c):  # type: ignore[no-untyped-def]
    """Channel `c` of a pixel for the edge image, or the code of the background."""
    return np.int16(pixel[c]) if pixel[3] == 255 else np.int16(_OUTSIDE)


@compiled
def _edge(pos):  # type: ignore[no-untyped-def]
    """The edge image (H, W) uint8 of a position image (H + 2, W + 2, 4) with a border of one pixel."""
    height, width = pos.shape[0] - 2, pos.shape[1] - 2
    levels = np.empty((height + 2, width + 2), np.int16)
    largest = np.zeros((height, width), np.int32)
    out = np.empty((height, width), np.uint8)
    for c in range(3):
        for y in range(height + 2):
            row, to = pos[y], levels[y]
            for x in range(width + 2):
                to[x] = _level(row[x], c)
        for y in range(height):
            upper, middle = levels[y], levels[y + 1]
            lower, to = levels[y + 2], largest[y]
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
    """The published set's edge image of a position image (H, W, 4): (H, W) uint8, 0 on edges, else 255."""
    out, covered = np.full(pos.shape[:2], np.uint8(255)), pos[..., 3] == 255
    if covered.any():
        # Beyond a margin of two pixels there are no edges, and a mirrored border changes nothing.
        window = box_around(covered, 2)
        out[window] = _edge(np.pad(pos[window], ((1, 1), (1, 1), (0, 0)), mode="reflect"))
    return out
