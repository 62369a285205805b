"""Compiled code of lines: which edges of a frame may be lines, and which pieces and pixels are visible."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, uncounted
from specsia_build.rendering.fast.raster import HIDDEN
from specsia_build.rendering.layers import SUBPIXEL
from specsia_build.rendering.topology import root
from specsia_build.rendering.vectors import triple

_STEP = 0.5  # Pixels between the points of an edge that are tested
HALVINGS = 3  # Bisections of a step in which an edge becomes visible or hidden

_SLACK = 1e-3  # Units by which a line may lie behind the visible surface: its own, and rounding
_ROUNDING = 1e-6  # Units above the rounding error of depths
SHORT_GAP = 1.5  # Pixels of an edge up to which a gap is closed
_NEAR = 2  # Pixels within which a loose end is joined to other lines, as it may end beside their pixels
CUT = -1  # Vertex number of an end that lies between vertices


class TracedView(NamedTuple):
    """Fields of `Seen` that compiled code needs, and the result of `depths_around`."""

    faces: NDArray[np.int32]
    screen: NDArray[np.int32]
    depth: NDArray[np.float32]
    face: NDArray[np.int32]
    sample: NDArray[np.uint8]
    far: NDArray[np.float64]


@compiled
def candidates(faces, features, screen, facing):  # type: ignore[no-untyped-def]
    """Numbers (N,) int32 of edges that are lines if visible: those of `Features` that always are, and edges
    with all faces on one side."""
    ends, start = features.ends, features.start
    edges, n = np.empty(len(ends), np.int32), 0
    for e in range(len(ends)):
        a, b = ends[e, 0], ends[e, 1]
        ax, ay = np.int64(screen[a, 0]), np.int64(screen[a, 1])
        dx, dy = screen[b, 0] - ax, screen[b, 1] - ay
        drawn = False
        left, right = False, False
        for k in range(start[e], start[e + 1]):
            f, o = features.faces[k], features.third[k]
            side = dx * (screen[o, 1] - ay) - dy * (screen[o, 0] - ax)
            if facing[f] != HIDDEN:
                drawn = True
            elif _area(screen, faces[f, 0], faces[f, 1], faces[f, 2]) < 0:
                # Hidden though it faces the camera: it is not drawn at all.
                continue
            left |= side > 0
            right |= side < 0
        if drawn and (features.always[e] or (features.turning[e] and left != right)):
            edges[n] = e
            n += 1
    return edges[:n]


@inlined
def _area(screen, a, b, c):  # type: ignore[no-untyped-def]
    ax, ay = np.int64(screen[a, 0]), np.int64(screen[a, 1])
    return (screen[b, 0] - ax) * (screen[c, 1] - ay) - (screen[b, 1] - ay) * (screen[c, 0] - ax)


@inlined
def plane_at(f, x, y, view):  # type: ignore[no-untyped-def]
    """Depth of the plane of a face at a place in pixels; infinite for a face seen edge on."""
    a, b, c = triple(view.faces, f)
    ax, ay = np.float64(view.screen[a, 0]), np.float64(view.screen[a, 1])
    bx, by = view.screen[b, 0] - ax, view.screen[b, 1] - ay
    cx, cy = view.screen[c, 0] - ax, view.screen[c, 1] - ay
    px, py = x * SUBPIXEL - ax, y * SUBPIXEL - ay
    area = bx * cy - by * cx
    if area == 0.0:
        return np.inf
    z = view.depth[a]
    u, v = (px * cy - py * cx) / area, (bx * py - by * px) / area
    return z + u * (view.depth[b] - z) + v * (view.depth[c] - z)


@compiled
def depths_around(faces, screen, depth):  # type: ignore[no-untyped-def]
    """Largest depth (F,) float64 of each face's plane within a pixel of it; infinite if it is edge on."""
    out = np.full(len(faces), np.inf)
    for f in range(len(faces)):
        a, b, c = triple(faces, f)
        bx, by = np.float64(screen[b, 0] - screen[a, 0]), np.float64(screen[b, 1] - screen[a, 1])
        cx, cy = np.float64(screen[c, 0] - screen[a, 0]), np.float64(screen[c, 1] - screen[a, 1])
        area = bx * cy - by * cx
        if area != 0.0:
            z = np.float64(depth[a])
            u, v = np.float64(depth[b]), np.float64(depth[c])
            steep = abs((u - z) * cy - (v - z) * by) + abs((v - z) * bx - (u - z) * cx)
            out[f] = max(z, u, v) + SUBPIXEL * steep / abs(area) + _ROUNDING
    return out


