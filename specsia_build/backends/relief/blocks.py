"""Triangles over a lattice: fine at rims and where depths bend, coarse elsewhere.

Cells that lie nearly in one plane are joined to square blocks. A block beside smaller ones is a fan of
triangles around its middle that takes in their nodes on its border, so that there are no cracks.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Mask

_LEVELS = 2  # Number of times that four blocks may be joined
LARGEST = 1 << _LEVELS  # Cells along the largest block
# Greatest difference in depth of a node from the blend of its block's corners, in the unit of the depths
_BENT = 0.3

_Indices = NDArray[np.intp]


def faces_of_blocks(depths: Doubles, inside: Mask, rim: Mask) -> _Indices:
    """Triangles (F, 3) over the nodes of a lattice, as indices of its nodes row by row.

    Args:
        depths: (2, h, w), of front and back, in cells of a lattice that is not refined; h and w are one more
            than multiples of `LARGEST`.
        inside: (h, w), nodes inside of the figure.
        rim: (h, w), nodes around those; no triangle has three corners there.
    """
    level = _levels(depths, inside)
    number = np.arange(inside.size).reshape(inside.shape)
    used = np.zeros(inside.shape, np.bool_)
    whole = np.asarray(sliding_window_view(inside | rim, (2, 2)).all(axis=(2, 3)))
    blocks = []
    for exponent in range(_LEVELS + 1):
        size = 1 << exponent
        at = np.nonzero((level == exponent)[::size, ::size] & whole[::size, ::size])
        row, column = (size * each for each in at)
        blocks.append((row, column))
        for down, across in np.ndindex(2, 2):
            used[row + down * size, column + across * size] = True
    parts = [_faces(depths, number, used, 1 << exponent, blocks[exponent]) for exponent in range(_LEVELS + 1)]
    faces = np.concatenate(parts)
    return np.asarray(faces[~rim.ravel()[faces].all(axis=1)])


def _levels(depths: Doubles, inside: Mask) -> NDArray[np.uint8]:
    """How many times each cell (h - 1, w - 1) is joined with others."""
    level = np.zeros((inside.shape[0] - 1, inside.shape[1] - 1), np.uint8)
    for exponent in range(1, _LEVELS + 1):
        size = 1 << exponent
        near = sliding_window_view(depths, (size + 1, size + 1), axis=(1, 2))[:, ::size, ::size]
        t = np.linspace(0.0, 1.0, size + 1)
        left, right = ((1 - t) * near[..., 0, k, None] + t * near[..., -1, k, None] for k in (0, -1))
        blend = left[..., None] * (1 - t) + right[..., None] * t
        within = sliding_window_view(inside, (size + 1, size + 1))[::size, ::size].all(axis=(2, 3))
        joined = within & (np.abs(near - blend) <= _BENT).all(axis=(0, 3, 4))
        if exponent > 1:
            quarters = level[:: size // 2, :: size // 2] == exponent - 1
            joined &= sliding_window_view(quarters, (2, 2))[::2, ::2].all(axis=(2, 3))
        level[joined.repeat(size, axis=0).repeat(size, axis=1)] = exponent
    return level


def _faces(
    depths: Doubles, number: _Indices, used: Mask, size: int, at: tuple[_Indices, _Indices]
) -> _Indices:
    """Triangles of blocks of one `size` in cells, whose first nodes are `at` rows and columns.

    `number` (h, w) are the nodes' indices, and `used` (h, w) are those that are corners of some block.
    """
    row, column = at
    steps, still = np.arange(size), np.zeros(size, np.intp)
    around = number[
        row[:, None] + np.concatenate([steps, still + size, size - steps, still]),
        column[:, None] + np.concatenate([still, steps, still + size, size - steps]),
    ]
    taken = used.ravel()[around]
    split = np.count_nonzero(taken, axis=1) > 4
    a, c, d, b = around[~split, ::size].T
    # A block between four nodes is cut along the diagonal that is the shorter in depth.
    flat = depths.reshape(2, -1)
    falling, rising = (np.abs(flat[:, m] - flat[:, n]).sum(axis=0) for m, n in ((a, d), (b, c)))
    cut = (falling <= rising)[:, None]
    first = np.where(cut, np.stack([a, c, d], axis=1), np.stack([a, c, b], axis=1))
    second = np.where(cut, np.stack([a, d, b], axis=1), np.stack([b, c, d], axis=1))
    # The next node on the border that is taken; after the last one the first corner comes again.
    place = np.where(taken[split], np.arange(4 * size), 4 * size)[:, ::-1]
    later = np.roll(np.minimum.accumulate(place, axis=1)[:, ::-1], -1, axis=1)
    later[:, -1] = 0
    later %= 4 * size
    block, spot = np.nonzero(taken[split])
    ring = around[split]
    middle = number[row[split] + size // 2, column[split] + size // 2]
    fans = np.stack([middle[block], ring[block, spot], ring[block, later[block, spot]]], axis=1)
    return np.concatenate([first, second, fans])
