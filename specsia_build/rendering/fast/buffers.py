"""Memory that a view is drawn into, and the list of its pixels to sample closely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined
from specsia_build.rendering.fast.prepare import Prepared
from specsia_build.rendering.fast.raster import NO_FACE, OUTLINE, UNMARKED
from specsia_build.rendering.fast.rows import ROW, lowest, marked_as, padded
from specsia_build.rendering.fast.shading import FACTS, NO_ROW, PLAIN_PLANES, PLANES, Loaded

_Box = tuple[int, int, int, int]  # First and end row, first and end column of pixels
WORD_BITS = 6  # A word of a row's bits stands for 2 ** WORD_BITS pixels

WORD = 1 << WORD_BITS


class PaddedPicture(NamedTuple):
    """A view of S x S pixels as compiled code writes it, `padded`; see `Layers` and `Seen`.

    `face` and `sample` are undefined where nothing was drawn, unless a renderer is asked for visible points.
    """

    color: NDArray[np.uint8]
    coverage: NDArray[np.uint8]
    position: NDArray[np.float32]
    face: NDArray[np.int32]
    sample: NDArray[np.uint8]


class Canvas:
    """A picture that serves one view after the other: clearing it is cheaper than allocating it again."""

    def __init__(self, size: int, seen: bool) -> None:
        shape = (size, size)
        face = padded(shape, np.int32, clear=False)
        if seen:
            face[:] = NO_FACE
        color, position = padded((*shape, 4), np.uint8), padded((*shape, 3), np.float32)
        self._picture = PaddedPicture(
            color, padded(shape, np.uint8), position, face, padded(shape, np.uint8, clear=seen)
        )
        self._box: _Box = (0, 0, 0, 0)
        self.seen = seen

    def begin(self, box: _Box) -> PaddedPicture:
        """The picture, emptied for a view that touches no pixel outside `box`."""
        part = np.s_[self._box[0] : self._box[1], self._box[2] : self._box[3]]
        for layer in self._picture[:3]:
            layer[part] = 0
        if self.seen:
            self._picture.face[part] = NO_FACE
        self._box = box
        return self._picture


@dataclass(frozen=True)
class Scratch:
    """Working memory for one view after the other; pictures are `padded`."""

    nearest: NDArray[np.float32]  # (H, W), depth at each pixel's centre
    ids: NDArray[np.int32]  # (H, W), face at each pixel's centre or `NO_FACE`
    marked: NDArray[np.uint8]  # (H, W), why a pixel may have to be looked at closely
    loaded: Loaded

    @classmethod
    def of(cls, prepared: Prepared, size: int) -> Scratch:
        """For views of a mesh of that size in pixels."""
        surface, shape = prepared.surface, (size, size)
        faces, lit = len(surface.faces), len(surface.normals) > 0
        planes = PLAIN_PLANES if surface.plain.all() and not lit else PLANES
        loaded = Loaded(
            row=np.empty(faces, np.int32),
            faces=np.empty(faces, np.int32),
            planes=np.empty((faces, planes, 3), np.float32),
            facts=np.empty((faces, FACTS), np.int32),
        )
        return cls(padded(shape, np.float32), padded(shape, np.int32), padded(shape, np.uint8), loaded)

    def clear(self, box: _Box) -> None:
        """Make ready for a view that touches no pixel outside `box`."""
        part = np.s_[box[0] : box[1], box[2] : box[3]]
        self.nearest[part] = np.inf
        self.ids[part] = NO_FACE
        self.marked[part] = UNMARKED
        self.loaded.row[:] = NO_ROW


class Close(NamedTuple):
    """S pixels that are sampled closely."""

    pixels: NDArray[np.int32]  # (S,), flat indices in order
    slots: NDArray[np.int32]  # (H, W), their numbers; means nothing elsewhere
    # (H, W // WORD + 2), a bit for each pixel of the view, lowest first, set for these
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