@inlined
def _is_visible(t, line, own, corners, view):  # type: ignore[no-untyped-def]
    """Whether point t (0 to 1) of an edge is visible: nothing is in front at one of four pixels around it.

    `line` is x, y and depth of the first end and their differences to the other; `own` is whether the edge is
    opaque, and its welded vertices. Faces at these are never in front. A face at an edge that is not opaque,
    which may be cut out, must be visible.
    """
    x, y = line[0] + t * line[3], line[1] + t * line[4]
    z = line[2] + t * line[5] - _SLACK
    opaque, start, end = own
    left, top = int(np.floor(x - 0.5)), int(np.floor(y - 0.5))
    right, bottom = min(view.face.shape[1], left + 2), min(view.face.shape[0], top + 2)
    left, top = max(0, left), max(0, top)
    near = False
    for row in range(top, bottom):
        for column in range(left, right):
            f = view.face[row, column]
            # A sample beside the centre: the surface does not cover the centre.
            if opaque and (f < 0 or view.sample[row, column] != 0):
                return True
            if f < 0:
                continue
            for k in range(3):
                if corners[f, k] in (start, end):
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
def _where_it_turns(between, after, line, own, corners, view):  # type: ignore[no-untyped-def]
    """Bisect for the point at which an edge becomes visible (`after`) or hidden, between two points of it."""
    low, high = between
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if _is_visible(middle, line, own, corners, view) == after:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@compiled
def visible_pieces(which, features, view):  # type: ignore[no-untyped-def]
    """Visible pieces of edges: places (P, 2, 2) float32 in pixels, `points` (P, 2) int32: ends or `CUT`."""
    ends, corners = features.ends, features.corners
    screen, depth = view.screen, view.depth
    height, width = view.face.shape
    room = 0
    for e in which:
        a, b = ends[e, 0], ends[e, 1]
        across, down = np.float64(screen[b, 0] - screen[a, 0]), np.float64(screen[b, 1] - screen[a, 1])
        # No more of an edge is visible than the picture's diagonal.
        room += 1 + int(min(np.hypot(across, down) / SUBPIXEL, np.hypot(height, width)) / SHORT_GAP)
    places, vertices = np.empty((room, 2, 2), np.float32), np.empty((room, 2), np.int32)
    n = 0
    for e in which:
        a, b = ends[e, 0], ends[e, 1]
        x, y = screen[a, 0] / SUBPIXEL, screen[a, 1] / SUBPIXEL
        z = np.float64(depth[a])
        dx, dy = screen[b, 0] / SUBPIXEL - x, screen[b, 1] / SUBPIXEL - y
        line = (x, y, z, dx, dy, depth[b] - z)
        own = (features.opaque[e], features.welded[a], features.welded[b])
        length = np.hypot(dx, dy)
        two = features.points[a], features.points[b]
        first, last = _inside(x, dx, width, 0.0, 1.0)
        first, last = _inside(y, dy, height, first, last)
        if first > last:
            continue
        steps = max(1, int(np.ceil(length * (last - first) / _STEP)))
        per = (last - first) / steps
        begin, end = -1.0, -1.0
        before = False
        for k in range(steps):
            t = first + (k + 0.5) * per
            now = _is_visible(t, line, own, corners, view)
            if now == before:
                continue
            at = first if k == 0 else _where_it_turns((t - per, t), now, line, own, corners, view)
            before = now
            if not now:
                end = at
            elif end < 0:
                begin = at
            elif (at - end) * length > SHORT_GAP:
                n = _put(places, vertices, n, line, two, (begin, end))
                begin = at
        if before:
            end = last
        if end >= 0:
            n = _put(places, vertices, n, line, two, (begin, end))
    return places[:n], vertices[:n]


