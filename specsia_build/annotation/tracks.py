"""Points of a moving surface: what one frame shows of them, found again in others as exactly as they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, ready, uncounted
from specsia_build.rendering.seen import SUBPIXEL, Seen

_HALF = SUBPIXEL // 2

_ROUNDING = 2.0
"""How far apart, in parts of a pixel, the edges of faces may lie that meet: vertices lie on whole ones."""

_SLACK = 32.0
"""Parts of a pixel that a point may be off beyond its distance from the pixel that shows it."""


@inlined
def _weights(corners, screen, x, y):  # type: ignore[no-untyped-def]
    """The weights of a face's corners at a place of the screen, inside of it or not."""
    a, b, c = corners[0], corners[1], corners[2]
    ax, ay = screen[a, 0] - x, screen[a, 1] - y
    bx, by = screen[b, 0] - x, screen[b, 1] - y
    cx, cy = screen[c, 0] - x, screen[c, 1] - y
    share = 1.0 / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    return (bx * cy - by * cx) * share, (cx * ay - cy * ax) * share, (ax * by - ay * bx) * share


@inlined
def _slopes(corners, screen, u, v, w):  # type: ignore[no-untyped-def]
    """What values of a face's corners grow by along x and along y, for a part of a pixel."""
    bx, by = screen[corners[1], 0] - screen[corners[0], 0], screen[corners[1], 1] - screen[corners[0], 1]
    cx, cy = screen[corners[2], 0] - screen[corners[0], 0], screen[corners[2], 1] - screen[corners[0], 1]
    share = 1.0 / (np.float64(bx) * cy - np.float64(by) * cx)
    return ((v - u) * cy - (w - u) * by) * share, ((w - u) * bx - (v - u) * cx) * share


@inlined
def _depths(corners, screen, depth, i, j, k):  # type: ignore[no-untyped-def]
    """Least and most depth of a face where its corners weigh i, j and k, within what vertices are rounded by: however
    steep it is, it is nowhere nearer than its nearest corner, nor farther than its farthest."""
    a, b, c = np.float64(depth[corners[0]]), np.float64(depth[corners[1]]), np.float64(depth[corners[2]])
    x, y = _slopes(corners, screen, a, b, c)
    z, more = i * a + j * b + k * c, _ROUNDING * (abs(x) + abs(y))
    return max(z - more, min(a, b, c)), min(z + more, max(a, b, c))


@inlined
def _stretch(corners, screen, rest):  # type: ignore[no-untyped-def]
    """How far points of a face that are a part of a pixel apart lie from each other at rest, at most; squared."""
    total = 0.0
    for k in range(3):
        x, y = _slopes(corners, screen, rest[corners[0], k], rest[corners[1], k], rest[corners[2], k])
        total += x * x + y * y
    return total


@inlined
def _beside(x, y, n):  # type: ignore[no-untyped-def]
    """Row and column of the n-th of the four pixels whose centres are around a place of the screen."""
    return int(np.floor(y - _HALF)) // SUBPIXEL + (n >> 1), int(np.floor(x - _HALF)) // SUBPIXEL + (n & 1)


@uncounted
def _is_shown_among(x, y, f, corners, weights, facing, found, seen, rest):  # type: ignore[no-untyped-def]
    """Whether a frame shows the point of a face that is at a place of its screen, where it shows other faces too.

    `found` is whether it shows the same face there.
    """
    faces, facings, screen, depth, shown, sample, offsets = seen
    a, b, c = corners[0], corners[1], corners[2]
    # Of a face that is edge on here nothing is known but where it is.
    flat = facings[f] == 0
    z = np.float64(weights[0] * depth[a] + weights[1] * depth[b] + weights[2] * depth[c])
    if not flat:
        z, _ = _depths(corners, screen, depth, weights[0], weights[1], weights[2])
    own = 0.0 if flat else _stretch(corners, screen, rest)
    last = f
    for n in range(4):
        row, column = _beside(x, y, n)
        g = shown[row, column] if 0 <= row < len(shown) and 0 <= column < len(shown) else -1
        if g < 0 or g == f or (found and g == last):
            continue
        last, other = g, faces[g]
        i, j, k = _weights(other, screen, x, y)
        if min(i, j, k) >= 0:
            _, front = _depths(other, screen, depth, i, j, k)
            if front < z - 1e-6:
                return False
        if found or facings[g] != facing:
            continue
        s = sample[row, column]
        at_x, at_y = column * SUBPIXEL + _HALF + offsets[s, 0], row * SUBPIXEL + _HALF + offsets[s, 1]
        i, j, k = _weights(other, screen, at_x, at_y)
        apart = 0.0
        for axis in range(3):
            point = weights[0] * rest[a, axis] + weights[1] * rest[b, axis] + weights[2] * rest[c, axis]
            other_point = i * rest[other[0], axis] + j * rest[other[1], axis] + k * rest[other[2], axis]
            apart += (point - other_point) ** 2
        reach = np.hypot(at_x - x, at_y - y) + _SLACK
        found = apart <= reach * reach * max(own, _stretch(other, screen, rest))
    return found


