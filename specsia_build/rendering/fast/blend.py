"""Translucent faces over an opaque picture, averaged in linear light, a tile at a time.

A tile's fragments are put in order of depth pixel by pixel; where some cross within a pixel, sample by sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.colour import encode
from specsia_build.rendering.fast.close import Close, next_close
from specsia_build.rendering.fast.fragments import (
    BITS,
    FULL,
    NO_FRAGMENT,
    SAMPLE_X,
    SAMPLE_Y,
    SAMPLES,
    Fragments,
    sample_sums,
)
from specsia_build.rendering.fast.lanes import LANES, dim
from specsia_build.rendering.fast.picture import Picture
from specsia_build.rendering.fast.raster import HALF, NO_FACE, SUBPIXEL, Drawn, corners_of, touched
from specsia_build.rendering.fast.rows import lowest
from specsia_build.rendering.fast.shading import (
    GLOW,
    GLOW_TEXTURE,
    LIT,
    NO_TEXTURE,
    NX,
    PLAIN,
    RED,
    ROUGH,
    TEXTURE,
    Loaded,
    U,
    V,
    color_at,
    place,
)
from specsia_build.rendering.fast.stacks import PIXELS, TILE, Stack, depth_at, gather, in_front, plane_of
from specsia_build.rendering.fast.textures import TextureTable

LEAST_SEEN = 1 / 255
"""Opacity from which a surface counts as there, for coverage and for position."""

LEAST_LIGHT = np.float32(1 / 8192)
"""Share of light below which what lies behind cannot change a byte: the steepest one is 1 / 3295 of linear light."""

STEEPEST, MOST_TEXELS = 1 / 64, 1.0
"""Change of a colour, an opacity or a normal within a pixel, and texels of a texture that is not rough, up to which one
look stands for all samples: they would else be mixed in other proportions where something else covers some of them."""

MOST_COMPARED = 32
"""Fragments of a pixel that one is compared with before it is taken to cross all that it may."""


class Mixture(NamedTuple):
    """What is known of the pixels of a tile, from front to back.

    `through` (PIXELS, LANES) float32 is the share of light that a sample still lets pass, `light` (PIXELS, 3) float64
    the sum of what the samples show. `bright` (PIXELS,) uint64 are the samples that let enough pass, `seen` (PIXELS,)
    uint64 those in which a surface is there; `nearest` (PIXELS,) int32 is the row in `Loaded` of the foremost surface
    at the one of them that is nearest to the pixel's centre. `changed` (PIXELS,) bool says that a translucent face is
    in front of what is opaque.
    """

    through: NDArray[np.float32]
    light: NDArray[np.float64]
    bright: NDArray[np.uint64]
    seen: NDArray[np.uint64]
    nearest: NDArray[np.int32]
    changed: NDArray[np.bool_]


@inlined
def _first_bit(mask):  # type: ignore[no-untyped-def]
    return mask & (~mask + np.uint64(1))


@inlined
def _see(p, i, mask, opacity, mixture):  # type: ignore[no-untyped-def]
    """Note where the face in row `i` is the foremost that can be seen."""
    seen = mixture.seen[p]
    fresh = mask & ~seen
    if opacity < LEAST_SEEN or fresh == 0:
        return
    # Samples lie in the order of their distance from the centre, so the lowest bit is the nearest.
    if seen == 0 or _first_bit(fresh) < _first_bit(seen):
        mixture.nearest[p] = i
    mixture.seen[p] = seen | fresh


@inlined
def _lay_sample(p, s, i, row, column, opaque, shading, mixture):  # type: ignore[no-untyped-def]
    """Put the face in row `i` behind what is known of one sample."""
    x, y = column + 0.5 + SAMPLE_X[s] / SUBPIXEL, row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
    r, g, b, a = color_at(i, x, y, shading[0], shading[1], shading[2])
    if opaque:
        a = np.float32(1)
    _see(p, i, BITS[s], a, mixture)
    part = mixture.through[p, s] * a
    mixture.light[p, 0] += part * r
    mixture.light[p, 1] += part * g
    mixture.light[p, 2] += part * b
    mixture.through[p, s] -= part
    if mixture.through[p, s] < LEAST_LIGHT:
        mixture.bright[p] &= ~BITS[s]


@inlined
def _grows(planes, i, k):  # type: ignore[no-untyped-def]
    """How much plane `k` of row `i` changes within a pixel."""
    return abs(planes[i, k, 1]) + abs(planes[i, k, 2])


@inlined
def _is_even(i, planes, facts):  # type: ignore[no-untyped-def]
    """Whether one look at the face in row `i` stands for all its samples in a pixel."""
    if facts[i, ROUGH]:
        return False
    even = True
    for k in (TEXTURE, GLOW_TEXTURE):
        if facts[i, k] != NO_TEXTURE:
            even &= _grows(planes, i, U) * facts[i, k + 1] <= MOST_TEXELS
            even &= _grows(planes, i, V) * facts[i, k + 2] <= MOST_TEXELS
    if not facts[i, PLAIN]:
        for k in range(RED, NX):
            even &= _grows(planes, i, k) <= STEEPEST
    if facts[i, LIT]:
        for k in range(NX, GLOW):
            even &= _grows(planes, i, k) <= STEEPEST
    return even


@uncounted
def _lay(p, i, mask, row, column, opaque, shading, mixture):  # type: ignore[no-untyped-def]
    """Put the face in row `i` behind what is known of the samples of `mask`: at once where its colour is even."""
    mask &= mixture.bright[p]
    if mask == 0:
        return
    if not _is_even(i, shading[0], shading[1]):
        while mask != 0:
            s = lowest(np.int64(mask))
            mask &= ~BITS[s]
            _lay_sample(p, s, i, row, column, opaque, shading, mixture)
        return
    count, right, down = sample_sums(mask)
    x, y = column + right / (count * SUBPIXEL), row + down / (count * SUBPIXEL)
    r, g, b, a = color_at(i, x, y, shading[0], shading[1], shading[2])
    if opaque:
        a = np.float32(1)
    _see(p, i, mask, a, mixture)
    part, bright = dim(mixture.through, np.int64(p) * LANES, mask, a, LEAST_LIGHT)
    mixture.bright[p] &= bright
    mixture.light[p, 0] += np.float64(part) * r
    mixture.light[p, 1] += np.float64(part) * g
    mixture.light[p, 2] += np.float64(part) * b


@uncounted
def _sort(order, begin, end, s, row, plane):  # type: ignore[no-untyped-def]
    """Sort the fragments from `begin` to `end` of `order` by their depth at a sample, then by their face's row."""
    gap = 1
    while 3 * gap < end - begin:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(begin + gap, end):
            moved = order[k]
            z, i = depth_at(plane, moved, s), row[moved]
            to = k
            while to >= begin + gap:
                other = order[to - gap]
                there = depth_at(plane, other, s)
                if there < z or (there == z and row[other] <= i):
                    break
                order[to] = other
                to -= gap
            order[to] = moved
        gap //= 3


