"""The pixels of a view that are sampled closely: compiled code that numbers and finds them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined
from specsia_build.rendering.fast.raster import OUTLINE
from specsia_build.rendering.fast.rows import ROW, lowest, marked_as

WORD_BITS = 6
"""A word of a row's bits stands for 2 ** WORD_BITS pixels."""

WORD = 1 << WORD_BITS


class Close(NamedTuple):
    """S pixels of a view.

    `pixels` (S,) int32 are their flat indices in order; `slots` (H, W) int32 holds their numbers and means nothing
    elsewhere; `rows` (H, W // WORD + 2) uint64 has a bit for each pixel of the view, lowest first, set for these.
    """

    pixels: NDArray[np.int32]
    slots: NDArray[np.int32]
    rows: NDArray[np.uint64]


@compiled
def number_marked(marked, box, slots, far):  # type: ignore[no-untyped-def]
    """The pixels of `marked` (H, W) uint8, `padded`, that are an OUTLINE, inside the box.

    `slots` (H, W) int32 becomes a part of the result; `far` (H, W) float32 becomes infinite in these pixels.
    """
    size = marked.shape[0]
    rows = np.zeros((size, size // WORD + 2), np.uint64)
    pixels = np.empty((box[1] - box[0]) * (box[3] - box[2]), np.int32)
    n = 0
    for y in range(box[0], box[1]):
        for start in range(box[2] // ROW * ROW, box[3], ROW):
            bits = marked_as(marked, y * size + start, OUTLINE)
            inside = (np.int64(1) << min(ROW, box[3] - start)) - 1
            bits &= inside & -(np.int64(1) << max(0, box[2] - start))
            rows[y, start >> WORD_BITS] |= np.uint64(bits) << np.uint64(start % WORD)
            while bits != 0:
                x = start + lowest(bits)
                bits &= bits - 1
                slots[y, x] = n
                far[y, x] = np.inf
                pixels[n] = y * size + x
                n += 1
    return Close(pixels[:n], slots, rows)


@inlined
def next_close(rows, y, x, last):  # type: ignore[no-untyped-def]
    """The first close pixel of row `y` from column `x` on; beyond `last` if there is none up to there."""
    k = x >> WORD_BITS
    bits = rows[y, k] >> np.uint64(x % WORD)
    if bits != 0:
        return x + lowest(np.int64(bits))
    for j in range(k + 1, (last >> WORD_BITS) + 1):
        if rows[y, j] != 0:
            return (j << WORD_BITS) + lowest(np.int64(rows[y, j]))
    return last + 1


@inlined
def close_from(rows, y, x):  # type: ignore[no-untyped-def]
    """Bits, int64, of the `ROW` pixels of row `y` from column `x` on; those beyond the view are not set."""
    k, on = x >> WORD_BITS, x % WORD
    bits = rows[y, k] >> np.uint64(on)
    if on > WORD - ROW:
        bits |= rows[y, k + 1] << np.uint64(WORD - on)
    return np.int64(bits & np.uint64((1 << ROW) - 1))
