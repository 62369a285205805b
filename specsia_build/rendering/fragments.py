"""Compiled visibility within a pixel: which face wins which of its samples.

A fragment is a face's share of a pixel: a mask with one bit per sample. The fragments of a pixel form a list; no two of
them hold the same sample, so that what is visible is known as soon as the last face is drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled
from specsia_build.rendering.prepare import MASK, OPAQUE, Surface
from specsia_build.rendering.raster import HALF, NO_FACE, SUBPIXEL, SUBPIXEL_BITS
from specsia_build.rendering.shading import opacity_at
from specsia_build.rendering.textures import TextureTable

SAMPLES = 55
"""Samples of a pixel that is not covered by one face: a Fibonacci lattice, whose half-plane discrepancy is the least
known for its size. An odd number, so that no straight edge ties at half coverage."""

LANES = 64
"""`SAMPLES` rounded up to whole vector registers; the rest repeats the centre and is not counted."""

EXACT_FLOAT = 1 << 23
"""Reach of an edge function within a pixel up to which float32 sums of its parts are exact: all stay below 2^24."""

NO_FRAGMENT = -1


def _lattice() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    i = np.arange(SAMPLES)
    x = (i / SAMPLES + 0.5) % 1.0 - 0.5
    y = (i * 34 % SAMPLES / SAMPLES + 0.5) % 1.0 - 0.5
    order = np.argsort(np.hypot(x, y), kind="stable")
    offsets = np.zeros((2, LANES), np.int32)
    offsets[:, :SAMPLES] = np.rint(np.stack([x, y])[:, order] * SUBPIXEL)
    return offsets[0], offsets[1]


SAMPLE_X, SAMPLE_Y = _lattice()
"""(LANES,) int32 offsets of the samples from the pixel's centre in 1/256 pixel, the centre itself first."""

_FLOAT_X, _FLOAT_Y = SAMPLE_X.astype(np.float32), SAMPLE_Y.astype(np.float32)

BITS = np.array([1 << s if s < SAMPLES else 0 for s in range(LANES)], np.uint64)
"""(LANES,) uint64, each sample's bit in a mask."""

FULL = np.uint64((1 << SAMPLES) - 1)
"""Mask of all samples."""


class Fragments(NamedTuple):
    """The fragments of S pixels.

    `first` (S,) int32 is the head of each pixel's list, `following` (N,) int32 its links, `NO_FRAGMENT` at its end;
    `face` (N,) int32, `mask` (N,) uint64, `plane` (N, 3) float32: depth at the pixel's centre, and how it grows per
    1/256 pixel right and down. `used` (2,) int64 counts fragments and heads the list of those that were given back.
    """

    first: NDArray[np.int32]
    following: NDArray[np.int32]
    face: NDArray[np.int32]
    mask: NDArray[np.uint64]
    plane: NDArray[np.float32]
    used: NDArray[np.int64]


@compiled
def _inside(ab, ab_x, ab_y, bc, bc_x, bc_y, ca, ca_x, ca_y):  # type: ignore[no-untyped-def]
    """Samples at which no edge function, each given by its value at the centre and its slopes, is negative."""
    mask = np.uint64(0)
    for s in range(LANES):
        p_ab = ab + ab_x * _FLOAT_X[s] + ab_y * _FLOAT_Y[s]
        p_bc = bc + bc_x * _FLOAT_X[s] + bc_y * _FLOAT_Y[s]
        p_ca = ca + ca_x * _FLOAT_X[s] + ca_y * _FLOAT_Y[s]
        mask |= BITS[s] if (p_ab >= 0) & (p_bc >= 0) & (p_ca >= 0) else np.uint64(0)
    return mask


@compiled
def _inside_long(ab, ab_x, ab_y, bc, bc_x, bc_y, ca, ca_x, ca_y):  # type: ignore[no-untyped-def]
    """The same in integers, for faces so large that float32 is not exact."""
    mask = np.uint64(0)
    for s in range(LANES):
        p_ab = ab + ab_x * SAMPLE_X[s] + ab_y * SAMPLE_Y[s]
        p_bc = bc + bc_x * SAMPLE_X[s] + bc_y * SAMPLE_Y[s]
        p_ca = ca + ca_x * SAMPLE_X[s] + ca_y * SAMPLE_Y[s]
        mask |= BITS[s] if (p_ab | p_bc | p_ca) >= 0 else np.uint64(0)
    return mask