@inlined
def _placed(corners, weights, screen):  # type: ignore[no-untyped-def]
    """Where a point is by the vertices that it lies between, x and y in parts of a pixel."""
    x, y = 0.0, 0.0
    for k in range(3):
        x += weights[k] * screen[corners[k], 0]
        y += weights[k] * screen[corners[k], 1]
    return x, y


@inlined
def _is_shown(x, y, f, corners, weights, facing, seen, rest):  # type: ignore[no-untyped-def]
    """Whether a frame shows a point of a face that is at a place of its screen; see `tracks.shown`."""
    facings, shown = seen[1], seen[4]
    size = len(shown)
    turned = facings[f] != facing and facings[f] != 0
    if turned or not (0 <= x < size * SUBPIXEL and 0 <= y < size * SUBPIXEL):
        return False
    if shown[int(y) // SUBPIXEL, int(x) // SUBPIXEL] == f:
        return True
    found, others = False, False
    for n in range(4):
        row, column = _beside(x, y, n)
        g = shown[row, column] if 0 <= row < size and 0 <= column < size else -1
        found |= g == f
        others |= g >= 0 and g != f
    return _is_shown_among(x, y, f, corners, weights, facing, found, seen, rest) if others else found


@uncounted
def place(corners, weights, screen, places):  # type: ignore[no-untyped-def]
    """Fill `places` (N, 2) float64, in pixels, of points by the vertices that they lie between."""
    for n in range(len(corners)):
        x, y = _placed(corners[n], weights[n], screen)
        places[n, 0], places[n, 1] = x / SUBPIXEL, y / SUBPIXEL


@uncounted
def show(face, corners, weights, facing, places, seen, rest, visible):  # type: ignore[no-untyped-def]
    """Fill `visible` (N,) bool of points that are at places of a frame; see `tracks.shown`.

    Args:
        seen: faces, facing, screen, depth, face, sample and offsets of the frame's `Seen`.
        rest: (V, 3) float64.
    """
    for n in range(len(face)):
        x, y = places[n, 0] * SUBPIXEL, places[n, 1] * SUBPIXEL
        visible[n] = _is_shown(x, y, face[n], corners[n], weights[n], facing[n], seen, rest)


@uncounted
def carry(box, weights, here, there, rest, pixels, unmatched):  # type: ignore[no-untyped-def]
    """Fill `pixels` (S, S, 2), zeros before, and `unmatched` (S, S), true before, where a frame shows a point.

    Args:
        box: outside of which it shows none, see `Seen`.
        weights: (S, S, 3) float32 of the points.
        here, there: of the frame and the other one; see `show`.
        rest: (V, 3) float64.
    """
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            f = here[4][row, column]
            if f < 0:
                continue
            corners, weight = here[0][f], weights[row, column]
            x, y = _placed(corners, weight, here[2])
            to_x, to_y = _placed(corners, weight, there[2])
            pixels[row, column, 0] = to_x / SUBPIXEL - x / SUBPIXEL
            pixels[row, column, 1] = to_y / SUBPIXEL - y / SUBPIXEL
            unmatched[row, column] = not _is_shown(to_x, to_y, f, corners, weight, here[1][f], there, rest)


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