@inlined
def _reach(plane, k):  # type: ignore[no-untyped-def]
    """How much the depth of a fragment may differ between the pixel's centre and its border."""
    return (abs(plane[k, 1]) + abs(plane[k, 2])) * np.float32(HALF)


@uncounted
def _end_of_crossing(order, begin, end, widest, mask, plane):  # type: ignore[no-untyped-def]
    """End of the shortest run from `begin` on, in order of depth at the centre, of which all lies before what follows.

    Faces of equal depth count as crossing.
    """
    last, k = begin, begin
    while k <= last:
        one = order[k]
        beyond = plane[one, 0] + _reach(plane, one) + widest
        j, compared = max(last, k) + 1, 0
        while j < end and plane[order[j], 0] <= beyond:
            other, compared = order[j], compared + 1
            both = mask[one] & mask[other]
            if compared > MOST_COMPARED or both & ~in_front(plane_of(plane, one), plane_of(plane, other)) != 0:
                last = j
            j += 1
        k += 1
    return last + 1


@uncounted
def _lay_crossing(p, order, begin, end, stack, row, column, shading, mixture):  # type: ignore[no-untyped-def]
    """Put fragments that cross one another behind what is known; of those of equal depth at a sample only the first."""
    mask, plane = stack.mask, stack.plane
    for s in range(SAMPLES):
        if mixture.bright[p] & BITS[s] == 0:
            continue
        _sort(order, begin, end, s, stack.row, plane)
        known = np.float32(-np.inf)
        for k in range(begin, end):
            one = order[k]
            if mask[one] & BITS[s] == 0:
                continue
            z = depth_at(plane, one, s)
            if z > known and mixture.bright[p] & BITS[s] != 0:
                _lay_sample(p, s, stack.row[one], row, column, False, shading, mixture)
            known = z


@uncounted
def _mix(corner, stack, shading, mixture):  # type: ignore[no-untyped-def]
    """Put all fragments of a tile's stack behind what is known of its pixels."""
    order, start, plane = stack.order, stack.start, stack.plane
    for p in range(PIXELS):
        begin, end = start[p], start[p + 1]
        if begin == end:
            continue
        mixture.changed[p] = True
        row, column = corner[0] + p // TILE, corner[1] + p % TILE
        _sort(order, begin, end, 0, stack.row, plane)
        widest = np.float32(0)
        for k in range(begin, end):
            widest = max(widest, _reach(plane, order[k]))
        while begin < end and mixture.bright[p] != 0:
            after = _end_of_crossing(order, begin, end, widest, stack.mask, plane)
            if after == begin + 1:
                one = order[begin]
                _lay(p, stack.row[one], stack.mask[one], row, column, False, shading, mixture)
            else:
                _lay_crossing(p, order, begin, after, stack, row, column, shading, mixture)
            begin = after