@compiled
def _behind(d, d_x, d_y):  # type: ignore[no-untyped-def]
    """Samples at which a linear function is not negative."""
    mask = np.uint64(0)
    for s in range(LANES):
        mask |= BITS[s] if d + d_x * _FLOAT_X[s] + d_y * _FLOAT_Y[s] >= 0 else np.uint64(0)
    return mask


@compiled
def _unhidden(won, z, z_x, z_y, g, following, mask, plane):  # type: ignore[no-untyped-def]
    """The samples of `won` at which a surface lies in front of all fragments of the list `g`; ties stay with those."""
    while g != NO_FRAGMENT and won != 0:
        both = won & mask[g]
        if both != 0:
            d, d_x, d_y = z - plane[g, 0], z_x - plane[g, 1], z_y - plane[g, 2]
            reach = (abs(d_x) + abs(d_y)) * np.float32(HALF)
            if d >= reach:
                won &= ~both
            elif d > -reach:
                won &= ~(both & _behind(d, d_x, d_y))
        g = following[g]
    return won


@compiled
def _untransparent(mask, f, x, y, sx, sy, surface, textures):  # type: ignore[no-untyped-def]
    """The samples of `mask` at which a MASK face is there."""
    cutoff = surface.cutoff[surface.material[f]]
    for s in range(SAMPLES):
        if mask & BITS[s] != 0:
            across, down = x + 0.5 + SAMPLE_X[s] / SUBPIXEL, y + 0.5 + SAMPLE_Y[s] / SUBPIXEL
            if opacity_at(f, across, down, sx, sy, surface, textures) < cutoff:
                mask &= ~BITS[s]
    return mask


