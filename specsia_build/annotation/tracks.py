"""Flow and tracks: points of a surface that one frame shows, located in other frames."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, ready, uncounted
from specsia_build.rendering.layers import SUBPIXEL, Seen

_HALF = SUBPIXEL // 2

_ROUNDING = 2.0  # Parts of a pixel between edges of adjacent faces: vertices are rounded to whole parts
_SLACK = 32.0  # Parts of a pixel of tolerance beyond a point's distance from the pixel that shows it


@inlined
def _weights(corners, screen, x, y):  # type: ignore[no-untyped-def]
    """Barycentric weights of a place on the screen, inside of the face or not."""
    a, b = corners[0], corners[1]
    c = corners[2]
    ax, ay = screen[a, 0] - x, screen[a, 1] - y
    bx, by = screen[b, 0] - x, screen[b, 1] - y
    cx, cy = screen[c, 0] - x, screen[c, 1] - y
    share = 1.0 / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    return (bx * cy - by * cx) * share, (cx * ay - cy * ax) * share, (ax * by - ay * bx) * share


@inlined
def _slopes(corners, screen, u, v, w):  # type: ignore[no-untyped-def]
    """Slopes along x and y, for each part of a pixel, of values at a face's corners."""
    bx, by = screen[corners[1], 0] - screen[corners[0], 0], screen[corners[1], 1] - screen[corners[0], 1]
    cx, cy = screen[corners[2], 0] - screen[corners[0], 0], screen[corners[2], 1] - screen[corners[0], 1]
    share = 1.0 / (np.float64(bx) * cy - np.float64(by) * cx)
    return ((v - u) * cy - (w - u) * by) * share, ((w - u) * bx - (v - u) * cx) * share


@inlined
def _depths(corners, screen, depth, i, j, k):  # type: ignore[no-untyped-def]
    """Least and greatest depth of a face at weights i, j, k, within rounding and its corners' depths."""
    a = np.float64(depth[corners[0]])
    b = np.float64(depth[corners[1]])
    c = np.float64(depth[corners[2]])
    x, y = _slopes(corners, screen, a, b, c)
    z, more = i * a + j * b + k * c, _ROUNDING * (abs(x) + abs(y))
    return max(z - more, min(a, b, c)), min(z + more, max(a, b, c))


@inlined
def _stretch(corners, screen, rest):  # type: ignore[no-untyped-def]
    """Largest squared distance at rest of points of a face that are a part of a pixel apart on the screen."""
    total = 0.0
    for k in range(3):
        x, y = _slopes(corners, screen, rest[corners[0], k], rest[corners[1], k], rest[corners[2], k])
        total += x * x + y * y
    return total


@inlined
def _beside(x, y, n):  # type: ignore[no-untyped-def]
    """Row and column of the n-th of the four pixels whose centres surround a place on the screen."""
    return int(np.floor(y - _HALF)) // SUBPIXEL + (n >> 1), int(np.floor(x - _HALF)) // SUBPIXEL + (n & 1)


@uncounted
def _is_visible_among(place, point, same, seen, rest):  # type: ignore[no-untyped-def]
    """Whether a point of a face is visible where other faces show, too; `same`: and its own face does."""
    x, y = place
    f, corners, weights, facing = point
    faces, facings, screen, depth, visible_face, sample, offsets = seen
    size = len(visible_face)
    a, b = corners[0], corners[1]
    c = corners[2]
    # Nothing but its place is known of a face seen edge on.
    flat = facings[f] == 0
    z = np.float64(weights[0] * depth[a] + weights[1] * depth[b] + weights[2] * depth[c])
    if not flat:
        z, _ = _depths(corners, screen, depth, weights[0], weights[1], weights[2])
    own = 0.0 if flat else _stretch(corners, screen, rest)
    last = f
    for n in range(4):
        row, column = _beside(x, y, n)
        g = visible_face[row, column] if 0 <= row < size and 0 <= column < size else -1
        if g < 0 or g == f or (same and g == last):
            continue
        last, other = g, faces[g]
        i, j, k = _weights(other, screen, x, y)
        if min(i, j, k) >= 0:
            _, front = _depths(other, screen, depth, i, j, k)
            if front < z - 1e-6:
                return False
        if same or facings[g] != facing:
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
        same = apart <= reach * reach * max(own, _stretch(other, screen, rest))
    return same


@inlined
def _placed(corners, weights, screen):  # type: ignore[no-untyped-def]
    """Place of a point on the screen from its vertices, in parts of a pixel."""
    x, y = 0.0, 0.0
    for k in range(3):
        x += weights[k] * screen[corners[k], 0]
        y += weights[k] * screen[corners[k], 1]
    return x, y


