"""Compiled: where points of a surface are in a frame, and whether it shows them."""

from __future__ import annotations

import numpy as np

from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.seen import SUBPIXEL

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
