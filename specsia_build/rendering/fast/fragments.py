"""Compiled visibility within a pixel: which face wins which of its samples.

A fragment is a face's share of a pixel: a mask with one bit per sample. The fragments of a pixel form a list;
no two of them hold the same sample, so that the visible surface is known as soon as the last face is drawn.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, uncounted
from specsia_build.rendering.fast.buffers import Close, close_from, next_close
from specsia_build.rendering.fast.lanes import LANES, half_plane, triangle
from specsia_build.rendering.fast.prepare import ALPHA_MASK, ALPHA_OPAQUE
from specsia_build.rendering.fast.raster import (
    HALF,
    SUBPIXEL_BITS,
    Drawn,
    corners_of,
    depth_of,
    front_of,
    is_narrow,
    reaches,
    touched,
)
from specsia_build.rendering.fast.rows import ROW, lowest, reaching
from specsia_build.rendering.fast.shading import Shown, opacity_at
from specsia_build.rendering.layers import SUBPIXEL
from specsia_build.rendering.vectors import put

PIXEL_SAMPLES = 55
"""Samples of a pixel that is not covered by one face: a Fibonacci lattice, whose half-plane discrepancy is
the least known for its size. An odd number, so that no straight edge ties at half coverage."""

_ROUNDING = np.float32(1e-6)  # Error in units of a depth that is extrapolated from the first pixel of a row
# Parts of a character's depth by which faces are ordered; few, so that neighbours stay together in memory
SLABS = 128

MOST_CROWDED = 1 << 18
"""Close pixels, as many as outlines make, for which eight fragments each are reserved at first; where more
are close, a translucent surface lies in front of most of them, and two are enough."""

NO_FRAGMENT = -1


def _lattice() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    i = np.arange(PIXEL_SAMPLES)
    x = (i / PIXEL_SAMPLES + 0.5) % 1.0 - 0.5
    y = (i * 34 % PIXEL_SAMPLES / PIXEL_SAMPLES + 0.5) % 1.0 - 0.5
    order = np.argsort(np.hypot(x, y), kind="stable")
    offsets = np.zeros((2, LANES), np.int32)
    offsets[:, :PIXEL_SAMPLES] = np.rint(np.stack([x, y])[:, order] * SUBPIXEL)
    return offsets[0], offsets[1]


SAMPLE_X, SAMPLE_Y = _lattice()
"""(LANES,) int32 offsets of the samples from the pixel's centre in 1/256 pixel, the centre itself first; what
lies beyond `PIXEL_SAMPLES` repeats the centre and is not counted."""

_not_negative = half_plane(SAMPLE_X, SAMPLE_Y)
inside = triangle(SAMPLE_X, SAMPLE_Y)

# Each sample's bit in a mask
BITS = np.array([1 << s if s < PIXEL_SAMPLES else 0 for s in range(LANES)], np.uint64)
_BYTES = (PIXEL_SAMPLES + 7) // 8  # Bytes of a mask that can be set
# Bits of each of the three sums in a number of `MOMENTS`; all samples of a pixel together need 14
SUM_BITS = 16

SUM_MASK = (1 << SUM_BITS) - 1


def _moments() -> NDArray[np.int64]:
    values = np.arange(256)
    table = np.zeros((_BYTES, 256), np.int64)
    for s in range(PIXEL_SAMPLES):
        right, down = int(SAMPLE_X[s]) + HALF, int(SAMPLE_Y[s]) + HALF
        table[s // 8] += (values >> s % 8 & 1) * (1 + (right << SUM_BITS) + (down << 2 * SUM_BITS))
    return table


MOMENTS = _moments()
"""(BYTES, 256) int64, three sums side by side of each value of each byte of a mask: how many samples it
holds, and in 1/256 pixel how far they lie from the pixel's left and upper border."""


