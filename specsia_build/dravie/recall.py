"""What the frontal Y* showed, looked up by position: nothing is learnt, and colours only of what was seen in front.

A pixel of a repaired view takes the colours that Y* has where the frontal Zpos is nearly its own. Memories are sorted
into columns one level wide along the first two channels of Zpos. In a frontal view these run across it, so that a
column holds few memories and its neighbours are found without a search; along the third channel a column is sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.dravie.masks import agreed
from specsia_build.dravie.reference import UNKNOWN_STYLE, Drawing, Reference, shown_places
from specsia_build.jit import ready, uncounted

if TYPE_CHECKING:
    from specsia_build.dataset.pairs import Pair

VERSION = 1
"""Of what a memory makes of a result; results that were kept from another are made anew."""

NEAREST = 8
"""Memories whose colours a pixel takes the mean of."""

FARTHEST = 4.5
"""Levels of Zpos, beyond which a memory is not looked at."""

SPREAD = 1.5
"""Levels: standard deviation of a memory's weight. A pixel whose nearest memory lies within is wholly replaced, from
twice as far not at all."""

INSIDE = 2
"""Pixels from the edge of what is opaque in Z: nearer to it, positions and colours are of more than one place."""

LEVELS = 256

_SQUARES = np.arange(int(FARTHEST**2) + 1, dtype=np.float64)
"""Squared distances of places, which are whole numbers."""

_WEIGHTS = np.exp(-0.5 * _SQUARES / SPREAD**2)
_TRUST = np.clip(2 - np.sqrt(_SQUARES) / SPREAD, 0, 1)
"""By the squared distance: weight of a memory, and of what is recalled where the nearest is as far."""


def _columns() -> NDArray[np.int64]:
    """Columns about a place, (N, 3) int64: steps along either channel and their squared length, the nearest first."""
    reach = int(FARTHEST)
    first, second = (side.ravel() for side in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    squares = first**2 + second**2
    near = np.argsort(squares, kind="stable")
    kept = near[squares[near] < len(_SQUARES)]
    return np.ascontiguousarray(np.stack([first, second, squares], axis=1)[kept], np.int64)


_COLUMNS = _columns()


class _Sorted(NamedTuple):
    """Memories in the order of their places, and for each column (65537,) int32 the first one that is in it."""

    places: NDArray[np.uint8]
    colours: NDArray[np.uint8]
    first: NDArray[np.int32]


@dataclass(frozen=True)
class Memory:
    """What was seen of a character, in no order.

    Attributes:
        places: (N, 3) uint8, Zpos.
        colours: (N, 3) uint8, Y* there.
        subject: whose places they are, see `pairs.subject_of`.
        style: of the contour, as `reference.Drawing` codes it, for a model that sees the drawing.
    """

    places: NDArray[np.uint8]
    colours: NDArray[np.uint8]
    subject: str = ""
    style: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, values in (("places", self.places), ("colours", self.colours)):
            if values.dtype != np.uint8 or values.ndim != 2 or values.shape != (len(self.places), 3):
                raise ValueError(f"{name} are {values.dtype} {values.shape}, not uint8 ({len(self.places)}, 3)")

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def drawing(self) -> Drawing:
        """The same for a model that sees the drawing."""
        reference = Reference.from_places(self.places, self.colours) if len(self) else None
        return Drawing(reference, self.style or UNKNOWN_STYLE)

    @cached_property
    def _sorted(self) -> _Sorted:
        order = np.lexsort(self.places.T[::-1])
        places = ready(self.places[order])
        column = places[:, 0].astype(np.int64) * LEVELS + places[:, 1]
        first = np.searchsorted(column, np.arange(LEVELS * LEVELS + 1)).astype(np.int32)
        return _Sorted(places, ready(self.colours[order]), first)


def remember(frontal: Pair) -> Memory | None:
    """What a frontal pair shows by position.

    Args:
        frontal: Z and Zpos of the frontal view, and Y* or a drawing laid onto it.

    Returns:
        A memory for each pixel that is opaque in Y*, and in Z all around within `INSIDE`, where the silhouettes agree;
        None where there is no such pixel, or no Zpos.
    """
    if not frontal.pos[..., :3].any():
        return None
    inside = scipy.ndimage.binary_erosion(frontal.z[..., 3] == 255, iterations=INSIDE)
    found = inside & (frontal.gt[..., 3] == 255) & agreed(frontal)
    if not found.any():
        return None
    places, colours = (np.ascontiguousarray(picture[found][:, :3]) for picture in (frontal.pos, frontal.gt))
    return Memory(places, colours, frontal.subject)


def remember_drawing(frontal: Pair, places: bool = True) -> Memory:
    """What a model that sees the drawing is given of a frontal pair; `places` where they mean the same in all views."""
    found, colours = shown_places(frontal.pos, frontal.gt, frontal.gt_mask)
    style = Drawing.of(frontal.pos, frontal.gt, frontal.gt_mask, places=False).style
    kept = slice(None if places else 0)
    return Memory(np.ascontiguousarray(found[kept]), np.ascontiguousarray(colours[kept]), frontal.subject, style)


@uncounted
def _nearest(places, first, columns, farthest, faint, x, y, z, best):  # type: ignore[no-untyped-def]
    """Put the nearest memories of a place into `best`, nearest first; returns how many there are.

    Each is its squared distance * 2**32 + its number, so that of equally near ones those come first that are before
    the others by place. There is none where the nearest is `faint` (a squared distance) or farther.
    """
    count = 0
    for column in range(len(columns)):
        flat = columns[column, 2]
        if flat >= faint and (count == 0 or best[0] >> 32 >= faint):
            return 0
        if count == len(best) and flat > best[count - 1] >> 32:
            break
        at_x, at_y = x + columns[column, 0], y + columns[column, 1]
        if at_x < 0 or at_x > 255 or at_y < 0 or at_y > 255:
            continue
        low, last = first[at_x * 256 + at_y], first[at_x * 256 + at_y + 1]
        stop = last
        while low < stop:
            middle = (low + stop) >> 1
            step = places[middle, 2] - z
            if step < 0 and flat + step * step > farthest:
                low = middle + 1
            else:
                stop = middle
        for number in range(low, last):
            step = places[number, 2] - z
            square = flat + step * step
            if square > farthest:
                break
            key = (square << 32) + number
            if count < len(best):
                at = count
                count += 1
            elif key < best[count - 1]:
                at = count - 1
            else:
                continue
            while at > 0 and best[at - 1] > key:
                best[at] = best[at - 1]
                at -= 1
            best[at] = key
    return 0 if count == 0 or best[0] >> 32 >= faint else count


@uncounted
def _recall(out, z, pos, places, colours, first, columns, weights, trust, faint, best):  # type: ignore[no-untyped-def]
    """Blend what is remembered over a picture, row by row; see `recalled`."""
    farthest = len(weights) - 1
    for row in range(out.shape[0]):
        for at in range(out.shape[1]):
            if z[row, at, 3] != 255 or out[row, at, 3] != 255:
                continue
            x, y, depth = np.int64(pos[row, at, 0]), np.int64(pos[row, at, 1]), np.int64(pos[row, at, 2])
            count = _nearest(places, first, columns, farthest, faint, x, y, depth, best)
            if count == 0:
                continue
            red = green = blue = total = 0.0
            for k in range(count):
                weight, number = weights[best[k] >> 32], best[k] & 0xFFFFFFFF
                total += weight
                red += weight * colours[number, 0]
                green += weight * colours[number, 1]
                blue += weight * colours[number, 2]
            share = trust[best[0] >> 32]
            for channel, colour in ((0, red), (1, green), (2, blue)):
                now = np.float64(out[row, at, channel])
                out[row, at, channel] = np.uint8(now + share * (colour / total - now) + 0.5)


def recalled(
    result: NDArray[np.uint8], z: NDArray[np.uint8], pos: NDArray[np.uint8], memory: Memory
) -> NDArray[np.uint8]:
    """A repaired view whose interior takes the colours that were seen at the same places.

    Every pixel is looked at by itself, so that it makes no difference how a frame was cut into tiles. The contour lies
    outside of Z and stays.

    Args:
        result: (H, W, 4) uint8, straight alpha, as the network paints it; it is not changed.
        z: (H, W, 4) uint8, Z.
        pos: (H, W, 4) uint8, Zpos, in the frame of the memory's.
        memory: of the character.

    Returns:
        (H, W, 4) uint8. Where `z` and `result` are opaque, the mean colour of the `NEAREST` memories within `FARTHEST`
        levels, weighted by their distance, is blended over the result by the distance of the nearest one; of equally
        near memories those count that come first by place. Everything else, alpha too, is the result's.
    """
    out = np.array(result, np.uint8, order="C")
    faint = int(np.argmax(_TRUST == 0))
    best = np.zeros(NEAREST, np.int64)
    tables = (ready(_COLUMNS), ready(_WEIGHTS), ready(_TRUST))
    _recall(out, ready(z, np.uint8), ready(pos, np.uint8), *memory._sorted, *tables, faint, best)
    return out
