"""Where the visible points of a moving surface go from one frame to another, as exactly as it is drawn.

A mesh drawn with the vertices of another frame in the place of its rest positions shows at each pixel where the point
that is seen there is in that frame: `going` is that mesh, and `flow` what the camera makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.frame import Camera
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh

SLACK_PX = 0.5
"""How far, in pixels, the rest positions of one point may lie apart in two frames, beyond what a pixel spans there."""


@dataclass(frozen=True)
class Flow:
    """Where the points seen at pixels go.

    Attributes:
        pixels: (H, W, 2) float32, columns and rows to where the point is in the other frame; 0 where nothing is seen.
        unmatched: (H, W) bool, the point is hidden or outside there; true where nothing is seen.
    """

    pixels: NDArray[np.float32]
    unmatched: NDArray[np.bool_]


def going(here: Mesh, there: Mesh) -> Mesh:
    """A posed mesh that shows as its position where each point is in another pose of it."""
    return replace(here, rest=there.vertices)


def flow(here: Layers, goes: NDArray[np.float32], there: Layers, camera: Camera) -> Flow:
    """The flow of a surface from one frame to another, seen by one camera.

    Args:
        here: of the frame, whose positions are those at rest.
        goes: (H, W, 3) float32, the positions of the same frame drawn of `going`.
        there: of the other frame, whose positions are those at rest.
        camera: of all three.
    """
    seen = here.mask > 0
    centres = np.indices(seen.shape)[::-1].transpose(1, 2, 0) + 0.5
    place = camera.project(goes)[..., :2]
    pixels = np.where(seen[..., None], place - centres, 0).astype(np.float32)
    row, column = np.nonzero(seen)
    found = _shown(here.position[row, column], place[row, column], there, SLACK_PX / camera.pixels_per_unit)
    unmatched = np.ones(seen.shape, np.bool_)
    unmatched[row, column] = ~found
    return Flow(pixels, unmatched)


def _shown(rest: NDArray[np.float32], place: NDArray[np.float64], there: Layers, slack: float) -> NDArray[np.bool_]:
    """Whether points at rest (N, 3) are those that a frame shows at places (N, 2), columns and rows in pixels."""
    height, width = there.mask.shape
    inside = np.asarray(((place >= 0) & (place < (width, height))).all(axis=1))
    seen = there.mask > 0
    far = span(there.position, seen)
    found = np.zeros(len(rest), np.bool_)
    corner = np.floor(np.where(inside[:, None], place, 0) - 0.5).astype(np.intp)
    for step in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = np.clip(corner + step, 0, (width - 1, height - 1)).T
        apart = np.linalg.norm(there.position[row, column] - rest, axis=1)
        found |= seen[row, column] & (apart <= far[row, column] + slack)
    return np.asarray(found & inside)


def span(places: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W) how far places (H, W, 3) are apart from a pixel to the next that is seen, not across a fold."""
    total = np.zeros(seen.shape, np.float32)
    for axis in (0, 1):
        ends = [slice(None), slice(None)]
        ends[axis] = slice(1, None)
        starts = [slice(None), slice(None)]
        starts[axis] = slice(None, -1)
        after, before = tuple(ends), tuple(starts)
        apart = np.linalg.norm(np.diff(places, axis=axis), axis=-1)
        apart[~(seen[after] & seen[before])] = np.inf
        least = np.full(total.shape, np.inf, np.float32)
        least[before] = apart
        least[after] = np.minimum(least[after], apart)
        total += np.where(np.isfinite(least), least, 0)
    return total