@inlined
def _inside(x, dx, size, first, last):  # type: ignore[no-untyped-def]
    """Part of first to last in which 0 <= x + t dx <= size; empty if its start exceeds its end."""
    if dx > 0:
        return max(first, -x / dx), min(last, (size - x) / dx)
    if dx < 0:
        return max(first, (size - x) / dx), min(last, -x / dx)
    return (first, last) if 0 <= x <= size else (1.0, 0.0)


@inlined
def _put(places, vertices, n, line, points, piece):  # type: ignore[no-untyped-def]
    begin, end = piece
    places[n, 0, 0], places[n, 0, 1] = line[0] + begin * line[3], line[1] + begin * line[4]
    places[n, 1, 0], places[n, 1, 1] = line[0] + end * line[3], line[1] + end * line[4]
    vertices[n, 0] = points[0] if begin == 0.0 else CUT
    vertices[n, 1] = points[1] if end == 1.0 else CUT
    return n + 1


@uncounted
def ink(places, width, out):  # type: ignore[no-untyped-def]
    """Draw pieces (P, 2, 2) in pixels, with round ends, black into `out` (H, W) uint8.

    A pixel is as dark as the nearest piece makes it, so that lines that meet are no darker than one.
    """
    reach = 0.5 * width + 0.5
    for p in range(len(places)):
        x0, y0 = np.float64(places[p, 0, 0]), np.float64(places[p, 0, 1])
        dx, dy = places[p, 1, 0] - x0, places[p, 1, 1] - y0
        squared = dx * dx + dy * dy
        top = max(0, int(np.floor(min(y0, y0 + dy) - reach)))
        bottom = min(out.shape[0] - 1, int(np.floor(max(y0, y0 + dy) + reach)))
        for row in range(top, bottom + 1):
            y = row + 0.5 - y0
            # Columns near the part of the piece that is near this row.
            low, high = 0.0, 1.0
            if dy > 0:
                low, high = max(low, (y - reach) / dy), min(high, (y + reach) / dy)
            elif dy < 0:
                low, high = max(low, (y + reach) / dy), min(high, (y - reach) / dy)
            xa, xb = x0 + low * dx, x0 + high * dx
            left = max(0, int(np.floor(min(xa, xb) - reach)))
            right = min(out.shape[1] - 1, int(np.floor(max(xa, xb) + reach)))
            for column in range(left, right + 1):
                x = column + 0.5 - x0
                t = min(1.0, max(0.0, (x * dx + y * dy) / squared)) if squared > 0 else 0.0
                u, v = x - t * dx, y - t * dy
                away = u * u + v * v
                if away < reach * reach:
                    level = np.uint8(255 * (1 - min(1.0, reach - np.sqrt(away))) + 0.5)
                    out[row, column] = min(out[row, column], level)


@inlined
def _join(parent, p, q):  # type: ignore[no-untyped-def]
    p, q = root(parent, p), root(parent, q)
    if p != q:
        parent[max(p, q)] = min(p, q)


