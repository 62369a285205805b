"""Segments, the areas that lines enclose: their numbers, contents, and matches in another frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.annotation.lines import BINARY
from specsia_build.rendering.layers import HALF_COVERED

LINES, BACKGROUND, SEGMENT = 0, 1, 2
"""Numbers of lines, of the background, and of the first segment of the character."""

LEAST_PIXELS = 4
"""Smallest segment; fewer pixels, as between two lines, count as line."""


def segments(line: NDArray[np.uint8], label: NDArray[np.int32], mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Number the segments of a frame: 4-connected pixels of one region that are no line.

    Args:
        line: (H, W) lines, dark on white; binarised at `BINARY`.
        label: (H, W) region of each pixel, -1 outside.
        mask: (H, W) coverage of each pixel.

    Returns:
        (H, W): 0 for lines, 1 for background, also in holes, then segments in reading order.
    """
    dark = line < BINARY
    out = np.where(dark, LINES, BACKGROUND).astype(np.int32)
    region = np.where(dark | (mask < HALF_COVERED), -1, label)
    rows, columns = (np.flatnonzero((region >= 0).any(axis=axis)) for axis in (1, 0))
    if len(rows):
        # Most of a frame is background, which need not be searched.
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        part = skimage.measure.label(region[box], background=-1, connectivity=1)
        kept = np.bincount(part.ravel()) >= LEAST_PIXELS
        kept[0] = False
        number = np.where(kept, BACKGROUND + np.cumsum(kept), LINES).astype(np.int32)
        out[box] = np.where(part > 0, number[part], out[box])
    return out


@dataclass(frozen=True)
class Contents:
    """Most frequent region (N,), number of pixels (N,) and flat sRGB colour (N, 4) of segments by their number.

    Lines and background are included, with region -1 and colour 0.
    """

    region: NDArray[np.int32]
    pixels: NDArray[np.int64]
    colors: NDArray[np.uint8]


def contents(seg: NDArray[np.int32], label: NDArray[np.int32], palette: NDArray[np.uint8]) -> Contents:
    """Compute the contents of segments (H, W), by regions (H, W), -1 outside, and their flat colours (R, 3)."""
    count = max(int(seg.max(initial=0)), BACKGROUND) + 1
    pixels = np.bincount(seg.ravel(), minlength=count)
    inside = (seg > BACKGROUND) & (label >= 0)
    region = _most_frequent(seg[inside], label[inside], count)
    colors = np.zeros((count, 4), np.uint8)
    held = region >= 0
    colors[held, :3] = palette[region[held]]
    colors[held, 3] = 255
    return Contents(region, pixels, colors)


def matching(
    seg: NDArray[np.int32],
    label: NDArray[np.int32],
    other_seg: NDArray[np.int32],
    other_label: NDArray[np.int32],
    flow: NDArray[np.float32],
    unmatched: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """Match the segments of a frame with those of another, by the flow (H, W, 2) from the one to the other.

    Points of `unmatched` pixels (H, W) are hidden or outside there.

    Returns:
        (N,) by number: the segment of the same region in which most of the points are, or -1. Lines match lines,
        background matches background.
    """
    height, width = seg.shape
    count = max(int(seg.max(initial=0)), BACKGROUND) + 1
    row, column = np.nonzero((seg > BACKGROUND) & ~unmatched)
    there = np.floor(np.stack([column, row], axis=1) + 0.5 + flow[row, column]).astype(np.intp)
    inside = ((there >= 0) & (there < (width, height))).all(axis=1)
    row, column, there = row[inside], column[inside], there[inside]
    goes = other_seg[there[:, 1], there[:, 0]]
    same = (goes > BACKGROUND) & (other_label[there[:, 1], there[:, 0]] == label[row, column])
    matched = _most_frequent(seg[row, column][same], goes[same], count)
    matched[[LINES, BACKGROUND]] = LINES, BACKGROUND
    return matched


def _most_frequent(group: NDArray[np.int32], value: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Most frequent value (count,) of each group, the lowest of equals; -1 for an empty group."""
    width = int(value.max(initial=0)) + 1
    tally = scipy.sparse.coo_array((np.ones(len(group), np.int32), (group, value)), shape=(count, width)).tocsr()
    most = np.asarray(tally.argmax(axis=1), np.int32).reshape(count)
    most[np.diff(tally.indptr) == 0] = -1
    return most
