"""Which pixels of neighbouring frames show the same points, as far as their positions tell.

Zpos gives a point of the surface the same colour in every frame of a clip, so that nothing else is needed to follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.metrics import Step

ROUNDING = 1.0
"""Levels of Zpos by which one point may differ in two frames, besides half of what a pixel spans."""


def followed(here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Step:
    """Where the points that one frame shows are seen in another.

    Args:
        here: (H, W, 4) uint8, Zpos.
        there: the same of the other frame.

    Returns:
        The wholly covered pixels of `here` whose points are seen there too, each with the pixel that is nearest to its
        own by position.
    """
    pixels, others = (np.flatnonzero(pos[..., 3] == 255).astype(np.int32) for pos in (here, there))
    if not len(pixels) or not len(others):
        return Step(pixels[:0], others[:0])
    levels = there[..., :3].astype(np.float32)
    reach = _span(levels, np.asarray(there[..., 3] == 255)).ravel()[others] / 2 + ROUNDING
    apart, nearest = scipy.spatial.cKDTree(levels.reshape(-1, 3)[others]).query(here.reshape(-1, 4)[pixels, :3])
    nearest = np.asarray(nearest)
    found = np.asarray(apart <= reach[nearest])
    return Step(pixels[found], others[nearest[found]])


def _span(places: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
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


def steps_between(pairs: Sequence[Pair]) -> list[Step]:
    """From each frame of a clip to the next; empty for views that are no frames."""
    nothing = np.zeros(0, np.int32)
    return [
        followed(one.pos, other.pos) if other.frame == one.frame + 1 else Step(nothing, nothing)
        for one, other in pairwise(pairs)
        if one.frame is not None
    ]