@inlined
def sample_sums(mask):  # type: ignore[no-untyped-def]
    """Count of samples in a mask; sums of their distances from the pixel's left and top, in 1/256 pixel."""
    total = np.int64(0)
    for b in range(_BYTES):
        total += MOMENTS[b, np.int64(mask >> np.uint64(8 * b) & np.uint64(255))]
    return total & SUM_MASK, total >> SUM_BITS & SUM_MASK, total >> 2 * SUM_BITS


FULL = np.uint64((1 << PIXEL_SAMPLES) - 1)  # Mask of all samples


class Fragments(NamedTuple):
    """The N fragments of S pixels."""

    first: NDArray[np.int32]  # (S,), head of each pixel's list
    following: NDArray[np.int32]  # (N,), its links, `NO_FRAGMENT` at its end
    face: NDArray[np.int32]  # (N,)
    mask: NDArray[np.uint64]  # (N,)
    plane: NDArray[np.float32]  # (N, 3), depth at the pixel's centre, growth per 1/256 pixel right and down
    used: NDArray[np.int64]  # (2,), number of fragments, and head of the list of those that were given back
    covered: NDArray[np.uint64]  # (S,), samples that a pixel's fragments hold together
    deepest: NDArray[np.float32]  # (S,), a depth that none of them exceeds


@inlined
def unhidden(won, depth, g, following, mask, plane):  # type: ignore[no-untyped-def]
    """The samples of `won` where a surface is in front of all fragments of the list `g`; those win ties."""
    z, z_x, z_y = depth
    while g != NO_FRAGMENT and won != 0:
        both = won & mask[g]
        if both != 0:
            d = z - plane[g, 0]
            d_x, d_y = z_x - plane[g, 1], z_y - plane[g, 2]
            reach = (abs(d_x) + abs(d_y)) * np.float32(HALF)
            if d >= reach:
                won &= ~both
            elif d > -reach:
                won &= ~(both & _not_negative(d, d_x, d_y))
        g = following[g]
    return won


@uncounted
def _untransparent(mask, f, x, y, shown):  # type: ignore[no-untyped-def]
    """The samples of `mask` at which a MASK face is opaque."""
    surface = shown.surface
    cutoff = surface.cutoff[surface.material[f]]
    for s in range(PIXEL_SAMPLES):
        if mask & BITS[s] != 0:
            across, down = x + 0.5 + SAMPLE_X[s] / SUBPIXEL, y + 0.5 + SAMPLE_Y[s] / SUBPIXEL
            if opacity_at(f, across, down, shown) < cutoff:
                mask &= ~BITS[s]
    return mask


@inlined
def _take(won, slot, first, following, mask, used):  # type: ignore[no-untyped-def]
    """Remove the samples of `won` from the fragments of a pixel, and free fragments without samples."""
    previous, g = NO_FRAGMENT, first[slot]
    while g != NO_FRAGMENT:
        after = following[g]
        left = mask[g] & ~won
        mask[g] = left
        if left != 0:
            previous = g
        else:
            if previous == NO_FRAGMENT:
                first[slot] = after
            else:
                following[previous] = after
            following[g] = used[1]
            used[1] = g
        g = after


@compiled
def touching_faces(drawn, alpha_class, wanted, rows, size):  # type: ignore[no-untyped-def]
    """The drawn faces of one alpha class that may touch a close pixel, by the slab of space they begin in,
    nearest first: faces drawn later are mostly hidden, and known to be so without a closer look."""
    face, corners, depths = drawn
    low, high = np.float32(np.inf), np.float32(-np.inf)
    chosen = np.empty(len(face), np.int32)
    front = np.empty(len(face), np.float32)
    count = 0
    for n in range(len(face)):
        if alpha_class[face[n]] != wanted:
            continue
        x0, x1, y0, y1 = touched(corners_of(drawn, n), size)
        if x0 > x1:
            continue
        for y in range(y0, y1 + 1):
            if next_close(rows, y, x0, x1) <= x1:
                z = front_of(drawn, n)
                low, high = min(low, z), max(high, z)
                chosen[count], front[count] = n, z
                count += 1
                break
    scale = np.float32(SLABS - 1) / max(high - low, np.float32(1e-30))
    start = np.zeros(SLABS + 1, np.int64)
    for k in range(count):
        start[int((front[k] - low) * scale) + 1] += 1
    for k in range(SLABS):
        start[k + 1] += start[k]
    ordered = Drawn(
        np.empty(count, np.int32), np.empty((count, 6), np.int32), np.empty((count, 3), np.float32)
    )
    of, at, far = ordered
    for k in range(count):
        n, slab = chosen[k], int((front[k] - low) * scale)
        to = start[slab]
        start[slab] += 1
        of[to] = face[n]
        for i in range(6):
            at[to, i] = corners[n, i]
        for i in range(3):
            far[to, i] = depths[n, i]
    return ordered


