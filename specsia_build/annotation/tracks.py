"""Points of a moving surface: what one frame shows of them, found again in others as exactly as they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.visible import carry, place, show
from specsia_build.jit import ready
from specsia_build.rendering.seen import Seen


@dataclass(frozen=True)
class Points:
    """N points of a mesh's surface.

    Attributes:
        face: (N,) int32, which each lies on.
        corners: (N, 3) int32, vertices of that.
        weights: (N, 3) float32 of the corners, summing to 1.
        facing: (N,) int8, from which side it was seen: 1 outside, -1 inside.
    """

    face: NDArray[np.int32]
    corners: NDArray[np.int32]
    weights: NDArray[np.float32]
    facing: NDArray[np.int8]

    def places(self, seen: Seen) -> NDArray[np.float64]:
        """(N, 2) where they are in a frame of the mesh, x and y in pixels, centres of pixels at halves."""
        places = np.empty((len(self.face), 2))
        place(self.corners, self.weights, seen.screen, places)
        return places


def points_at(seen: Seen, pixels: NDArray[np.intp]) -> Points:
    """The points that a frame shows at pixels (N,), counted row by row, all of which show one."""
    face = seen.face.reshape(-1).take(pixels)
    weights = seen.weights.reshape(-1, 3).take(pixels, axis=0)
    return Points(face, seen.faces.take(face, axis=0), weights, seen.facing.take(face))


def shown(points: Points, places: NDArray[np.float64], seen: Seen, rest: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether a frame shows points.

    It does where a point lies inside the frame, on a face that is turned as it was, in a pixel that shows that face. At
    edges, and where faces are smaller than pixels, it does too where one of the four pixels around it shows the face,
    or what lies beside it at rest, and none of them a face that is in front of it.

    Args:
        points: N of them.
        places: (N, 2), theirs in the frame.
        seen: of a frame of the same mesh, in whatever pose, by whatever camera.
        rest: (V, 3), the mesh's vertices at rest.

    Returns:
        (N,).
    """
    visible = np.empty(len(places), np.bool_)
    of = (points.face, points.corners, points.weights, points.facing)
    show(*of, places, _known(seen), ready(rest, np.float64), visible)
    return visible


def _known(seen: Seen) -> tuple[NDArray[Any], ...]:
    """What `visible` asks of a frame."""
    return seen.faces, seen.facing, seen.screen, seen.depth, seen.face, seen.sample, seen.offsets


def chosen(seen: Seen, most: int) -> Points:
    """Points spread evenly over what a frame shows, at centres of pixels and away from outlines where that is possible.

    Each is the farthest on the screen from those before it, so that the first N of more are spread evenly too.

    Args:
        seen: of the frame.
        most: how many, where so many pixels show something; else there are fewer.
    """
    there = seen.face >= 0
    inner = there & (seen.sample == 0)
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(there, step, axis)
    pixels = np.flatnonzero(inner if inner.any() else there)
    return points_at(seen, pixels[_spread(*np.divmod(pixels, len(there)), most)])


def _spread(rows: NDArray[np.intp], columns: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Numbers of some of the pixels (M,), each the farthest from those before it; the first is the middle one."""
    if not len(rows):
        return np.zeros(0, np.intp)
    x, y = columns.astype(np.float32), rows.astype(np.float32)
    taken = [int(((x - x.mean()) ** 2 + (y - y.mean()) ** 2).argmin())]
    nearest = np.full(len(x), np.inf, np.float32)
    while len(taken) < min(most, len(x)):
        nearest = np.minimum(nearest, (x - x[taken[-1]]) ** 2 + (y - y[taken[-1]]) ** 2)
        taken.append(int(nearest.argmax()))
    return np.array(taken)


def tracked(points: Points, seen: Seen, rest: NDArray[np.floating]) -> NDArray[np.float32]:
    """Points in a frame: x and y in pixels, and 1 where it shows them, else 0; (N, 3).

    Args:
        points: N of them, as `chosen` from another frame of the mesh, or this one.
        seen: of the frame.
        rest: (V, 3), the mesh's vertices at rest.
    """
    places = points.places(seen)
    return np.concatenate([places, shown(points, places, seen, rest)[:, None]], axis=1, dtype=np.float32)


@dataclass(frozen=True)
class Flow:
    """Where the points seen at pixels go.

    Attributes:
        pixels: (S, S, 2) float32, columns and rows by which the point is elsewhere in the other frame; exactly 0 for
            one that does not move, and where nothing is seen. A pixel's point is at its centre, or where the surface
            covers the pixel in part at the covered sample nearest to that: a pixel's centre is carried to within half
            a column and half a row of where its point is.
        unmatched: (S, S) bool, the other frame does not show the point, see `shown`; true where nothing is seen.
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
    pixels, unmatched = np.zeros((*here.face.shape, 2), np.float32), np.ones(here.face.shape, np.bool_)
    carry(here.box, here.weights, _known(here), _known(there), ready(rest, np.float64), pixels, unmatched)
    return Flow(pixels, unmatched)
