"""The drawing's colours, looked up for each pixel of a view by its position on the character.

`ColourTables.look_up` gives twelve channels for a view or frame of a character, from its Zpos and Z:

- 0-2: colour of the nearest frontal pixel by position (x, z, -y), white where it is farther than `FARTHEST`;
- 3: confidence `exp(-distance / FALLOFF)` in 0...255, 0 where it is farther than `FARTHEST`;
- 4-6: colour of the nearest frontal pixel by (x, z) alone, which is the drawing seen through the body; that
  of Z where Z is even and clearly differs (`EVEN_PX`), as at the back of a head;
- 7: its confidence, which is never cut;
- 8-10: the colour of the drawing's palette that is nearest to the colour of Z: what the drawing may show
  where it does not show the place itself, as at the back;
- 11: its confidence `exp(-cost / PALETTE_FALLOFF)`.

All are 0 where Zpos is transparent. Frontal pixels of equal position count as one, of their mean colour.
Through the body the look-up is exact. By position it is exact within `EXACT` levels; beyond, the pixel that
is taken is at most `SLACK` levels farther than the nearest: it is looked up in a grid of cells of two levels,
each of which holds what is nearest to its centre.

The cost of a colour of the palette at a place is its L1 difference from what Z shows there, in levels, plus
the distance in (x, z) to where the drawing shows it, in levels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Pixels
from specsia_build.jit import compiled, inlined, ready, uncounted
from specsia_build.pictures.masks import box_around, nearest_along
from specsia_build.pictures.palettes import COLOURS, palette_of

LOOKED_UP_CHANNELS = 12
PALETTE_FALLOFF = 40.0  # Cost at which confidence is 1/e: 13 levels in each of R, G and B, or 40 of place
# Pixels that a palette is made of, and rounds of k-means, after which it no longer changes
SAMPLES, ROUNDS = 4096, 12
FALLOFF = 8.0  # Levels of Zpos over which confidence falls to 1/e
FARTHEST = 60.0  # Levels beyond which nothing is taken by position: confidence there is below 1/255
EXACT = 6.0  # Levels within which the nearest by position is exact
SLACK = 3.5
"""Largest error in levels of a distance beyond `EXACT`: four times half a cell's diagonal, sqrt(0.75), as
both positions lie off the centres of their cells."""

CELLS = 128  # Cells of the grid along each axis, two levels each
EVEN_PX, EVEN_DEVIATION = 21, 4.0
"""Side of the window in which Z counts as even, and the standard deviation in levels below which it is. They
change nothing on 42 noisy views of `fusion`; on `relief` they keep faces from showing through hair."""

MOST_DIFFERENT, FAR = 60, 40
"""L1 difference in levels from which two colours count as different, and the confidence by position (15
levels) below which the drawing does not show a place."""


@compiled
def _spread_along(squares, features, step):  # type: ignore[no-untyped-def]
    """Spread features of cells (`CELLS`, `CELLS`, `CELLS`), flat, -1 is none; adds to squared distances.

    Cells along the axis lie `step` apart, so that one compiled function serves all axes.
    """
    n = CELLS
    working = np.empty(n), np.empty(n, np.int64)
    least, owners = np.empty(n, np.int64), np.empty(n, np.int32)
    for block in range(0, len(features), n * step):
        for first in range(block, block + step):
            stop = block + n * step
            lengths, line = squares[first:stop:step], features[first:stop:step]
            if nearest_along(lengths, line, 1, working, (least, owners)):
                for c in range(n):
                    lengths[c], line[c] = least[c], owners[c]


_EXACT_SQUARE, _FARTHEST_SQUARE = int((EXACT + SLACK) ** 2), int(FARTHEST**2)
_REACH = range(-int(EXACT + SLACK), int(EXACT + SLACK) + 1)
_STEPS = [(dx**2 + dz**2, dx, dz) for dx in _REACH for dz in _REACH]
_COLUMNS = np.array(sorted(step for step in _STEPS if step[0] <= _EXACT_SQUARE), np.int64)
"""Steps to columns that may hold the nearest place, (N, 3) int64: squared length, dx and dz."""


@inlined
def _square(places, number, x, z, y):  # type: ignore[no-untyped-def]
    dx = places[number, 0] - x
    dz = places[number, 1] - z
    dy = places[number, 2] - y
    return dx * dx + dz * dz + dy * dy


@uncounted
def _look_up(out, pos, z, reference, columns):  # type: ignore[no-untyped-def]
    """Fill (H, W, 12) zeros from a `ColourTables`; see the module. `columns` is `_COLUMNS`."""
    places = reference.places
    first = reference.first
    palette = reference.palette
    for row in range(pos.shape[0]):
        for at in range(pos.shape[1]):
            if pos[row, at, 3] == 0:
                continue
            px = np.int64(pos[row, at, 0])
            pz = np.int64(pos[row, at, 1])
            py = np.int64(pos[row, at, 2])
            best = reference.cells[px >> 1, pz >> 1, py >> 1]
            least = _square(places, best, px, pz, py)
            if least <= _EXACT_SQUARE:
                for column in range(len(columns)):
                    if columns[column, 0] >= least:
                        break
                    at_x, at_z = px + columns[column, 1], pz + columns[column, 2]
                    if at_x < 0 or at_x > 255 or at_z < 0 or at_z > 255:
                        continue
                    for number in range(first[at_x * 256 + at_z], first[at_x * 256 + at_z + 1]):
                        square = _square(places, number, px, pz, py)
                        if square < least:
                            least, best = square, np.int32(number)
            near = least <= _FARTHEST_SQUARE
            if near:
                out[row, at, 3] = np.uint8(255.0 * np.exp(-np.sqrt(np.float64(least)) / FALLOFF))
            for c in range(3):
                out[row, at, c] = reference.colours[best, c] if near else 255
            for c in range(4):
                out[row, at, 4 + c] = reference.flat[px, pz, c]
            cost, chosen = np.float32(1e9), 0
            for number in range(len(palette)):
                candidate = np.float32(reference.distances[px, pz, number])
                for c in range(3):
                    candidate += abs(palette[number, c] - np.float32(z[row, at, c]))
                if candidate < cost:
                    cost, chosen = candidate, number
            for c in range(3):
                out[row, at, 8 + c] = np.uint8(palette[chosen, c] + np.float32(0.5))
            out[row, at, 11] = np.uint8(255.0 * np.exp(-np.float64(cost) / PALETTE_FALLOFF))


def _palette(columns: NDArray[np.int64], colours: Pixels) -> tuple[NDArray[np.float32], Pixels]:
    """Main colours of `colours` (M, 3) at the columns x * 256 + z (M,), and distances; see `ColourTables`."""
    centres, label = palette_of(colours, SAMPLES, ROUNDS)
    distances = np.full((256, 256, COLOURS), 255, np.uint8)
    for number in np.unique(label):
        elsewhere = np.ones(256 * 256, np.bool_)
        elsewhere[columns[label == number]] = False
        distance = scipy.ndimage.distance_transform_edt(elsewhere.reshape(256, 256))
        distances[..., number] = np.minimum(distance, 255)
    return ready(centres), distances


def _means(keys: NDArray[np.int64], colours: Pixels) -> tuple[NDArray[np.int64], Pixels]:
    """Distinct keys in order, and the mean colour of each."""
    distinct, which = np.unique(keys, return_inverse=True)
    counts = np.bincount(which)
    sums = [np.bincount(which, weights=colours[:, channel]) for channel in range(3)]
    return distinct, np.floor(np.stack(sums, axis=1) / counts[:, None] + 0.5).astype(np.uint8)


def _keep_even_colours(looked_up: Pixels, z: Pixels) -> Pixels:
    """Replace the colour through the body (channels 4-6) by that of Z where Z is even and differs.

    Otherwise the network blends both, and a face shows through hair of that colour at the back of a head.
    """
    differs = np.abs(looked_up[..., 4:7].astype(np.int16) - z[..., :3]).sum(axis=2) > MOST_DIFFERENT
    differs &= (looked_up[..., 3] < FAR) & (z[..., 3] == 255)
    if not differs.any():
        return looked_up
    box = box_around(differs, EVEN_PX)
    opaque = (z[box][..., 3] == 255).astype(np.float32)
    colour = z[box][..., :3] * opaque[..., None]
    window = (EVEN_PX, EVEN_PX, 1)
    share = np.maximum(scipy.ndimage.uniform_filter(opaque, EVEN_PX), 1e-3)[..., None]
    mean = scipy.ndimage.uniform_filter(colour, window) / share
    square = scipy.ndimage.uniform_filter(colour * colour, window) / share
    even = ((square - mean * mean).max(axis=2) < EVEN_DEVIATION**2) & differs[box]
    looked_up[box][even, 4:7] = z[box][even, :3]
    return looked_up


class ColourTables(NamedTuple):
    """Colours of a character's drawing by position, prepared for look-ups.

    Attributes:
        places, colours: (N, 3) uint8, distinct positions (x, z, -y) as in Zpos, sorted, and their colours.
        first: (65537,) int32, first place of each column (x, z).
        cells: (128, 128, 128) int32, place nearest to the centre of each cell.
        flat: (256, 256, 4) uint8, mean colour of the column nearest to each (x, z), and its confidence.
        palette: (`COLOURS`, 3) float32, the drawing's main colours in levels; equal ones where it has fewer.
        distances: (256, 256, `COLOURS`) uint8, levels of (x, z) to the nearest column of each, 255 at most.
    """

    places: Pixels
    colours: Pixels
    first: NDArray[np.int32]
    cells: NDArray[np.int32]
    flat: Pixels
    palette: Floats
    distances: Pixels

    @staticmethod
    def from_places(
        places: Pixels, colours: Pixels, back: tuple[Pixels, Pixels] | None = None
    ) -> ColourTables:
        """Prepare at least one position and colour (N, 3) uint8 of the front, and those of a drawn back."""
        front = places.astype(np.int64)
        codes, all_colours = front, colours
        if back is not None:
            codes, all_colours = np.concatenate([front, back[0]]), np.concatenate([colours, back[1]])
        keys, means = _means((codes[:, 0] * 256 + codes[:, 1]) * 256 + codes[:, 2], all_colours)
        distinct = np.stack([keys >> 16, (keys >> 8) & 255, keys & 255], axis=1).astype(np.uint8)
        first = np.searchsorted(keys >> 8, np.arange(65537)).astype(np.int32)
        cells = np.full((CELLS, CELLS, CELLS), -1, np.int32)
        # One place per cell is enough, as near places are compared one by one.
        cells[tuple((distinct >> 1).T)] = np.arange(len(distinct))
        squares = np.zeros(cells.shape, np.int32)
        for step in (1, CELLS, CELLS * CELLS):
            _spread_along(squares.ravel(), cells.ravel(), step)
        # The look-up through the body uses the front only.
        columns, column_colours = _means(front[:, 0] * 256 + front[:, 1], colours)
        numbers = np.full((256, 256), -1, np.int32)
        numbers[columns >> 8, columns & 255] = np.arange(len(columns))
        distance, (x, z) = scipy.ndimage.distance_transform_edt(numbers < 0, return_indices=True)
        confidence = 255 * np.exp(-np.sqrt(np.rint(distance**2)) / FALLOFF)
        flat = np.dstack([column_colours[numbers[x, z]], confidence.astype(np.uint8)])
        return ColourTables(
            ready(distinct), ready(means), ready(first), cells, flat, *_palette(columns, column_colours)
        )

    def look_up(self, pos: Pixels, z: Pixels) -> Pixels:
        """Look up Zpos and Z of a view, (H, W, 4) uint8, in the drawing: (H, W, 12) uint8, see the module."""
        out = np.zeros((*pos.shape[:2], LOOKED_UP_CHANNELS), np.uint8)
        _look_up(out, ready(pos, np.uint8), ready(z, np.uint8), self, ready(_COLUMNS))
        return _keep_even_colours(out, z)
