"""Compiled: which edges of a frame may be lines, and which pieces of them are seen."""

from __future__ import annotations

import numpy as np

from specsia_build.jit import compiled, inlined, uncounted
from specsia_build.rendering.fast.raster import HIDDEN
from specsia_build.rendering.seen import SUBPIXEL

STEP = 0.5
"""Pixels between the points of an edge that are looked at."""

HALVINGS = 3
"""How often the step across which an edge comes in sight is halved to find where."""

SLACK = 1e-3
"""Units by which a line may lie behind what is seen, a thousandth of a character: rounding, and its own surface."""

SHORT_GAP = 1.5
"""Pixels of an edge up to which a break in it is closed."""

CUT = -1
"""In place of a vertex, where a line ends between vertices."""


@compiled
def candidates(faces, ends, start, beside, third, always, turning, screen, facing):  # type: ignore[no-untyped-def]
    """Edges that are lines where nothing hides them, int32: those that always are, and those on whose one side all
    faces lie in the picture."""
    found, n = np.empty(len(ends), np.int32), 0
    for e in range(len(ends)):
        a, b = ends[e, 0], ends[e, 1]
        ax, ay = np.int64(screen[a, 0]), np.int64(screen[a, 1])
        dx, dy = screen[b, 0] - ax, screen[b, 1] - ay
        shown, left, right = False, False, False
        for k in range(start[e], start[e + 1]):
            f, o = beside[k], third[k]
            side = dx * (screen[o, 1] - ay) - dy * (screen[o, 0] - ax)
            if facing[f] != HIDDEN:
                shown = True
            elif _is_turned_here(faces, f, screen):
                # It is not seen though it is turned to the camera: it is not there.
                continue
            left |= side > 0
            right |= side < 0
        if shown and (always[e] or (turning[e] and left != right)):
            found[n] = e
            n += 1
    return found[:n]


@inlined
def _is_turned_here(faces, f, screen):  # type: ignore[no-untyped-def]
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay = np.int64(screen[a, 0]), np.int64(screen[a, 1])
    return (screen[b, 0] - ax) * (screen[c, 1] - ay) - (screen[b, 1] - ay) * (screen[c, 0] - ax) < 0


@inlined
def plane_at(f, x, y, faces, screen, depth):  # type: ignore[no-untyped-def]
    """Depth of the plane of a face at a place in pixels; infinite where it is seen edge on."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay = np.float64(screen[a, 0]), np.float64(screen[a, 1])
    bx, by, cx, cy = screen[b, 0] - ax, screen[b, 1] - ay, screen[c, 0] - ax, screen[c, 1] - ay
    px, py = x * SUBPIXEL - ax, y * SUBPIXEL - ay
    area = bx * cy - by * cx
    if area == 0.0:
        return np.inf
    z, u, v = depth[a], (px * cy - py * cx) / area, (bx * py - by * px) / area
    return z + u * (depth[b] - z) + v * (depth[c] - z)


@uncounted
def _is_seen(x, y, z, one, other, faces, screen, depth, welded, face, sample):  # type: ignore[no-untyped-def]
    """Whether a point of the edge between two welded vertices is seen: at one of the four pixels around it nothing is
    in front of it. Faces at the edge's ends are never in front."""
    left, top = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
    for row in range(max(0, top), min(face.shape[0], top + 2)):
        for column in range(max(0, left), min(face.shape[1], left + 2)):
            f = face[row, column]
            # What is seen beside the centre is not there at the centre.
            if f < 0 or sample[row, column] != 0:
                return True
            for k in range(3):
                corner = welded[faces[f, k]]
                if corner in (one, other):
                    return True
            if plane_at(f, column + 0.5, row + 0.5, faces, screen, depth) >= z - SLACK:
                return True
            if plane_at(f, x, y, faces, screen, depth) >= z - SLACK:
                return True
    return False


@compiled
def seen_pieces(which, ends, welded, faces, screen, depth, face, sample):  # type: ignore[no-untyped-def]
    """The pieces of edges that are seen: places (P, 2, 2) float32 in pixels, and the welded vertices (P, 2) int32 that
    they end in, or `CUT`."""
    room = 0
    for i in range(len(which)):
        a, b = ends[which[i], 0], ends[which[i], 1]
        apart = np.hypot(np.float64(screen[b, 0] - screen[a, 0]), np.float64(screen[b, 1] - screen[a, 1])) / SUBPIXEL
        room += 1 + int(apart / SHORT_GAP)
    places, vertices = np.empty((room, 2, 2), np.float32), np.empty((room, 2), np.int32)
    height, width = face.shape
    n = 0
    for i in range(len(which)):
        a, b = ends[which[i], 0], ends[which[i], 1]
        x, y, z = screen[a, 0] / SUBPIXEL, screen[a, 1] / SUBPIXEL, np.float64(depth[a])
        dx, dy, dz = screen[b, 0] / SUBPIXEL - x, screen[b, 1] / SUBPIXEL - y, depth[b] - z
        if max(x, x + dx) < 0 or max(y, y + dy) < 0 or min(x, x + dx) > width or min(y, y + dy) > height:
            continue
        one, other = welded[a], welded[b]
        length = np.hypot(dx, dy)
        # What lies outside the picture is not looked at.
        first, last = _inside(x, dx, width, 0.0, 1.0)
        first, last = _inside(y, dy, height, first, last)
        if first > last:
            continue
        steps = max(1, int(np.ceil(length * (last - first) / STEP)))
        per = (last - first) / steps
        begin, end = -1.0, -1.0
        before = False
        for k in range(steps):
            t = first + (k + 0.5) * per
            now = _is_seen(x + t * dx, y + t * dy, z + t * dz, one, other, faces, screen, depth, welded, face, sample)
            if now != before:
                # Where it comes in sight or goes out of it, between this point and the one before.
                low, high = max(first, t - per), t
                if k > 0:
                    for _ in range(HALVINGS):
                        m = 0.5 * (low + high)
                        mid = _is_seen(
                            x + m * dx, y + m * dy, z + m * dz, one, other, faces, screen, depth, welded, face, sample
                        )
                        if mid == now:
                            high = m
                        else:
                            low = m
                    at = 0.5 * (low + high)
                else:
                    at = first
                if now:
                    if end >= 0 and (at - end) * length > SHORT_GAP:
                        _put(places, vertices, n, x, y, dx, dy, begin, end, one, other)
                        n += 1
                        begin = at
                    elif end < 0:
                        begin = at
                else:
                    end = at
                before = now
        if before:
            end = last
        if end >= 0:
            _put(places, vertices, n, x, y, dx, dy, begin, end, one, other)
            n += 1
    return places[:n], vertices[:n]


@inlined
def _inside(x, dx, size, first, last):  # type: ignore[no-untyped-def]
    """The part of first … last in which x + t dx lies in 0 … size."""
    if dx > 0:
        return max(first, -x / dx), min(last, (size - x) / dx)
    if dx < 0:
        return max(first, (size - x) / dx), min(last, -x / dx)
    return first, last


@inlined
def _put(places, vertices, n, x, y, dx, dy, begin, end, one, other):  # type: ignore[no-untyped-def]
    places[n, 0, 0], places[n, 0, 1] = x + begin * dx, y + begin * dy
    places[n, 1, 0], places[n, 1, 1] = x + end * dx, y + end * dy
    vertices[n, 0] = one if begin == 0.0 else CUT
    vertices[n, 1] = other if end == 1.0 else CUT
