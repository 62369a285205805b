"""Compiled: which edges of a frame may be lines, and which pieces of them are seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, uncounted
from specsia_build.rendering.fast.raster import HIDDEN
from specsia_build.rendering.seen import SUBPIXEL

STEP = 0.5
"""Pixels between the points of an edge that are looked at."""

HALVINGS = 3
"""How often the step across which an edge comes in sight is halved to find where."""

SLACK = 1e-3
"""Units by which a line may lie behind what is seen, a thousandth of a character: rounding, and its own surface."""

ROUNDING = 1e-6
"""Units that are more than what a depth may be rounded by."""

SHORT_GAP = 1.5
"""Pixels of an edge up to which a break in it is closed."""

CUT = -1
"""In place of a vertex, where a line ends between vertices."""


class View(NamedTuple):
    """What of `Seen` compiled code asks, by the same names, and what `depths_around` gives."""

    faces: NDArray[np.int32]
    screen: NDArray[np.int32]
    depth: NDArray[np.float32]
    face: NDArray[np.int32]
    sample: NDArray[np.uint8]
    far: NDArray[np.float64]


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
def plane_at(f, x, y, view):  # type: ignore[no-untyped-def]
    """Depth of the plane of a face at a place in pixels; infinite where it is seen edge on."""
    a, b, c = view.faces[f, 0], view.faces[f, 1], view.faces[f, 2]
    ax, ay = np.float64(view.screen[a, 0]), np.float64(view.screen[a, 1])
    bx, by, cx, cy = view.screen[b, 0] - ax, view.screen[b, 1] - ay, view.screen[c, 0] - ax, view.screen[c, 1] - ay
    px, py = x * SUBPIXEL - ax, y * SUBPIXEL - ay
    area = bx * cy - by * cx
    if area == 0.0:
        return np.inf
    z, u, v = view.depth[a], (px * cy - py * cx) / area, (bx * py - by * px) / area
    return z + u * (view.depth[b] - z) + v * (view.depth[c] - z)


@compiled
def depths_around(faces, screen, depth):  # type: ignore[no-untyped-def]
    """(F,) float64, a depth that no face has within a pixel of itself, were it larger; infinite where it is edge on."""
    out = np.full(len(faces), np.inf)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        bx, by = np.float64(screen[b, 0] - screen[a, 0]), np.float64(screen[b, 1] - screen[a, 1])
        cx, cy = np.float64(screen[c, 0] - screen[a, 0]), np.float64(screen[c, 1] - screen[a, 1])
        area = bx * cy - by * cx
        if area != 0.0:
            z, u, v = np.float64(depth[a]), np.float64(depth[b]), np.float64(depth[c])
            steep = abs((u - z) * cy - (v - z) * by) + abs((v - z) * bx - (u - z) * cx)
            out[f] = max(z, u, v) + SUBPIXEL * steep / abs(area) + ROUNDING
    return out


@inlined
def _is_seen(t, line, own, corners, view):  # type: ignore[no-untyped-def]
    """Whether the point t of 0 … 1 of an edge is seen: at one of the four pixels around it nothing is in front of it.

    `line` is x, y and depth of the edge's first end and what they grow by to the other; `own` is whether it is opaque,
    and its welded vertices. Faces at these are never in front. Of an edge that is not opaque one of them must be seen
    there, for it may be cut out.
    """
    x, y, z = line[0] + t * line[3], line[1] + t * line[4], line[2] + t * line[5] - SLACK
    opaque, one, other = own
    left, top = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
    right, bottom = min(view.face.shape[1], left + 2), min(view.face.shape[0], top + 2)
    left, top = max(0, left), max(0, top)
    near = False
    for row in range(top, bottom):
        for column in range(left, right):
            f = view.face[row, column]
            # What is seen beside the centre is not there at the centre.
            if opaque and (f < 0 or view.sample[row, column] != 0):
                return True
            if f < 0:
                continue
            for k in range(3):
                if corners[f, k] in (one, other):
                    return True
            near |= view.far[f] >= z
    if not (opaque and near):
        return False
    for row in range(top, bottom):
        for column in range(left, right):
            f = view.face[row, column]
            if view.far[f] < z:
                continue
            if plane_at(f, column + 0.5, row + 0.5, view) >= z or plane_at(f, x, y, view) >= z:
                return True
    return False


@uncounted
def _where_it_turns(low, high, after, line, own, corners, view):  # type: ignore[no-untyped-def]
    """Where an edge comes in sight or goes out of it between two points, of which the latter is seen as `after` says
    and the former is not so."""
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if _is_seen(middle, line, own, corners, view) == after:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@compiled
def seen_pieces(which, ends, opaque, welded, corners, points, view):  # type: ignore[no-untyped-def]
    """The pieces of edges that are seen: places (P, 2, 2) float32 in pixels, and the `points` (P, 2) int32 of the
    vertices that they end in, or `CUT`."""
    screen, depth = view.screen, view.depth
    height, width = view.face.shape
    room = 0
    for e in which:
        a, b = ends[e, 0], ends[e, 1]
        across, down = np.float64(screen[b, 0] - screen[a, 0]), np.float64(screen[b, 1] - screen[a, 1])
        # An edge cannot be seen over more than the picture's diagonal.
        room += 1 + int(min(np.hypot(across, down) / SUBPIXEL, np.hypot(height, width)) / SHORT_GAP)
    places, vertices = np.empty((room, 2, 2), np.float32), np.empty((room, 2), np.int32)
    n = 0
    for e in which:
        a, b = ends[e, 0], ends[e, 1]
        x, y, z = screen[a, 0] / SUBPIXEL, screen[a, 1] / SUBPIXEL, np.float64(depth[a])
        dx, dy = screen[b, 0] / SUBPIXEL - x, screen[b, 1] / SUBPIXEL - y
        line, own, length = (x, y, z, dx, dy, depth[b] - z), (opaque[e], welded[a], welded[b]), np.hypot(dx, dy)
        two = points[a], points[b]
        # What lies outside the picture is not looked at.
        first, last = _inside(x, dx, width, 0.0, 1.0)
        first, last = _inside(y, dy, height, first, last)
        if first > last:
            continue
        steps = max(1, int(np.ceil(length * (last - first) / STEP)))
        per = (last - first) / steps
        begin, end, before = -1.0, -1.0, False
        for k in range(steps):
            t = first + (k + 0.5) * per
            now = _is_seen(t, line, own, corners, view)
            if now == before:
                continue
            at = first if k == 0 else _where_it_turns(t - per, t, now, line, own, corners, view)
            before = now
            if not now:
                end = at
            elif end < 0:
                begin = at
            elif (at - end) * length > SHORT_GAP:
                n = _put(places, vertices, n, line, two, begin, end)
                begin = at
        if before:
            end = last
        if end >= 0:
            n = _put(places, vertices, n, line, two, begin, end)
    return places[:n], vertices[:n]


@inlined
def _inside(x, dx, size, first, last):  # type: ignore[no-untyped-def]
    """The part of first … last in which x + t dx lies in 0 … size; none where the first is more than the last."""
    if dx > 0:
        return max(first, -x / dx), min(last, (size - x) / dx)
    if dx < 0:
        return max(first, (size - x) / dx), min(last, -x / dx)
    return (first, last) if 0 <= x <= size else (1.0, 0.0)


@inlined
def _put(places, vertices, n, line, points, begin, end):  # type: ignore[no-untyped-def]
    places[n, 0, 0], places[n, 0, 1] = line[0] + begin * line[3], line[1] + begin * line[4]
    places[n, 1, 0], places[n, 1, 1] = line[0] + end * line[3], line[1] + end * line[4]
    vertices[n, 0] = points[0] if begin == 0.0 else CUT
    vertices[n, 1] = points[1] if end == 1.0 else CUT
    return n + 1
