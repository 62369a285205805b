"""What the lines of a frame enclose: numbered areas, what they hold, and to which of another frame they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.annotation.lines import BINARY
from specsia_build.jit import compiled, ready
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.topology import root

LINES, BACKGROUND, SEGMENT = 0, 1, 2
"""Numbers of what is no segment of the character, and of its first segment."""

LEAST_PIXELS = 4
"""Smallest segment. Fewer pixels, such as lines leave between them, belong to the lines."""


def segments(line: NDArray[np.uint8], label: NDArray[np.int32], mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The segments of a frame: pixels of one region that hang together side by side and are not line.

    Where two regions touch without a line between them, they are two segments, so that each holds one region.

    Args:
        line: (H, W) the frame's lines, dark on white; they are binarised at `lines.BINARY`.
        label: (H, W) the region at each pixel, -1 outside.
        mask: (H, W) how much of each pixel the character covers.

    Returns:
        (H, W) int32: 0 on lines, 1 the background with all that is seen through holes, then the segments in reading
        order of their first pixels.
    """
    found: NDArray[np.int32] = _segments(ready(line), ready(label), ready(mask))
    return found


@compiled
def _segments(line, label, mask):  # type: ignore[no-untyped-def]
    height, width = label.shape
    out = np.empty((height, width), np.int32)
    # Parts that hang together are numbered as they are met, from the first number of a segment on: of each the one that
    # it is joined to, the lowest of all, and how many pixels it has.
    parent, pixels = np.empty(height * width + SEGMENT, np.int32), np.empty(height * width + SEGMENT, np.int32)
    end = SEGMENT
    for row in range(height):
        for column in range(width):
            region, part = label[row, column], end
            if line[row, column] < BINARY:
                out[row, column] = LINES
                continue
            if region < 0 or mask[row, column] < HALF_COVERED:
                out[row, column] = BACKGROUND
                continue
            if column > 0 and out[row, column - 1] >= SEGMENT and label[row, column - 1] == region:
                part = root(parent, out[row, column - 1])
            if row > 0 and out[row - 1, column] >= SEGMENT and label[row - 1, column] == region:
                above = root(parent, out[row - 1, column])
                if part < end and part != above:
                    pixels[min(part, above)] += pixels[max(part, above)]
                    parent[max(part, above)] = min(part, above)
                part = min(part, above)
            if part == end:
                parent[end], pixels[end] = end, 0
                end += 1
            pixels[part] += 1
            out[row, column] = part
    number, count = np.empty(end, np.int32), SEGMENT
    number[LINES], number[BACKGROUND] = LINES, BACKGROUND
    for part in range(SEGMENT, end):
        if parent[part] != part:
            number[part] = number[parent[part]]
        elif pixels[part] < LEAST_PIXELS:
            number[part] = LINES
        else:
            number[part] = count
            count += 1
    for row in range(height):
        for column in range(width):
            out[row, column] = number[out[row, column]]
    return out


@dataclass(frozen=True)
class Contents:
    """What the segments of a frame hold, by their numbers, the lines and the background among them.

    Attributes:
        region: (N,) int32, the region that most of a segment's pixels show; -1 for lines and background.
        pixels: (N,) int64, how many it has.
        colors: (N, 4) uint8, the region's flat sRGB colour, opaque; 0 for lines and background.
    """

    region: NDArray[np.int32]
    pixels: NDArray[np.int64]
    colors: NDArray[np.uint8]


def contents(seg: NDArray[np.int32], label: NDArray[np.int32], palette: NDArray[np.uint8]) -> Contents:
    """What the segments of a frame hold.

    Args:
        seg: (H, W) of `segments`.
        label: (H, W) the region at each pixel, -1 outside.
        palette: (R, 3) the regions' flat colours.
    """
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
    """Which segment of another frame each segment of a frame goes to.

    Args:
        seg: (H, W) of the frame.
        label: (H, W) its regions.
        other_seg: (H, W) of the other frame.
        other_label: (H, W) its regions.
        flow: (H, W, 2) pixels right and down to where each visible point is in the other frame.
        unmatched: (H, W) whether it is hidden or outside there.

    Returns:
        (N,) int32 by the number of the segment: the one that most of its points are seen in, of those that show the
        same region there; -1 where none is. Lines go to lines and the background to the background.
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
    """(count,) the most frequent value of each group, at least 0, the lowest of several; -1 for a group without any."""
    width = int(value.max(initial=0)) + 1
    tally = scipy.sparse.coo_array((np.ones(len(group), np.int32), (group, value)), shape=(count, width)).tocsr()
    most = np.asarray(tally.argmax(axis=1), np.int32).reshape(count)
    most[np.diff(tally.indptr) == 0] = -1
    return most