@inlined
def _is_visible(place, point, seen, rest):  # type: ignore[no-untyped-def]
    """Whether a frame shows a point of `TrackPoints` that is at a place of its screen; see `tracked`."""
    x, y = place
    f, _, _, facing = point
    facings, visible_face = seen[1], seen[4]
    size = len(visible_face)
    turned = facings[f] != facing and facings[f] != 0
    if turned or not (0 <= x < size * SUBPIXEL and 0 <= y < size * SUBPIXEL):
        return False
    if visible_face[int(y) // SUBPIXEL, int(x) // SUBPIXEL] == f:
        return True
    same, others = False, False
    for n in range(4):
        row, column = _beside(x, y, n)
        g = visible_face[row, column] if 0 <= row < size and 0 <= column < size else -1
        same |= g == f
        others |= g >= 0 and g != f
    return _is_visible_among(place, point, same, seen, rest) if others else same


@uncounted
def _track(points, seen, rest, out):  # type: ignore[no-untyped-def]
    """Fill `out` (N, 3) float32: x and y of points in pixels, and 1 if visible; `seen` is from `_fields`."""
    for n in range(len(points.face)):
        point = points.face[n], points.corners[n], points.weights[n], points.facing[n]
        x, y = _placed(point[1], point[2], seen[2])
        out[n, 0], out[n, 1] = x / SUBPIXEL, y / SUBPIXEL
        out[n, 2] = _is_visible((x, y), point, seen, rest)


@uncounted
def _carry(box, weights, here, there, rest, out):  # type: ignore[no-untyped-def]
    """Fill `pixels` (S, S, 2), first 0, and `unmatched` (S, S), first true, where `here` shows a point.

    `here`, `there` are of `_fields`; `weights` (S, S, 3) float32 and `box` are of `here`. `out` holds both.
    """
    pixels, unmatched = out
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
            point = f, corners, weight, here[1][f]
            unmatched[row, column] = not _is_visible((to_x, to_y), point, there, rest)


class TrackPoints(NamedTuple):
    """N points of a surface."""

    face: NDArray[np.int32]  # (N,)
    corners: NDArray[np.int32]  # (N, 3), the faces' vertices
    weights: NDArray[np.float32]  # (N, 3), barycentric
    facing: NDArray[np.int8]  # (N,), side on which they were seen: 1 outside, -1 inside


def points_at(seen: Seen, pixels: NDArray[np.intp]) -> TrackPoints:
    """The points that a frame shows at pixels (N,), flat indices, each of which shows one."""
    face = seen.face.reshape(-1).take(pixels)
    weights = seen.weights.reshape(-1, 3).take(pixels, axis=0)
    return TrackPoints(face, seen.faces.take(face, axis=0), weights, seen.facing.take(face))


def chosen(seen: Seen, most: int) -> TrackPoints:
    """Choose at most `most` points spread evenly over a frame, at pixel centres, off outlines if possible.

    Each is the farthest from those before it, so that any first N are spread evenly.
    """
    there = seen.face >= 0
    inner = there & (seen.sample == 0)
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(there, step, axis)
    pixels = np.flatnonzero(inner if inner.any() else there)
    if not len(pixels):
        return points_at(seen, pixels)
    y, x = (place.astype(np.float32) for place in np.divmod(pixels, len(there)))
    # The first is in the middle.
    picked = [int(((x - x.mean()) ** 2 + (y - y.mean()) ** 2).argmin())]
    nearest = np.full(len(x), np.inf, np.float32)
    while len(picked) < min(most, len(x)):
        nearest = np.minimum(nearest, (x - x[picked[-1]]) ** 2 + (y - y[picked[-1]]) ** 2)
        picked.append(int(nearest.argmax()))
    return points_at(seen, pixels[picked])


def _fields(seen: Seen) -> tuple[NDArray[Any], ...]:
    """Fields of a frame that compiled code needs."""
    return seen.faces, seen.facing, seen.screen, seen.depth, seen.face, seen.sample, seen.offsets


def tracked(points: TrackPoints, seen: Seen, rest: NDArray[np.floating]) -> NDArray[np.float32]:
    """Track points into a frame: (N, 3), x and y in pixels, with centres at halves, and 1 if visible.

    A point is visible if it is inside the frame on a face turned as it was, and its pixel shows that face. At
    edges, and where faces are smaller than pixels, one of the four pixels around it must show the face, or
    the surface beside it at rest (V, 3), and none of them a face in front. Frames are of one mesh, in any
    pose and by any camera.
    """
    out = np.empty((len(points.face), 3), np.float32)
    _track(points, _fields(seen), ready(rest, np.float64), out)
    return out


@dataclass(frozen=True)
class Flow:
    """Where another frame shows each visible point; in partly covered pixels, that nearest to the centre."""

    pixels: NDArray[np.float32]  # (S, S, 2), columns and rows to its place there; 0 where nothing is visible
    unmatched: NDArray[np.bool_]  # (S, S), whether it is unseen there; true where nothing is visible


def flow(here: Seen, there: Seen, rest: NDArray[np.floating]) -> Flow:
    """Compute the flow of a surface, at `rest` (V, 3), between two frames, in any pose and by any camera."""
    pixels, unmatched = np.zeros((*here.face.shape, 2), np.float32), np.ones(here.face.shape, np.bool_)
    fields = _fields(here), _fields(there)
    _carry(here.box, here.weights, *fields, ready(rest, np.float64), (pixels, unmatched))
    return Flow(pixels, unmatched)
