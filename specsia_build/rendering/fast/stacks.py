"""The translucent fragments of a tile of a view, as many of the nearest faces' as there is room for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.fast.close import close_from, next_close
from specsia_build.rendering.fast.fragments import (
    FULL,
    NO_FRAGMENT,
    SAMPLE_X,
    SAMPLE_Y,
    inside,
    reaching_long,
)
from specsia_build.rendering.fast.lanes import nearer
from specsia_build.rendering.fast.raster import (
    HALF,
    SUBPIXEL,
    SUBPIXEL_BITS,
    corners_of,
    depth_of,
    front_of,
    is_narrow,
    reaches,
    touched,
)
from specsia_build.rendering.fast.rows import ROW, lowest, reaching

TILE = 32
"""Pixels on a side of a tile."""

PIXELS = TILE * TILE

ROOM = 256 * PIXELS
"""Fragments of a tile: eight layers where each shows 32 faces in a pixel. Farther faces are not drawn."""

ROUNDED = np.float32(1e-6)
"""Part of itself by which a depth that is reckoned for a sample may leave the range of its face's corners."""

_FLOAT_X, _FLOAT_Y = SAMPLE_X.astype(np.float32), SAMPLE_Y.astype(np.float32)

in_front = nearer(SAMPLE_X, SAMPLE_Y)


class Stack(NamedTuple):
    """Working memory for up to N fragments of a tile.

    `pixel` (N,) int32 is a fragment's pixel, counted row by row of the tile; `row` (N,) int32 its face's row in
    `Loaded`; `mask` (N,) uint64 its samples; `plane` (N, 3) float32 its depth at the pixel's centre and how it grows
    per 1/256 pixel right and down. `order` (N,) int32 are the fragments by pixel, those of pixel p from `start`[p] to
    `start`[p + 1].
    """

    pixel: NDArray[np.int32]
    row: NDArray[np.int32]
    mask: NDArray[np.uint64]
    plane: NDArray[np.float32]
    order: NDArray[np.int32]
    start: NDArray[np.int32]

    @classmethod
    def empty(cls) -> Stack:
        """For `ROOM` fragments."""
        room = ROOM
        return cls(
            pixel=np.empty(room, np.int32),
            row=np.empty(room, np.int32),
            mask=np.empty(room, np.uint64),
            plane=np.empty((room, 3), np.float32),
            order=np.empty(room, np.int32),
            start=np.empty(PIXELS + 1, np.int32),
        )


@inlined
def plane_of(plane, k):  # type: ignore[no-untyped-def]
    """The depth of fragment `k`, as `in_front` takes it."""
    return plane[k, 0], plane[k, 1], plane[k, 2]


@inlined
def depth_at(plane, k, s):  # type: ignore[no-untyped-def]
    """The depth of fragment `k` at a sample, rounded as `in_front` does."""
    return plane[k, 0] + plane[k, 1] * _FLOAT_X[s] + plane[k, 2] * _FLOAT_Y[s]


@inlined
def _owned(dx, minus_dy):  # type: ignore[no-untyped-def]
    """0 if points on an edge of that direction are the face's, 1 if the neighbour's, who walks it the other way."""
    return 0 if minus_dy > 0 or (minus_dy == 0 and dx > 0) else 1


@inlined
def _uncovered(mask, depth, g, following, masks, plane):  # type: ignore[no-untyped-def]
    """The samples of `mask` at which a surface lies in front of the opaque fragments of the list `g`."""
    while g != NO_FRAGMENT and mask != 0:
        if mask & masks[g] != 0:
            mask &= ~masks[g] | in_front(depth, plane_of(plane, g))
        g = following[g]
    return mask


@uncounted
def _sort_by_pixel(stack, count):  # type: ignore[no-untyped-def]
    pixel, order, start = stack.pixel, stack.order, stack.start
    start[:] = 0
    for k in range(count):
        start[pixel[k]] += 1
    for p in range(1, PIXELS + 1):
        start[p] += start[p - 1]
    # Each entry is where its pixel ends, and becomes where it begins.
    for k in range(count - 1, -1, -1):
        start[pixel[k]] -= 1
        order[start[pixel[k]]] = k


