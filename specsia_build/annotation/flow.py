"""Where the visible points of a moving surface go from one frame to another, as exactly as it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.tracks import points_at, shown
from specsia_build.rendering.seen import Seen


@dataclass(frozen=True)
class Flow:
    """Where the points seen at pixels go.

    Attributes:
        pixels: (S, S, 2) float32, columns and rows by which the point is elsewhere in the other frame; exactly 0 for
            one that does not move, and where nothing is seen. A pixel's point is at its centre, or where the surface
            covers the pixel in part at the covered sample nearest to that: a pixel's centre is carried to within half
            a column and half a row of where its point is.
        unmatched: (S, S) bool, the other frame does not show the point, see `tracks.shown`; true where nothing is seen.
    """

    pixels: NDArray[np.float32]
    unmatched: NDArray[np.bool_]


def flow(here: Seen, there: Seen, rest: NDArray[np.floating]) -> Flow:
    """The flow of a surface from one frame to another; the other way round it is that backward.

    Args:
        here: of the frame.
        there: of the other, of the same mesh in whatever pose, by whatever camera.
        rest: (V, 3), the mesh's vertices at rest.
    """
    seen = np.flatnonzero(here.face >= 0)
    points = points_at(here, seen)
    places = points.places(there)
    pixels, unmatched = np.zeros((*here.face.shape, 2), np.float32), np.ones(here.face.shape, np.bool_)
    pixels.reshape(-1, 2)[seen] = places - points.places(here)
    unmatched.reshape(-1)[seen] = ~shown(points, places, there, rest)
    return Flow(pixels, unmatched)
