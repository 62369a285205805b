"""Compiled visibility: the nearest face at each pixel's centre, and the pixels that need close sampling.

Screen coordinates are integers in 1/256 pixel, so that edge functions are exact and neighbouring faces
neither overlap nor leave cracks. A face is inside where its three edge functions are not negative; ties in
depth go to the lower index.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, uncounted
from specsia_build.rendering.fast.prepare import ALPHA_MASK, ALPHA_OPAQUE, INVISIBLE
from specsia_build.rendering.fast.rows import ROW, differing, first_bits, lowest, see_row
from specsia_build.rendering.fast.shading import opacity_at
from specsia_build.rendering.layers import SUBPIXEL
from specsia_build.rendering.topology import CROWDED
from specsia_build.rendering.vectors import put, triple, triple64

SUBPIXEL_BITS = SUBPIXEL.bit_length() - 1
HALF = SUBPIXEL // 2

MAX_COORDINATE = 1 << 20  # Largest screen coordinate, in 1/256 pixel, for which 32-bit products are exact
# Depth by which an edge may lie behind the surface at its pixel's centre and still be sampled
NEAR_EDGE = 0.02

NO_FACE = -1

HIDDEN = 2  # How a face is turned that the view does not show, besides 1, -1 and 0 of those that are seen
NARROW = 64 << SUBPIXEL_BITS  # Side of a face's box in 1/256 pixel up to which `is_narrow` holds
UNMARKED = 0  # Mark of a pixel that nothing crosses
JUMP, OUTLINE = 1, 2  # Marks of a pixel that a jump of colour crosses, or an outline or border


@inlined
def on_screen(pixels):  # type: ignore[no-untyped-def]
    """A place in pixels in 1/256 pixel, cut a little beyond `MAX_COORDINATE`."""
    most = 2.0 * MAX_COORDINATE
    return int(min(max(np.floor(pixels * SUBPIXEL + 0.5), -most), most))


@compiled
def project(vertices, basis, pixels_per_unit, centre):  # type: ignore[no-untyped-def]
    """Screen x, y in 1/256 pixel (V,) int32 and depth (V,) float32 of vertices in an orthographic view.

    `centre` is the column and row of the origin.
    """
    count = len(vertices)
    sx, sy = np.empty(count, np.int32), np.empty(count, np.int32)
    depth = np.empty(count, np.float32)
    for i in range(count):
        x, y, z = triple64(vertices, i)
        u = basis[0, 0] * x + basis[0, 1] * y + basis[0, 2] * z
        v = basis[1, 0] * x + basis[1, 1] * y + basis[1, 2] * z
        sx[i] = on_screen(u * pixels_per_unit + centre[0])
        sy[i] = on_screen(centre[1] - v * pixels_per_unit)
        depth[i] = basis[2, 0] * x + basis[2, 1] * y + basis[2, 2] * z
    return sx, sy, depth


@compiled
def project_perspective(vertices, w2c, focal_length, radius, centre):  # type: ignore[no-untyped-def]
    """The same in a perspective view, of vertices before the camera with matrix `w2c` (4, 4).

    Depth is radius (1 - radius / z) at the distance z: unlike z it is linear on the screen, and it grows as
    fast at the distance `radius`.
    """
    count = len(vertices)
    sx, sy = np.empty(count, np.int32), np.empty(count, np.int32)
    depth = np.empty(count, np.float32)
    for i in range(count):
        x, y, z = triple64(vertices, i)
        u = w2c[0, 0] * x + w2c[0, 1] * y + w2c[0, 2] * z + w2c[0, 3]
        v = w2c[1, 0] * x + w2c[1, 1] * y + w2c[1, 2] * z + w2c[1, 3]
        inverse = -1.0 / (w2c[2, 0] * x + w2c[2, 1] * y + w2c[2, 2] * z + w2c[2, 3])
        scale = focal_length * inverse
        sx[i] = on_screen(u * scale + centre[0])
        sy[i] = on_screen(centre[1] - v * scale)
        depth[i] = radius * (1.0 - radius * inverse)
    return sx, sy, depth


class Drawn(NamedTuple):
    """The N faces that a view shows, wound to positive area, with what passes need side by side in memory."""

    face: NDArray[np.int32]  # (N,)
    corners: NDArray[np.int32]  # (N, 6), screen x and y of the three corners
    depth: NDArray[np.float32]  # (N, 3), of the corners


@compiled
def set_up(sx, sy, depth, faces, one_sided, alpha_class):  # type: ignore[no-untyped-def]
    """How each face is turned (F,) int8, 1 seen from outside, -1 from inside, 0 edge on, or `HIDDEN`:
    invisible, or one-sided and not seen from outside; and the `Drawn` ones: neither hidden nor edge on."""
    count = len(faces)
    facing, face = np.empty(count, np.int8), np.empty(count, np.int32)
    corners, depths = np.empty((count, 6), np.int32), np.empty((count, 3), np.float32)
    n = 0
    for f in range(count):
        a, b, c = triple(faces, f)
        ax, ay = sx[a], sy[a]
        bx, by = sx[b], sy[b]
        cx, cy = sx[c], sy[c]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if (area >= 0 and one_sided[f]) or alpha_class[f] == INVISIBLE:
            facing[f] = HIDDEN
            continue
        facing[f] = 1 if area < 0 else (-1 if area > 0 else 0)
        if area == 0:
            continue
        if area < 0:
            b, c = c, b
            bx, cx = cx, bx
            by, cy = cy, by
        face[n] = f
        corners[n, 0] = ax
        corners[n, 1] = ay
        corners[n, 2] = bx
        corners[n, 3] = by
        corners[n, 4] = cx
        corners[n, 5] = cy
        put(depths, n, (depth[a], depth[b], depth[c]))
        n += 1
    return facing, Drawn(face[:n], corners[:n], depths[:n])


@inlined
def corners_of(drawn, n):  # type: ignore[no-untyped-def]
    """Screen x and y of the three corners of a drawn face, int64: their products need it."""
    at = drawn.corners
    return (
        np.int64(at[n, 0]),
        np.int64(at[n, 1]),
        np.int64(at[n, 2]),
        np.int64(at[n, 3]),
        np.int64(at[n, 4]),
        np.int64(at[n, 5]),
    )


@inlined
def front_of(drawn, n):  # type: ignore[no-untyped-def]
    """Least depth of a drawn face."""
    return min(drawn.depth[n, 0], drawn.depth[n, 1], drawn.depth[n, 2])


@inlined
def touched(corners, size):  # type: ignore[no-untyped-def]
    """First and last column, first and last row of the pixels that the box around three corners touches."""
    ax, ay, bx, by, cx, cy = corners
    return (
        max(0, min(ax, bx, cx) >> SUBPIXEL_BITS),
        min(size - 1, max(ax, bx, cx) >> SUBPIXEL_BITS),
        max(0, min(ay, by, cy) >> SUBPIXEL_BITS),
        min(size - 1, max(ay, by, cy) >> SUBPIXEL_BITS),
    )


@inlined
def is_narrow(ax, ay, bx, by, cx, cy):  # type: ignore[no-untyped-def]
    """Whether a face's edge functions fit 32 bits, in its box and `ROW` pixels beyond."""
    return max(max(ax, bx, cx) - min(ax, bx, cx), max(ay, by, cy) - min(ay, by, cy)) <= NARROW


