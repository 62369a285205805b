"""The nearest translucent surfaces at each sample of a tile of a view."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.fast.buffers import Close, close_from, next_close
from specsia_build.rendering.fast.fragments import (
    BITS,
    PIXEL_SAMPLES,
    SAMPLE_X,
    SAMPLE_Y,
    Fragments,
    edges_at,
    reaching_from,
    samples_inside,
    unhidden,
)
from specsia_build.rendering.fast.lanes import LANES
from specsia_build.rendering.fast.raster import (
    HALF,
    corners_of,
    depth_of,
    front_of,
    is_narrow,
    reaches,
    touched,
)
from specsia_build.rendering.fast.rows import ROW, lowest
from specsia_build.rendering.layers import SUBPIXEL

TILE = 16  # Pixels on a side of a tile

TILE_PIXELS = TILE * TILE

MOST_LAYERS = 8  # Translucent surfaces at a sample that are drawn, the nearest ones
_ROUNDED = np.float32(1e-6)  # Relative rounding error of a sample's depth

_FLOAT_X, _FLOAT_Y = SAMPLE_X.astype(np.float32), SAMPLE_Y.astype(np.float32)


class Behind(NamedTuple):
    """What translucent faces of a view are put over, in its close pixels."""

    close: Close
    far: NDArray[np.float32]  # (H, W), `padded`, the depth behind which nothing can be seen in these
    fragments: Fragments  # Opaque surfaces in these, all of them loaded
    rows: NDArray[np.int32]  # (F,), row in `Loaded` of each face


class Stack(NamedTuple):
    """The surfaces at each sample of a tile's pixels, nearest first."""

    depth: NDArray[np.float32]  # (TILE_PIXELS, MOST_LAYERS, LANES), infinite where there is none
    row: NDArray[np.int32]  # (TILE_PIXELS, MOST_LAYERS, LANES), their faces' rows in `Loaded`, or -1
    height: NDArray[np.int32]  # (TILE_PIXELS,), how many layers some sample of a pixel has
    # (TILE_PIXELS, MOST_LAYERS), the largest depth of each layer, infinite where a sample lacks it
    deepest: NDArray[np.float32]
    moved_depth: NDArray[np.float32]  # (LANES,), what an insertion moves to the next layer
    moved_row: NDArray[np.int32]  # (LANES,), the same

    @classmethod
    def empty(cls) -> Stack:
        """A stack without surfaces."""
        shape = TILE_PIXELS, MOST_LAYERS, LANES
        moved = np.empty(LANES, np.float32), np.empty(LANES, np.int32)
        depth, row = np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int32)
        return cls(
            depth, row, np.zeros(TILE_PIXELS, np.int32), np.full(shape[:2], np.inf, np.float32), *moved
        )


@uncounted
def clear(p, stack):  # type: ignore[no-untyped-def]
    """Remove all surfaces from a pixel."""
    for k in range(stack.height[p]):
        for s in range(LANES):
            stack.depth[p, k, s], stack.row[p, k, s] = np.float32(np.inf), -1
        stack.deepest[p, k] = np.float32(np.inf)
    stack.height[p] = 0


@inlined
def _owned(dx, minus_dy):  # type: ignore[no-untyped-def]
    """0 if points on an edge of this direction belong to the face, 1 if to its neighbour (edge reversed)."""
    return 0 if minus_dy > 0 or (minus_dy == 0 and dx > 0) else 1


