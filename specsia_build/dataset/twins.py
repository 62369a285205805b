"""Characters that look the same under two ids: by a small picture of the front, and the shape of the box.

A hash of the whole picture mostly sees the white around a figure: by a perceptual hash of 64 bits, two women
in a T pose differ in 4 bits, and one of them differs from herself with another contour in 22.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.distance import cdist

from specsia_build.arrays import Doubles, Pixels

_SIDE = 24  # Pixels on a side of a small picture
_BLOCK = 6  # Pixels on a side of the blocks whose sums tell most characters apart
_AT_ONCE = 256  # Characters to compare with all others at once

TWIN_DIFFERENCE, TWIN_BOX = 0.08, 0.05
"""Largest difference of the pictures of twins, and of the sides of their boxes in lengths of the longest.

Of 48 characters and 60 samples, all but one differ by at most 0.076 from themselves at half the size with
another contour; the closest two of them, men in other clothes on one base mesh, by 0.096."""


@dataclass(frozen=True, eq=False)
class Appearance:
    """How a character looks from the front."""

    character: str
    split: str
    # (24, 24, 4) uint8, premultiplied colours and coverage within the figure's box, without contour
    small: Pixels
    # Its width, depth and height in lengths of the longest; None where they are not known
    box: tuple[float, float, float] | None


class Twins(NamedTuple):
    """Two characters that look the same, and by what share of the figure they differ, 0 to 1."""

    first: Appearance
    second: Appearance
    difference: float

    @property
    def ids(self) -> set[str]:
        return {self.first.character, self.second.character}

    def __str__(self) -> str:
        first, second = self.first, self.second
        places = f"{first.character} in {first.split} and {second.character} in {second.split}"
        cure = "keep one of them, or give them the same `split` in a manifest"
        return f"{places} look the same, {self.difference:.1%} apart: {cure}"


def small_picture(gt: Pixels, silhouette: NDArray[np.uint8]) -> Pixels | None:
    """The `small` picture of `gt` (H, W, 4) where its silhouette (H, W) is 255; None if it nowhere is."""
    inside = silhouette == 255
    rows, columns = (np.nonzero(inside.any(axis))[0] for axis in (1, 0))
    if not len(rows):
        return None
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    covered = inside[box].astype(np.uint8)
    planes = [*(gt[box][..., :3] * covered[..., None]).transpose(2, 0, 1), covered * np.uint8(255)]
    reduced = [Image.fromarray(plane).resize((_SIDE, _SIDE), Image.Resampling.BOX) for plane in planes]
    return np.stack([np.asarray(plane) for plane in reduced], axis=-1)


def box_shape(low: Sequence[float], high: Sequence[float]) -> tuple[float, float, float] | None:
    """Sides of a box in lengths of the longest; None if it is a point."""
    sides = np.subtract(high, low)
    if not sides.max() > 0:
        return None
    width, depth, height = (sides / sides.max()).tolist()
    return width, depth, height


def twins_across_splits(looks: Sequence[Appearance]) -> Iterator[Twins]:
    """Yield pairs of characters in different splits that look the same, those of the rarer split first."""
    splits = Counter(look.split for look in looks)
    for split in sorted(splits, key=lambda name: (splits[name], name))[:-1]:
        few = [look for look in looks if look.split == split]
        looks = [look for look in looks if look.split != split]
        sums = _block_sums(looks)
        for start in range(0, len(few), _AT_ONCE):
            chunk = few[start : start + _AT_ONCE]
            # Sums of blocks differ by no more than their pixels do.
            near = cdist(_block_sums(chunk), sums, "cityblock") <= TWIN_DIFFERENCE * 4 * 255 * _SIDE**2
            for i, j in np.argwhere(near):
                first, second = chunk[i], looks[j]
                difference = _difference(first.small, second.small)
                if difference <= TWIN_DIFFERENCE and _same_box(first, second):
                    yield Twins(first, second, difference)


def _block_sums(looks: Sequence[Appearance]) -> Doubles:
    """Sums of each channel in blocks, (N, 64)."""
    small = np.stack([look.small for look in looks])
    blocks = small.reshape(len(looks), _SIDE // _BLOCK, _BLOCK, _SIDE // _BLOCK, _BLOCK, 4)
    return np.asarray(blocks.sum((2, 4), np.float64).reshape(len(looks), -1))


def _same_box(first: Appearance, second: Appearance) -> bool:
    if first.box is None or second.box is None:
        return True
    return bool(np.abs(np.subtract(first.box, second.box)).max() <= TWIN_BOX)


def _difference(first: Pixels, second: Pixels) -> float:
    """Mean difference of colours and coverage over the pixels that either covers."""
    total = np.abs(first.astype(np.float64) - second).sum()
    area = np.maximum(first[..., 3], second[..., 3]).sum(dtype=np.float64)
    return float(total / (4 * area))
