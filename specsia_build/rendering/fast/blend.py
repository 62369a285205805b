"""Translucent faces over an opaque picture, averaged in linear light, a tile at a time.

A tile's surfaces are put in order of depth sample by sample, and laid layer by layer, a face at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import inlined, uncounted
from specsia_build.rendering.colour import encode
from specsia_build.rendering.fast.buffers import PaddedPicture, next_close
from specsia_build.rendering.fast.fragments import (
    FULL,
    NO_FRAGMENT,
    PIXEL_SAMPLES,
    SAMPLE_X,
    SAMPLE_Y,
    sample_sums,
)
from specsia_build.rendering.fast.lanes import LANES, dim, equal
from specsia_build.rendering.fast.raster import NO_FACE, Drawn, corners_of, touched
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
    Shading,
    U,
    V,
    color_at,
    place,
)
from specsia_build.rendering.fast.stacks import MOST_LAYERS, TILE, TILE_PIXELS, Behind, Stack, clear, gather
from specsia_build.rendering.layers import SUBPIXEL

LEAST_SEEN = 1 / 255  # Opacity from which a surface counts as there, for coverage and for position
LEAST_LIGHT = np.float32(1 / 8192)  # Share of light that cannot change a byte: the steepest is 1 / 3295

STEEPEST, MOST_TEXELS = 1 / 64, 1.0
"""Change of a colour, an opacity or a normal within a pixel, and texels of a texture that is not rough, up to
which one look stands for all samples: they would mix in other proportions where something covers some."""


class Mixture(NamedTuple):
    """State of a pixel, from front to back."""

    through: NDArray[np.float32]  # (LANES,), share of light that a sample still lets pass
    light: NDArray[np.float64]  # (3,), sum of what the samples show
    bright: NDArray[np.uint64]  # (1,), samples that let enough pass
    seen: NDArray[np.uint64]  # (1,), samples that show a surface
    # (1,), row in `Loaded` of the foremost surface at the one of them that is nearest to the pixel's centre
    nearest: NDArray[np.int32]


@inlined
def _first_bit(mask):  # type: ignore[no-untyped-def]
    return mask & (~mask + np.uint64(1))


@inlined
def _see(i, mask, opacity, mixture):  # type: ignore[no-untyped-def]
    """Record where the face in row `i` is the foremost visible surface."""
    seen = mixture.seen[0]
    fresh = mask & ~seen
    if opacity < LEAST_SEEN or fresh == 0:
        return
    # Samples lie in the order of their distance from the centre, so the lowest bit is the nearest.
    if seen == 0 or _first_bit(fresh) < _first_bit(seen):
        mixture.nearest[0] = i
    mixture.seen[0] = seen | fresh


@inlined
def _grows(planes, i, k):  # type: ignore[no-untyped-def]
    """How much plane `k` of row `i` changes within a pixel."""
    return abs(planes[i, k, 1]) + abs(planes[i, k, 2])


@inlined
def _is_even(i, planes, facts):  # type: ignore[no-untyped-def]
    """Whether one look-up of the face in row `i` is enough for all its samples in a pixel."""
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
def _lay(i, mask, pixel, opaque, shading, mixture):  # type: ignore[no-untyped-def]
    """Put row `i`'s face behind the known surfaces of `mask`'s samples, at once if its colour is even."""
    row, column = pixel
    mask &= mixture.bright[0]
    even = mask != 0 and _is_even(i, shading.planes, shading.facts)
    while mask != 0:
        taken = mask if even else _first_bit(mask)
        mask &= ~taken
        count, right, down = sample_sums(taken)
        x, y = column + right / (count * SUBPIXEL), row + down / (count * SUBPIXEL)
        r, g, b, a = color_at(i, x, y, shading)
        if opaque:
            a = np.float32(1)
        _see(i, taken, a, mixture)
        part, bright = dim(mixture.through, np.int64(0), taken, a, LEAST_LIGHT)
        mixture.bright[0] &= bright
        mixture.light[0] += np.float64(part) * r
        mixture.light[1] += np.float64(part) * g
        mixture.light[2] += np.float64(part) * b


@uncounted
def _mix(p, pixel, stack, shading, mixture):  # type: ignore[no-untyped-def]
    """Mix all surfaces of a pixel, from front to back."""
    for k in range(stack.height[p]):
        start = np.int64(p * MOST_LAYERS + k) * LANES
        left = mixture.bright[0] & ~equal(stack.row, start, np.int32(-1))
        while left != 0:
            i = stack.row[p, k, lowest(np.int64(left))]
            mask = left & equal(stack.row, start, i)
            left &= ~mask
            _lay(i, mask, pixel, False, shading, mixture)


@inlined
def _write(row, column, shading, mixture, out):  # type: ignore[no-untyped-def]
    """Write a pixel: mean light over mean opacity, and the nearest surface's position."""
    color, coverage, position, seen, sample = out
    opacity = 0.0
    for s in range(PIXEL_SAMPLES):
        opacity += 1.0 - mixture.through[s]
    hits, _, _ = sample_sums(mixture.seen[0])
    alpha = int(opacity / PIXEL_SAMPLES * 255 + 0.5)
    coverage[row, column] = (hits * 255 * 2 + PIXEL_SAMPLES) // (2 * PIXEL_SAMPLES)
    color[row, column, 3] = alpha
    if alpha == 0 or hits == 0:
        color[row, column, 3] = 0
        seen[row, column] = NO_FACE
        for c in range(3):
            color[row, column, c] = 0
            position[row, column, c] = 0
        return
    for c in range(3):
        color[row, column, c] = encode(np.float32(min(1.0, mixture.light[c] / opacity)))
    s = lowest(np.int64(mixture.seen[0]))
    x, y = column + 0.5 + SAMPLE_X[s] / SUBPIXEL, row + 0.5 + SAMPLE_Y[s] / SUBPIXEL
    place(mixture.nearest[0], x, y, shading.planes, position, (row, column))
    seen[row, column] = shading.faces[mixture.nearest[0]]
    sample[row, column] = s