@inlined
def edges_at(corners, right, down, x, y):  # type: ignore[no-untyped-def]
    """Edge functions ab, bc, ca of a face at a pixel's centre, by growth per 1/256 pixel right and down."""
    ax, ay, bx, by, cx, cy = corners
    px, py = (x << SUBPIXEL_BITS) + HALF, (y << SUBPIXEL_BITS) + HALF
    return (
        down[0] * (py - ay) + right[0] * (px - ax),
        down[1] * (py - by) + right[1] * (px - bx),
        down[2] * (py - cy) + right[2] * (px - cx),
    )


@inlined
def reaching_from(far, y, span, edges, shape, depth):  # type: ignore[no-untyped-def]
    """Bits of the pixels of row `y` from first to last of `span`, `ROW` at most, in which a face may be seen.

    `depth` is the least of the face, the least in the first pixel, and how that grows per pixel.
    `shape` holds what its edge functions grow by to the right, their reach, and whether they fit 32 bits.
    """
    x, last = span
    right, reach, narrow = shape
    front, z, z_x = depth
    ab = edges[0] + reach[0]
    bc = edges[1] + reach[1]
    ca = edges[2] + reach[2]
    ab_x = right[0] * SUBPIXEL
    bc_x = right[1] * SUBPIXEL
    ca_x = right[2] * SUBPIXEL
    count = np.int32(last + 1 - x)
    if narrow:
        start = (np.int32(ab), np.int32(bc), np.int32(ca))
        steps = (np.int32(ab_x), np.int32(bc_x), np.int32(ca_x))
        return reaching(far, y * far.shape[0] + x, count, start, steps, front, z, z_x)
    bits = np.int64(0)
    for i in range(min(int(count), ROW)):
        near = min(ab + ab_x * i, bc + bc_x * i, ca + ca_x * i) >= 0
        if near and front <= far[y, x + i] and z + z_x * np.float32(i) <= far[y, x + i]:
            bits |= np.int64(1) << i
    return bits


@inlined
def samples_inside(edges, right, down, reach, taken):  # type: ignore[no-untyped-def]
    """A pixel's samples that lie in a face by its edge functions; 1 in `taken`: the edge is another's."""
    # Beyond its reach an edge function is positive at all samples, so it may be cut to 32 bits.
    at = (
        np.int32(min(edges[0], reach[0]) - taken[0]),
        np.int32(min(edges[1], reach[1]) - taken[1]),
        np.int32(min(edges[2], reach[2]) - taken[2]),
    )
    steps = np.int32(right[0]), np.int32(right[1]), np.int32(right[2])
    return FULL & inside(at, steps, (np.int32(down[0]), np.int32(down[1]), np.int32(down[2])))


