"""Find the separate figures of a drawing by the parts of its silhouette."""

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.pictures.masks import box_around
from specsia_build.rendering.layers import HALF_COVERED

FigureBox = tuple[int, int, int, int]
Labels = NDArray[np.signedinteger]

WORKING = 512  # Pixels of the longer side at which distances between parts are measured
_MOST = 32  # Parts that can be figures; the others are parts of the nearest

_LEAST_AREA, LEAST_HEIGHT = 0.2, 0.4
"""Area and height of a figure, at least, relative to those of the largest: a sword or a hat has less."""

WITHIN = 0.8  # Share of a part's box inside another's from which it belongs to that: eyes in a head of lines

_BESIDE, ABOVE = 0.01, 0.15
"""Gap between two figures, at least, in lengths of the picture's figures; and between parts that are one
above the other, in heights of the taller: a head may float above its body."""

# Share of the narrower part's width below, or above, the other from which one is above the other
ALIGNED = 0.5


def figure_labels(alpha: NDArray[np.uint8]) -> Labels:
    """Number of the nearest figure at each pixel of a silhouette (h, w), from 1 and from left to right."""
    covered = alpha >= HALF_COVERED
    parts, count = scipy.ndimage.label(covered, np.ones((3, 3)))
    candidates = _candidates(parts, count)
    step = -(-max(covered.shape) // WORKING)
    # A part that falls between the sampled pixels is thin, and so no figure of its own.
    coarse = parts[::step, ::step]
    candidates = [part for part in candidates if (coarse == part).any()]
    if len(candidates) < 2:
        return np.ones(covered.shape, np.int32)
    figures = _joined(coarse, candidates)
    # From left to right.
    figures.sort(key=lambda members: box_around(np.isin(coarse, members))[1].start)
    number = np.zeros(count + 1, np.int32)
    for index, members in enumerate(figures, 1):
        number[members] = index
    numbered = number[coarse]
    nearest = scipy.ndimage.distance_transform_edt(numbered == 0, return_distances=False, return_indices=True)
    around = np.repeat(np.repeat(numbered[tuple(nearest)], step, 0), step, 1)
    around = around[: parts.shape[0], : parts.shape[1]]
    # Each other part goes as a whole to the figure that is nearest to its first pixel.
    present, first = np.unique(parts, return_index=True)
    number[present] = np.where(number[present] > 0, number[present], around.ravel()[first])
    return np.where(covered, number[parts], around)


def figure_boxes(labels: Labels, alpha: NDArray[np.uint8]) -> tuple[FigureBox, ...]:
    """Left, top, right and bottom of each figure, see `figure_labels`, in pixels of its silhouette (h, w)."""
    boxes = scipy.ndimage.find_objects(np.where(alpha >= HALF_COVERED, labels, 0))
    return tuple((columns.start, rows.start, columns.stop, rows.stop) for rows, columns in boxes)


def _candidates(parts: Labels, count: int) -> list[int]:
    """Parts of comparable size, largest first."""
    areas = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    boxes = scipy.ndimage.find_objects(parts)
    heights = np.array([rows.stop - rows.start for rows, _ in boxes])
    ranked = np.argsort(-areas, kind="stable")[:_MOST]
    largest = [part for part in ranked if areas[part] >= _LEAST_AREA * areas.max()]
    tallest = max(heights[part] for part in largest)
    return [int(part) + 1 for part in largest if heights[part] >= LEAST_HEIGHT * tallest]


def _joined(parts: Labels, candidates: list[int]) -> list[list[int]]:
    """Groups of candidates that are one figure."""
    index = {part: place for place, part in enumerate(candidates)}
    near = np.eye(len(candidates), dtype=np.bool_)
    boxes = {part: box_around(parts == part) for part in candidates}
    whole = box_around(np.isin(parts, candidates))
    length = max(along.stop - along.start for along in whole)
    for part in candidates[:-1]:
        distance = scipy.ndimage.distance_transform_edt(parts != part)
        for other in candidates[index[part] + 1 :]:
            gap = float(distance[parts == other].min()) - 1
            near[index[part], index[other]] = _is_one(boxes[part], boxes[other], gap, length)
    count, group = scipy.sparse.csgraph.connected_components(near, directed=False)
    figures: list[list[int]] = [[] for _ in range(count)]
    for part in candidates:
        figures[group[index[part]]].append(part)
    return figures


def _is_one(box: tuple[slice, slice], other: tuple[slice, slice], gap: float, length: int) -> bool:
    """Whether parts in two boxes, `gap` pixels apart, are one figure; `length` is that of all figures."""
    height, width = (along.stop - along.start for along in box)
    tall, wide = (along.stop - along.start for along in other)
    sides = zip(box, other, strict=True)
    down, across = (max(0, min(a.stop, b.stop) - max(a.start, b.start)) for a, b in sides)
    if gap < _BESIDE * length or down * across >= WITHIN * min(height * width, tall * wide):
        return True
    return bool(across >= ALIGNED * min(width, wide) and gap < ABOVE * max(height, tall))