@uncounted
def gather(touching, which, rows, corner, close, far, fragments, stack):  # type: ignore[no-untyped-def]
    """Fill `stack` with the fragments that the faces `which` of `touching` leave in a tile's close pixels, in front of
    the opaque `fragments`.

    A sample on the edge between two faces is in one of them only; it would else count as two layers.

    Args:
        which: nearest first.
        rows: (F,) int32 of `Loaded`.
        corner: row and column of the tile's first pixel.
    """
    size, slots, near_rows = far.shape[0], close.slots, close.rows
    first, following, hiding, hiding_plane = fragments.first, fragments.following, fragments.mask, fragments.plane
    pixel, row, masks, plane, (top, left) = stack.pixel, stack.row, stack.mask, stack.plane, corner
    count = 0
    for k in range(len(which)):
        n = which[k]
        ax, ay, bx, by, cx, cy = corners_of(touching, n)
        za, zb, zc, z_x, z_y = depth_of(touching, n, ax, ay, bx, by, cx, cy)
        front = front_of(touching, n)
        back = max(touching.depth[n, 0], touching.depth[n, 1], touching.depth[n, 2])
        reach = (abs(z_x) + abs(z_y)) * np.float32(HALF)
        slack = (abs(front) + abs(back) + np.float32(4) * reach) * ROUNDED
        x0, x1, y0, y1 = touched(ax, ay, bx, by, cx, cy, size)
        x0, x1, y0, y1 = max(x0, left), min(x1, left + TILE - 1), max(y0, top), min(y1, top + TILE - 1)
        narrow = is_narrow(ax, ay, bx, by, cx, cy)
        i = rows[touching.face[n]]
        ab_x, ab_y, bc_x, bc_y, ca_x, ca_y = ay - by, bx - ax, by - cy, cx - bx, cy - ay, ax - cx
        reach_ab, reach_bc, reach_ca = reaches(ax, ay, bx, by, cx, cy)
        right = np.int32(ab_x), np.int32(bc_x), np.int32(ca_x)
        down = np.int32(ab_y), np.int32(bc_y), np.int32(ca_y)
        own_ab, own_bc, own_ca = _owned(ab_y, ab_x), _owned(bc_y, bc_x), _owned(ca_y, ca_x)
        z_pixel = z_x * np.float32(SUBPIXEL)
        for y in range(y0, y1 + 1):
            py = (y << SUBPIXEL_BITS) + HALF
            begin = next_close(near_rows, y, x0, x1)
            while begin <= x1:
                px = (begin << SUBPIXEL_BITS) + HALF
                ab = ab_y * (py - ay) + ab_x * (px - ax)
                bc = bc_y * (py - by) + bc_x * (px - bx)
                ca = ca_y * (py - cy) + ca_x * (px - cx)
                nearest = np.float32(za * bc + zb * ca + zc * ab) - reach - slack
                width = np.int32(x1 + 1 - begin)
                if narrow:
                    edges = np.int32(ab + reach_ab), np.int32(bc + reach_bc), np.int32(ca + reach_ca)
                    steps = np.int32(ab_x * SUBPIXEL), np.int32(bc_x * SUBPIXEL), np.int32(ca_x * SUBPIXEL)
                    bits = reaching(far, y * size + begin, width, edges, steps, front - slack, nearest, z_pixel)
                else:
                    wide = ab + reach_ab, bc + reach_bc, ca + reach_ca
                    per_pixel = ab_x * SUBPIXEL, bc_x * SUBPIXEL, ca_x * SUBPIXEL
                    bits = reaching_long(far[y, begin:], width, wide, per_pixel, front - slack, nearest, z_pixel)
                bits &= close_from(near_rows, y, begin)
                while bits != 0:
                    x = begin + lowest(bits)
                    bits &= bits - 1
                    p = (y - top) * TILE + x - left
                    on = (x - begin) * SUBPIXEL
                    at_ab, at_bc, at_ca = ab + ab_x * on, bc + bc_x * on, ca + ca_x * on
                    # From the pixel's own edge functions, so that no depth depends on where a tile begins.
                    depth = np.float32(za * at_bc + zb * at_ca + zc * at_ab), z_x, z_y
                    # Beyond its reach an edge function is positive at all samples, so it may be cut to 32 bits.
                    at = (
                        np.int32(min(at_ab, reach_ab) - own_ab),
                        np.int32(min(at_bc, reach_bc) - own_bc),
                        np.int32(min(at_ca, reach_ca) - own_ca),
                    )
                    mask = FULL & inside(at, right, down)
                    mask = _uncovered(mask, depth, first[slots[y, x]], following, hiding, hiding_plane)
                    if mask == 0 or count == len(pixel):
                        continue
                    pixel[count], row[count], masks[count] = p, i, mask
                    plane[count, 0], plane[count, 1], plane[count, 2] = depth
                    count += 1
                begin = next_close(near_rows, y, min(begin + ROW, x1 + 1), x1)
    _sort_by_pixel(stack, count)