@uncounted
def _draw(touching, shown, wanted, close, far, fragments):  # type: ignore[no-untyped-def]
    """Draw the faces `touching`, of one alpha class, at all samples of close pixels; whether all had room."""
    size = far.shape[0]
    slots, rows = close.slots, close.rows
    first, following, face, held, plane, used, covered, deepest = fragments
    faces = touching.face
    for n in range(len(faces)):
        f = faces[n]
        corners = corners_of(touching, n)
        ax, ay, bx, by, cx, cy = corners
        x0, x1, y0, y1 = touched(corners, size)
        front = front_of(touching, n)
        narrow = is_narrow(*corners)
        reach = reaches(*corners)
        right, down = (ay - by, by - cy, cy - ay), (bx - ax, cx - bx, ax - cx)
        za, zb, zc, z_x, z_y = depth_of(touching, n, corners)
        slope = (abs(z_x) + abs(z_y)) * np.float32(HALF) + _ROUNDING
        for y in range(y0, y1 + 1):
            start = next_close(rows, y, x0, x1)
            while start <= x1:
                ab, bc, ca = edges = edges_at(corners, right, down, start, y)
                z_first, z_step = za * bc + zb * ca + zc * ab, za * right[1] + zb * right[2] + zc * right[0]
                seen = front, np.float32(z_first) - slope, z_x * np.float32(SUBPIXEL)
                bits = reaching_from(far, y, (start, x1), edges, (right, reach, narrow), seen)
                bits &= close_from(rows, y, start)
                while bits != 0:
                    i = lowest(bits)
                    bits &= bits - 1
                    x = start + i
                    slot = slots[y, x]
                    on = i * SUBPIXEL
                    z = np.float32(z_first + z_step * on)
                    here = ab + right[0] * on, bc + right[1] * on, ca + right[2] * on
                    mask = samples_inside(here, right, down, reach, (0, 0, 0))
                    if mask & covered[slot] != 0:
                        mask = unhidden(mask, (z, z_x, z_y), first[slot], following, held, plane)
                    if wanted == ALPHA_MASK:
                        mask = _untransparent(mask, f, x, y, shown)
                    if mask == 0:
                        continue
                    if mask & covered[slot] != 0:
                        _take(mask, slot, first, following, held, used)
                    new = used[1]
                    if new != NO_FRAGMENT:
                        used[1] = following[new]
                    elif used[0] < len(face):
                        new = used[0]
                        used[0] += 1
                    else:
                        return False
                    face[new] = f
                    held[new] = mask
                    following[new] = first[slot]
                    put(plane, new, (z, z_x, z_y))
                    first[slot] = new
                    covered[slot] |= mask
                    deepest[slot] = max(deepest[slot], z + slope)
                    far[y, x] = deepest[slot] if covered[slot] == FULL else np.float32(np.inf)
                start = next_close(rows, y, min(start + ROW, x1 + 1), x1)
    return True


def visible_fragments(
    drawn: Drawn,
    shown: Shown,
    alpha_class: NDArray[np.int8],
    kinds: frozenset[int],
    close: Close,
    far: NDArray[np.float32],
) -> Fragments:
    """Find the visible OPAQUE and MASK faces in the close pixels; `kinds` are the alpha classes that occur.

    `far` (H, W) float32, `padded`, is infinite in those, and becomes a depth behind which nothing is visible.
    """
    solid = [kind for kind in (ALPHA_OPAQUE, ALPHA_MASK) if kind in kinds]
    touching = [(touching_faces(drawn, alpha_class, kind, close.rows, len(far)), kind) for kind in solid]
    pixels = len(close.pixels)
    room = 2 * pixels + 6 * min(pixels, MOST_CROWDED) + 64
    while True:
        fragments = Fragments(
            first=np.full(pixels, NO_FRAGMENT, np.int32),
            following=np.empty(room, np.int32),
            face=np.empty(room, np.int32),
            mask=np.empty(room, np.uint64),
            plane=np.empty((room, 3), np.float32),
            used=np.array([0, NO_FRAGMENT]),
            covered=np.zeros(pixels, np.uint64),
            deepest=np.full(pixels, -np.inf, np.float32),
        )
        if all(_draw(faces, shown, wanted, close, far, fragments) for faces, wanted in touching):
            return fragments
        room *= 2
        far.reshape(-1)[close.pixels] = np.inf