@uncounted
def _insert(p, i, mask, plane, stack):  # type: ignore[no-untyped-def]
    """Put the face in row `i` among a pixel's surfaces at the samples of `mask`, by depth, then by row."""
    depth = stack.depth
    row = stack.row
    none = np.float32(np.inf)
    depths, faces = stack.moved_depth, stack.moved_row
    slope = (abs(plane[1]) + abs(plane[2])) * np.float32(HALF)
    nearest = plane[0] - slope - (abs(plane[0]) + slope) * _ROUNDED
    for s in range(LANES):
        z = plane[0] + plane[1] * _FLOAT_X[s] + plane[2] * _FLOAT_Y[s]
        depths[s], faces[s] = z if mask & BITS[s] != 0 else none, np.int32(i)
    for k in range(MOST_LAYERS):
        if nearest > stack.deepest[p, k]:
            continue
        left, deepest = np.int32(0), -none
        for s in range(LANES):
            here = depth[p, k, s]
            z = depths[s]
            there = row[p, k, s]
            f = faces[s]
            nearer, same = z < here, z == here
            depth[p, k, s] = z if nearer else here
            row[p, k, s] = f if nearer else (min(there, f) if same else there)
            z = here if nearer else (none if same else z)
            depths[s], faces[s] = z, there if nearer else f
            left |= np.int32(z < none)
        for s in range(PIXEL_SAMPLES):
            deepest = max(deepest, depth[p, k, s])
        stack.height[p], stack.deepest[p, k] = max(stack.height[p], k + 1), deepest
        if left == 0:
            return


@uncounted
def gather(touching, which, corner, behind, stack):  # type: ignore[no-untyped-def]
    """Fill `stack` with faces `which` of `touching` in a tile's close pixels, ahead of opaque surfaces.

    The nearest come first; `corner` is the row and column of the tile's first pixel. A sample on the edge
    between two faces is in one of them, so that it is not counted twice.
    """
    close, far, fragments, rows = behind
    size = far.shape[0]
    slots, near_rows = close.slots, close.rows
    top, left = corner
    first, following = fragments.first, fragments.following
    hiding = fragments.mask
    hiding_plane = fragments.plane
    for k in range(len(which)):
        n = which[k]
        corners = corners_of(touching, n)
        ax, ay, bx, by, cx, cy = corners
        za, zb, zc, z_x, z_y = depth_of(touching, n, corners)
        front = front_of(touching, n)
        back = max(touching.depth[n, 0], touching.depth[n, 1], touching.depth[n, 2])
        slope = (abs(z_x) + abs(z_y)) * np.float32(HALF)
        slack = (abs(front) + abs(back) + np.float32(4) * slope) * _ROUNDED
        x0, x1, y0, y1 = touched(corners, size)
        x0, x1 = max(x0, left), min(x1, left + TILE - 1)
        y0, y1 = max(y0, top), min(y1, top + TILE - 1)
        narrow = is_narrow(*corners)
        reach = reaches(*corners)
        i = rows[touching.face[n]]
        right, down = (ay - by, by - cy, cy - ay), (bx - ax, cx - bx, ax - cx)
        taken = _owned(down[0], right[0]), _owned(down[1], right[1]), _owned(down[2], right[2])
        z_pixel = z_x * np.float32(SUBPIXEL)
        for y in range(y0, y1 + 1):
            begin = next_close(near_rows, y, x0, x1)
            while begin <= x1:
                ab, bc, ca = edges = edges_at(corners, right, down, begin, y)
                nearest = np.float32(za * bc + zb * ca + zc * ab) - slope - slack
                seen = front - slack, nearest, z_pixel
                bits = reaching_from(far, y, (begin, x1), edges, (right, reach, narrow), seen)
                bits &= close_from(near_rows, y, begin)
                while bits != 0:
                    x = begin + lowest(bits)
                    bits &= bits - 1
                    on = (x - begin) * SUBPIXEL
                    here = ab + right[0] * on, bc + right[1] * on, ca + right[2] * on
                    at_ab, at_bc, at_ca = here
                    # From the pixel's own edge functions, so that no depth depends on where a tile begins.
                    plane = np.float32(za * at_bc + zb * at_ca + zc * at_ab), z_x, z_y
                    mask = samples_inside(here, right, down, reach, taken)
                    mask = unhidden(mask, plane, first[slots[y, x]], following, hiding, hiding_plane)
                    if mask != 0:
                        _insert((y - top) * TILE + x - left, i, mask, plane, stack)
                begin = next_close(near_rows, y, min(begin + ROW, x1 + 1), x1)