@inlined
def reaches(ax, ay, bx, by, cx, cy):  # type: ignore[no-untyped-def]
    """How much the edge functions ab, bc and ca differ at most between a pixel's centre and its border."""
    return (
        (abs(by - ay) + abs(bx - ax)) * HALF,
        (abs(cy - by) + abs(cx - bx)) * HALF,
        (abs(ay - cy) + abs(ax - cx)) * HALF,
    )


@inlined
def depth_of(drawn, n, corners):  # type: ignore[no-untyped-def]
    """Depth of a face: weights of edges bc, ca, ab, float64; growth per 1/256 pixel right, down, float32."""
    ax, ay, bx, by, cx, cy = corners
    inverse = 1.0 / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    za = drawn.depth[n, 0] * inverse
    zb = drawn.depth[n, 1] * inverse
    zc = drawn.depth[n, 2] * inverse
    z_x = np.float32(za * (by - cy) + zb * (cy - ay) + zc * (ay - by))
    z_y = np.float32(za * (cx - bx) + zb * (ax - cx) + zc * (bx - ax))
    return za, zb, zc, z_x, z_y


@inlined
def _span(edge, step, first, last):  # type: ignore[no-untyped-def]
    """The part of columns first … last where an edge function, given at column 0 and per column, is >= 0."""
    if step > 0:
        if edge < 0:
            first = max(first, -(edge // step))
    elif step < 0:
        last = min(last, edge // -step)
    elif edge < 0:
        last = -1
    return first, last


@uncounted
def draw_centres(drawn, shown, alpha_class, tested, nearest, ids):  # type: ignore[no-untyped-def]
    """Draw faces of a class (`tested`: ALPHA_MASK, else ALPHA_OPAQUE) to `nearest`, `ids`, both `padded`."""
    size = ids.shape[0]
    wanted = ALPHA_MASK if tested else ALPHA_OPAQUE
    face, depths = drawn.face, drawn.depth
    surface = shown.surface
    for n in range(len(face)):
        f = face[n]
        ax, ay, bx, by, cx, cy = corners_of(drawn, n)
        x0 = max(0, (min(ax, bx, cx) + HALF - 1) >> SUBPIXEL_BITS)
        x1 = min(size - 1, (max(ax, bx, cx) - HALF) >> SUBPIXEL_BITS)
        y0 = max(0, (min(ay, by, cy) + HALF - 1) >> SUBPIXEL_BITS)
        y1 = min(size - 1, (max(ay, by, cy) - HALF) >> SUBPIXEL_BITS)
        if x1 < x0 or y1 < y0 or alpha_class[f] != wanted:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        px, py = x0 * SUBPIXEL + HALF, y0 * SUBPIXEL + HALF
        e_ab = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
        e_bc = (cx - bx) * (py - by) - (cy - by) * (px - bx)
        e_ca = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
        # Steps of the edge functions per pixel.
        ab_x = (ay - by) * SUBPIXEL
        bc_x = (by - cy) * SUBPIXEL
        ca_x = (cy - ay) * SUBPIXEL
        ab_y = (bx - ax) * SUBPIXEL
        bc_y = (cx - bx) * SUBPIXEL
        ca_y = (ax - cx) * SUBPIXEL
        inverse = 1.0 / area
        za = depths[n, 0] * inverse
        zb = depths[n, 1] * inverse
        zc = depths[n, 2] * inverse
        z_x = np.float32(za * bc_x + zb * ca_x + zc * ab_x)
        z_y = za * bc_y + zb * ca_y + zc * ab_y
        z_row = za * e_bc + zb * e_ca + zc * e_ab
        if not tested and is_narrow(ax, ay, bx, by, cx, cy):
            steps = np.int32(ab_x), np.int32(bc_x), np.int32(ca_x)
            for y in range(y0, y1 + 1):
                z = np.float32(z_row)
                for x in range(x0, x1 + 1, ROW):
                    i = x - x0
                    edges = np.int32(e_ab + ab_x * i), np.int32(e_bc + bc_x * i), np.int32(e_ca + ca_x * i)
                    count = np.int32(x1 + 1 - x)
                    see_row(nearest, ids, y * size + x, count, np.int32(f), edges, steps, z, z_x, np.int32(i))
                e_ab += ab_y
                e_bc += bc_y
                e_ca += ca_y
                z_row += z_y
            continue
        for y in range(y0, y1 + 1):
            first, last = _span(e_ab, ab_x, 0, x1 - x0)
            first, last = _span(e_bc, bc_x, first, last)
            first, last = _span(e_ca, ca_x, first, last)
            z = np.float32(z_row)
            for i in range(first, last + 1):
                here = z + z_x * np.float32(i)
                if here >= nearest[y, x0 + i]:
                    continue
                if tested:
                    alpha = opacity_at(f, x0 + i + 0.5, y + 0.5, shown)
                    if alpha < surface.cutoff[surface.material[f]]:
                        continue
                nearest[y, x0 + i] = here
                ids[y, x0 + i] = f
            e_ab += ab_y
            e_bc += bc_y
            e_ca += ca_y
            z_row += z_y


@uncounted
def _walk(begin, end, mark, nearest, marked):  # type: ignore[no-untyped-def]
    """Put `mark` on every pixel that a segment touches and that no surface clearly hides."""
    size = marked.shape[0]
    if begin[1] > end[1]:
        begin, end = end, begin
    x0, y0, z0 = begin
    x1, y1, z1 = end
    top, bottom = max(0, y0 >> SUBPIXEL_BITS), min(size - 1, y1 >> SUBPIXEL_BITS)
    flat = y1 == y0
    slope = 0.0 if flat else (x1 - x0) / (y1 - y0)
    length = max(abs(x1 - x0), y1 - y0, 1)
    vertical = (y1 - y0) >= abs(x1 - x0)
    for row in range(top, bottom + 1):
        from_y, to_y = max(y0, row << SUBPIXEL_BITS), min(y1, (row + 1) << SUBPIXEL_BITS)
        if flat:
            xa, xb = np.float64(min(x0, x1)), np.float64(max(x0, x1))
        else:
            xs, xe = x0 + slope * (from_y - y0), x0 + slope * (to_y - y0)
            xa, xb = min(xs, xe), max(xs, xe)
        left, right = max(0, int(xa - 1) >> SUBPIXEL_BITS), min(size - 1, int(xb + 1) >> SUBPIXEL_BITS)
        for column in range(left, right + 1):
            if marked[row, column] >= mark:
                continue
            if vertical:
                along = (0.5 * (from_y + to_y) - y0) / length
            else:
                along = abs((column << SUBPIXEL_BITS) + HALF - x0) / length
            z = z0 + (z1 - z0) * min(1.0, along)
            if z <= nearest[row, column] + NEAR_EDGE:
                marked[row, column] = mark


@uncounted
def mark_edges(shown, depth, edges, facing, nearest, marked):  # type: ignore[no-untyped-def]
    """Mark pixels under edges where the picture may change within: outlines, borders, jumps of colour."""
    sx, sy = shown.x, shown.y
    ends, sides, jump = edges
    for e in range(len(ends)):
        g = sides[e, 1]
        here, there = facing[sides[e, 0]], facing[g] if g >= 0 else np.int8(HIDDEN)
        # At an edge of many faces, others than the first may be visible.
        if here == there and g != CROWDED and (here == HIDDEN or not jump[e]):
            continue
        a, b = ends[e, 0], ends[e, 1]
        mark = JUMP if here == there and g != CROWDED else OUTLINE
        _walk((sx[a], sy[a], depth[a]), (sx[b], sy[b], depth[b]), mark, nearest, marked)


@uncounted
def mark_faces(drawn, alpha_class, nearest, marked):  # type: ignore[no-untyped-def]
    """Mark every pixel that a MASK or BLEND face may touch in front of the surface drawn there."""
    size = marked.shape[0]
    face = drawn.face
    for n in range(len(face)):
        if alpha_class[face[n]] == ALPHA_OPAQUE:
            continue
        front = front_of(drawn, n)
        x0, x1, y0, y1 = touched(corners_of(drawn, n), size)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                if front <= nearest[y, x] + NEAR_EDGE:
                    marked[y, x] = OUTLINE


@compiled
def find_runs(ids, box):  # type: ignore[no-untyped-def]
    """Runs of pixels of one face in the box: (N, 4) int32 row, first, end column, face; `ids` is `padded`."""
    size = ids.shape[0]
    runs = np.empty(((box[1] - box[0]) * (box[3] - box[2]), 4), np.int32)
    n = 0
    for y in range(box[0], box[1]):
        first = box[2]
        for start in range(box[2], box[3], ROW):
            at = y * size + start
            ends = differing(ids, at, at + 1)
            left = box[3] - start
            if left <= ROW:
                ends = ends & first_bits(left) | np.int64(1) << (left - 1)
            while ends != 0:
                end = start + lowest(ends) + 1
                ends &= ends - 1
                f = ids[y, end - 1]
                if f >= 0:
                    runs[n, 0] = y
                    runs[n, 1] = first
                    runs[n, 2] = end
                    runs[n, 3] = f
                    n += 1
                first = end
    return runs[:n]