@compiled
def lengths_together(places, vertices, count, height, width):  # type: ignore[no-untyped-def]
    """For each piece the total length (P,) float64 in pixels of the pieces connected to it.

    Pieces are connected by a common vertex or pixel, and by pixels within `_NEAR` of an end off the vertices.
    """
    parent = np.arange(len(places))
    at_vertex = np.full(count, -1, np.int32)
    at_pixel = np.full((height, width), -1, np.int32)
    length = np.zeros(len(places))
    for p in range(len(places)):
        for i in range(2):
            v = vertices[p, i]
            if v >= 0:
                if at_vertex[v] >= 0:
                    _join(parent, at_vertex[v], p)
                at_vertex[v] = p
        x, y = places[p, 0, 0], places[p, 0, 1]
        dx, dy = places[p, 1, 0] - x, places[p, 1, 1] - y
        length[p] = np.hypot(dx, dy)
        steps = 1 + int(2 * length[p])
        for k in range(steps + 1):
            row, column = int(y + dy * k / steps), int(x + dx * k / steps)
            if 0 <= row < height and 0 <= column < width:
                if at_pixel[row, column] >= 0:
                    _join(parent, at_pixel[row, column], p)
                at_pixel[row, column] = p
    for p in range(len(places)):
        for i in range(2):
            if vertices[p, i] >= 0:
                continue
            row, column = int(places[p, i, 1]), int(places[p, i, 0])
            for r in range(max(0, row - _NEAR), min(height, row + _NEAR + 1)):
                for c in range(max(0, column - _NEAR), min(width, column + _NEAR + 1)):
                    if at_pixel[r, c] >= 0:
                        _join(parent, at_pixel[r, c], p)
    total = np.zeros(len(places))
    for p in range(len(places)):
        total[root(parent, p)] += length[p]
    out = np.empty(len(places))
    for p in range(len(places)):
        out[p] = total[root(parent, p)]
    return out


@uncounted
def _put_spot(pixel, right, labelled, view, spots, m):  # type: ignore[no-untyped-def]
    """Append the point at which a border without a line crosses from a pixel to the next, right or down, to
    `spots`; `labelled` holds the arguments of `seams`."""
    row, column = pixel
    label, drawn, binary = labelled
    r, c = (row, column + 1) if right else (row + 1, column)
    if label[row, column] == label[r, c] or drawn[row, column] < binary or drawn[r, c] < binary:
        return m
    x, y = column + 0.5, row + 0.5
    f = view.face[row, column]
    g = view.face[r, c]
    t = 0.5
    if f >= 0 and g >= 0:
        x1, y1 = (x + 1, y) if right else (x, y + 1)
        here = plane_at(f, x, y, view) - plane_at(g, x, y, view)
        there = plane_at(f, x1, y1, view) - plane_at(g, x1, y1, view)
        t = here / (here - there)
    # Where the planes do not cross between the centres, the border is in the middle.
    share = np.float32(t if 0.0 <= t <= 1.0 else 0.5)
    spots[m, 0], spots[m, 1] = (x + share, y) if right else (x, y + share)
    return m + 1


@inlined
def _is_even(label, row, column):  # type: ignore[no-untyped-def]
    """Whether a pixel and those right, below and diagonal have one label."""
    first = label[row, column]
    right, below = label[row, column + 1], label[row + 1, column]
    return first == right and first == below and first == label[row + 1, column + 1]


@compiled
def seams(label, box, drawn, binary, view):  # type: ignore[no-untyped-def]
    """Borders between the regions of `label` (H, W) without a line, as pieces (P, 2, 2) float32 in pixels.

    A border has no line if `drawn` (H, W) uint8 is not darker than `binary` on either side. `box` is the
    first and end row, first and end column of the visible pixels.
    """
    height, width = label.shape
    top, left = max(0, box[0] - 1), max(0, box[2] - 1)
    bottom, right = min(height - 1, box[1] + 1), min(width - 1, box[3] + 1)
    room = 0
    for row in range(top, bottom):
        for column in range(left, right):
            room += 0 if _is_even(label, row, column) else 4
    places, n = np.empty((room, 2, 2), np.float32), 0
    spots = np.empty((4, 2), np.float32)
    labelled = label, drawn, binary
    for row in range(top, bottom):
        for column in range(left, right):
            if _is_even(label, row, column):
                continue
            # The four borders that meet at the common corner.
            m = _put_spot((row, column), True, labelled, view, spots, 0)
            m = _put_spot((row + 1, column), True, labelled, view, spots, m)
            m = _put_spot((row, column), False, labelled, view, spots, m)
            m = _put_spot((row, column + 1), False, labelled, view, spots, m)
            if m == 2:
                for i in range(2):
                    places[n, i] = spots[i]
                n += 1
            else:
                for i in range(m):
                    places[n, 0] = spots[i]
                    places[n, 1, 0], places[n, 1, 1] = column + 1, row + 1
                    n += 1
    return places[:n]
