"""Images of a pair that are derived from what a renderer returns: position colours, and the edge image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import POSITION_AXES, position_codes
from specsia_build.jit import compiled

EDGE_THRESHOLD = np.float32(0.3)
"""Gradient magnitude of position/255 from which the published set draws an edge."""

EDGE_OUTSIDE = np.float32(2.0)
"""What stands for position where nothing is, so that the silhouette is an edge too."""

_AXES = np.array(POSITION_AXES)


@compiled
def _encode(position, alpha, axes, gain, offset):  # type: ignore[no-untyped-def]
    height, width = alpha.shape
    out = np.zeros((height, width, 4), np.uint8)
    for y in range(height):
        for x in range(width):
            if alpha[y, x] == 0:
                continue
            for c in range(3):
                value = gain[c] * position[y, x, axes[c]] + offset[c]
                out[y, x, c] = int(np.floor(min(255.0, max(0.0, value)) + 0.5))
            out[y, x, 3] = alpha[y, x]
    return out


def position_image(
    position: NDArray[np.float32],
    alpha: NDArray[np.uint8],
    box_min: NDArray[np.floating],
    box_max: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """Zpos: (H, W, 4) uint8 of positions (H, W, 3) in units, coloured by the box, with the given alpha (H, W)."""
    gain, offset = position_codes(list(box_min), list(box_max))
    return np.asarray(_encode(position, alpha, _AXES, gain, offset))


@compiled
def _edge(pos, threshold, outside):  # type: ignore[no-untyped-def]
    height, width = pos.shape[0], pos.shape[1]
    # One pixel of mirrored border (without the edge row itself), as OpenCV's default has it.
    padded = np.empty((height + 2, width + 2), np.float32)
    largest = np.zeros((height, width), np.float32)
    for c in range(3):
        for y in range(height + 2):
            v = y - 1
            if v < 0:
                v = min(1, height - 1)
            elif v >= height:
                v = max(0, height - 2)
            for x in range(width + 2):
                u = x - 1
                if u < 0:
                    u = min(1, width - 1)
                elif u >= width:
                    u = max(0, width - 2)
                padded[y, x] = outside if pos[v, u, 3] < 255 else pos[v, u, c] / np.float32(255)
        for y in range(height):
            for x in range(width):
                left = padded[y, x] + 2 * padded[y + 1, x] + padded[y + 2, x]
                right = padded[y, x + 2] + 2 * padded[y + 1, x + 2] + padded[y + 2, x + 2]
                above = padded[y, x] + 2 * padded[y, x + 1] + padded[y, x + 2]
                below = padded[y + 2, x] + 2 * padded[y + 2, x + 1] + padded[y + 2, x + 2]
                gx, gy = right - left, below - above
                squared = gx * gx + gy * gy
                if squared > largest[y, x]:
                    largest[y, x] = squared
    out = np.empty((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            out[y, x] = 0 if largest[y, x] > threshold * threshold else 255
    return out


def edge_image(pos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The published set's edge image of a position image (H, W, 4): (H, W) uint8, 0 on edges and 255 elsewhere."""
    return np.asarray(_edge(pos, EDGE_THRESHOLD, EDGE_OUTSIDE))