@uncounted
def _finish(corner, behind, shading, stack, mixture, out):  # type: ignore[no-untyped-def]
    """Mix a tile's stacked surfaces and the opaque one behind, write their pixels, and empty the stack."""
    fragments = behind.fragments
    for p in range(TILE_PIXELS):
        if stack.height[p] == 0:
            continue
        row, column = corner[0] + p // TILE, corner[1] + p % TILE
        mixture.bright[0], mixture.seen[0] = FULL, 0
        mixture.light[:], mixture.through[:] = 0, 1
        _mix(p, (row, column), stack, shading, mixture)
        g = fragments.first[behind.close.slots[row, column]]
        while g != NO_FRAGMENT:
            i = behind.rows[fragments.face[g]]
            _lay(i, fragments.mask[g], (row, column), True, shading, mixture)
            g = fragments.following[g]
        _write(row, column, shading, mixture, out)
        clear(p, stack)


@inlined
def _is_close(close_rows, corner, size):  # type: ignore[no-untyped-def]
    """Whether a tile holds a close pixel."""
    last = min(corner[1] + TILE, size) - 1
    for y in range(corner[0], min(corner[0] + TILE, size)):
        if next_close(close_rows, y, corner[1], last) <= last:
            return True
    return False


@uncounted
def _compose(touching, chosen, behind, shading, state, out):  # type: ignore[no-untyped-def]
    """Go through a view's tiles. `chosen`, two of (N,) int32, and `state` are overwritten."""
    size, faces = behind.far.shape[0], len(touching.face)
    in_row, in_tile = chosen
    stack, mixture = state
    for top in range(0, size, TILE):
        here = 0
        for n in range(faces):
            _, _, y0, y1 = touched(corners_of(touching, n), size)
            if y0 < top + TILE and y1 >= top:
                in_row[here] = n
                here += 1
        if here == 0:
            continue
        for left in range(0, size, TILE):
            if not _is_close(behind.close.rows, (top, left), size):
                continue
            count = 0
            for k in range(here):
                x0, x1, _, _ = touched(corners_of(touching, in_row[k]), size)
                if x0 < left + TILE and x1 >= left:
                    in_tile[count] = in_row[k]
                    count += 1
            if count == 0:
                continue
            gather(touching, in_tile[:count], (top, left), behind, stack)
            _finish((top, left), behind, shading, stack, mixture, out)


def compose(touching: Drawn, behind: Behind, shading: Shading, out: PaddedPicture) -> None:
    """Put translucent faces over an opaque picture, in place.

    The nearest `MOST_LAYERS` surfaces at each sample count, so that memory is bounded.

    Args:
        touching: the translucent faces, nearest first, all loaded, those with lower numbers into lower rows.
        behind: the opaque picture; its close pixels are all that the faces touch, and others.
    """
    mixture = Mixture(
        through=np.empty(LANES, np.float32),
        light=np.empty(3),
        bright=np.empty(1, np.uint64),
        seen=np.empty(1, np.uint64),
        nearest=np.empty(1, np.int32),
    )
    count = len(touching.face)
    chosen = np.empty(count, np.int32), np.empty(count, np.int32)
    _compose(touching, chosen, behind, shading, (Stack.empty(), mixture), out)