@inlined
def _write(p, row, column, shading, mixture, out):  # type: ignore[no-untyped-def]
    """Write a pixel: mean light over mean opacity, and the nearest surface's position."""
    color, coverage, position, seen, sample = out
    opacity = 0.0
    for s in range(SAMPLES):
        opacity += 1.0 - mixture.through[p, s]
    hits, _, _ = sample_sums(mixture.seen[p])
    alpha = int(opacity / SAMPLES * 255 + 0.5)
    coverage[row, column] = (hits * 255 * 2 + SAMPLES) // (2 * SAMPLES)
    color[row, column, 3] = alpha
    if alpha == 0 or hits == 0:
        color[row, column, 3] = 0
        seen[row, column] = NO_FACE
        for c in range(3):
            color[row, column, c] = 0
            position[row, column, c] = 0
        return
    for c in range(3):
        color[row, column, c] = encode(np.float32(min(1.0, mixture.light[p, c] / opacity)))
    s = lowest(np.int64(mixture.seen[p]))
    x, y = column + 0.5 + SAMPLE_X[s] / SUBPIXEL, row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
    place(mixture.nearest[p], x, y, shading[0], position, row, column)
    seen[row, column] = shading[3][mixture.nearest[p]]
    sample[row, column] = s


@uncounted
def _finish(corner, slots, fragments, rows, shading, mixture, out):  # type: ignore[no-untyped-def]
    """Put what is opaque behind the pixels of a tile that have changed, and write them."""
    for p in range(PIXELS):
        if not mixture.changed[p]:
            continue
        row, column = corner[0] + p // TILE, corner[1] + p % TILE
        g = fragments.first[slots[row, column]]
        while g != NO_FRAGMENT:
            _lay(p, rows[fragments.face[g]], fragments.mask[g], row, column, True, shading, mixture)
            g = fragments.following[g]
        _write(p, row, column, shading, mixture, out)


@inlined
def _is_close(close_rows, corner, size):  # type: ignore[no-untyped-def]
    """Whether a tile holds a close pixel."""
    last = min(corner[1] + TILE, size) - 1
    for y in range(corner[0], min(corner[0] + TILE, size)):
        if next_close(close_rows, y, corner[1], last) <= last:
            return True
    return False


@uncounted
def _clear(mixture):  # type: ignore[no-untyped-def]
    """Make ready for a tile of which nothing is known."""
    for p in range(PIXELS):
        mixture.bright[p], mixture.seen[p], mixture.changed[p] = FULL, 0, False
        for c in range(3):
            mixture.light[p, c] = 0
        for s in range(LANES):
            mixture.through[p, s] = 1


@uncounted
def _compose(touching, in_row, in_tile, close, far, fragments, rows, shading, stack, mixture, out):  # type: ignore[no-untyped-def]
    """Go through a view's tiles. `in_row` and `in_tile` (N,) int32, `stack` and `mixture` are overwritten."""
    size, faces = far.shape[0], len(touching.face)
    for top in range(0, size, TILE):
        here = 0
        for n in range(faces):
            _, _, y0, y1 = touched(*corners_of(touching, n), size)
            if y0 < top + TILE and y1 >= top:
                in_row[here] = n
                here += 1
        if here == 0:
            continue
        for left in range(0, size, TILE):
            if not _is_close(close.rows, (top, left), size):
                continue
            count = 0
            for k in range(here):
                x0, x1, _, _ = touched(*corners_of(touching, in_row[k]), size)
                if x0 < left + TILE and x1 >= left:
                    in_tile[count] = in_row[k]
                    count += 1
            if count == 0:
                continue
            _clear(mixture)
            gather(touching, in_tile[:count], rows, (top, left), close, far, fragments, stack)
            _mix((top, left), stack, shading, mixture)
            _finish((top, left), close.slots, fragments, rows, shading, mixture, out)


def compose(
    touching: Drawn,
    close: Close,
    far: NDArray[np.float32],
    fragments: Fragments,
    loaded: Loaded,
    textures: TextureTable,
    out: Picture,
) -> None:
    """Put translucent faces over an opaque picture, in place.

    A tile keeps the fragments of its nearest faces, see `stacks`, so that memory is bounded.

    Args:
        touching: the translucent faces, nearest first, all of them loaded, those with lower numbers into lower rows.
        close: pixels, among them all that the faces touch in front of what is opaque.
        far: (H, W) float32, `padded`, the depth behind which nothing can be seen in these.
        fragments: what is opaque in these, all of it loaded.
        loaded: see `Loaded`.
        textures: see `TextureTable`.
        out: the picture.
    """
    mixture = Mixture(
        through=np.empty((PIXELS, LANES), np.float32),
        light=np.empty((PIXELS, 3), np.float64),
        bright=np.empty(PIXELS, np.uint64),
        seen=np.empty(PIXELS, np.uint64),
        nearest=np.empty(PIXELS, np.int32),
        changed=np.empty(PIXELS, np.bool_),
    )
    chosen = np.empty((2, len(touching.face)), np.int32)
    shading = loaded.planes, loaded.facts, textures.texels, loaded.faces
    _compose(touching, *chosen, close, far, fragments, loaded.row, shading, Stack.empty(), mixture, out)