@compiled
def _take(won, slot, first, following, mask, used):  # type: ignore[no-untyped-def]
    """Take the samples of `won` from the fragments of a pixel, and give back those that have none left."""
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
def _draw(  # type: ignore[no-untyped-def]
    sx, sy, depth, surface, textures, alpha_class, drawn, wanted, slots, fragments
):
    """Draw the faces of one alpha class, OPAQUE or MASK, at all samples of the numbered pixels.

    Returns:
        Whether there was room for all fragments.
    """
    size = slots.shape[0]
    faces = surface.faces
    first, following, face, held = fragments.first, fragments.following, fragments.face, fragments.mask
    plane, used = fragments.plane, fragments.used
    for f in drawn:
        if alpha_class[f] != wanted:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, bx, by, cx, cy = sx[a], sy[a], sx[b], sy[b], sx[c], sy[c]
        x0 = max(0, min(ax, bx, cx) >> SUBPIXEL_BITS)
        x1 = min(size - 1, max(ax, bx, cx) >> SUBPIXEL_BITS)
        y0 = max(0, min(ay, by, cy) >> SUBPIXEL_BITS)
        y1 = min(size - 1, max(ay, by, cy) >> SUBPIXEL_BITS)
        started = False
        area = np.int64(0)
        for y in range(y0, y1 + 1):
            py = (y << SUBPIXEL_BITS) + HALF
            for x in range(x0, x1 + 1):
                slot = slots[y, x]
                if slot < 0:
                    continue
                if not started:
                    started = True
                    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
                    if area < 0:
                        b, c = c, b
                        bx, by, cx, cy = cx, cy, bx, by
                        area = -area
                    reach_ab = (abs(by - ay) + abs(bx - ax)) * HALF
                    reach_bc = (abs(cy - by) + abs(cx - bx)) * HALF
                    reach_ca = (abs(ay - cy) + abs(ax - cx)) * HALF
                    small = max(reach_ab, reach_bc, reach_ca) <= EXACT_FLOAT
                    inverse = 1.0 / area
                    za, zb, zc = np.float64(depth[a]), np.float64(depth[b]), np.float64(depth[c])
                    z_x = np.float32((za * (by - cy) + zb * (cy - ay) + zc * (ay - by)) * inverse)
                    z_y = np.float32((za * (cx - bx) + zb * (ax - cx) + zc * (bx - ax)) * inverse)
                px = (x << SUBPIXEL_BITS) + HALF
                ab = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
                if ab < -reach_ab:
                    continue
                bc = (cx - bx) * (py - by) - (cy - by) * (px - bx)
                if bc < -reach_bc:
                    continue
                ca = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
                if ca < -reach_ca:
                    continue
                z = np.float32((za * bc + zb * ca + zc * ab) * inverse)
                # Beyond its reach an edge function is positive at all samples, so it may be cut to 32 bits.
                ab, bc, ca = min(ab, reach_ab), min(bc, reach_bc), min(ca, reach_ca)
                if ab == reach_ab and bc == reach_bc and ca == reach_ca:
                    mask = FULL
                elif small:
                    mask = _inside(
                        np.float32(ab),
                        np.float32(ay - by),
                        np.float32(bx - ax),
                        np.float32(bc),
                        np.float32(by - cy),
                        np.float32(cx - bx),
                        np.float32(ca),
                        np.float32(cy - ay),
                        np.float32(ax - cx),
                    )
                else:
                    mask = _inside_long(ab, ay - by, bx - ax, bc, by - cy, cx - bx, ca, cy - ay, ax - cx)
                mask = _unhidden(mask, z, z_x, z_y, first[slot], following, held, plane)
                if wanted == MASK:
                    mask = _untransparent(mask, f, x, y, sx, sy, surface, textures)
                if mask == 0:
                    continue
                _take(mask, slot, first, following, held, used)
                new = used[1]
                if new != NO_FRAGMENT:
                    used[1] = following[new]
                elif used[0] < len(face):
                    new = used[0]
                    used[0] += 1
                else:
                    return False
                face[new], held[new], following[new] = f, mask, first[slot]
                plane[new, 0], plane[new, 1], plane[new, 2] = z, z_x, z_y
                first[slot] = new
    return True


def visible_fragments(
    screen: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
    surface: Surface,
    textures: TextureTable,
    alpha_class: NDArray[np.int8],
    drawn: NDArray[np.int32],
    slots: NDArray[np.int32],
    pixels: int,
) -> Fragments:
    """What is visible of the OPAQUE and MASK faces in the `pixels` numbered pixels."""
    room = 4 * pixels + 64
    while True:
        fragments = Fragments(
            first=np.full(pixels, NO_FRAGMENT, np.int32),
            following=np.empty(room, np.int32),
            face=np.empty(room, np.int32),
            mask=np.empty(room, np.uint64),
            plane=np.empty((room, 3), np.float32),
            used=np.array([0, NO_FRAGMENT]),
        )
        arguments = (*screen, surface, textures, alpha_class, drawn)
        if _draw(*arguments, OPAQUE, slots, fragments) and _draw(*arguments, MASK, slots, fragments):
            return fragments
        room *= 2


@compiled
def at_samples(fragments):  # type: ignore[no-untyped-def]
    """Depth (S, LANES) float32 and face (S, LANES) int32 of each sample; infinity and `NO_FACE` where there is none."""
    pixels = len(fragments.first)
    depth = np.full((pixels, LANES), np.inf, np.float32)
    ids = np.full((pixels, LANES), NO_FACE, np.int32)
    for slot in range(pixels):
        g = fragments.first[slot]
        while g != NO_FRAGMENT:
            for s in range(SAMPLES):
                if fragments.mask[g] & BITS[s] != 0:
                    z, z_x, z_y = fragments.plane[g, 0], fragments.plane[g, 1], fragments.plane[g, 2]
                    depth[slot, s] = z + z_x * _FLOAT_X[s] + z_y * _FLOAT_Y[s]
                    ids[slot, s] = fragments.face[g]
            g = fragments.following[g]
    return depth, ids
