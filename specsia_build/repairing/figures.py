"""Find the separate figures of a drawing by the parts of its silhouette."""

import itertools
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.pictures.masks import box_around
from specsia_build.rendering.layers import HALF_COVERED

FigureBox = tuple[int, int, int, int]
_Box = tuple[slice, ...]
Labels = NDArray[np.signedinteger]

WORKING = 512  # Pixels of the longer side at which distances between parts are measured
_MOST = 256  # Parts that can be figures; the others are parts of the nearest

_LEAST_AREA, LEAST_HEIGHT = 0.2, 0.4
"""Area and height of a figure, at least, relative to those of the largest: a sword or a hat has less."""

WITHIN = 0.8  # Share of a part's box inside another's from which it belongs to that: eyes in a head of lines

_BESIDE, ABOVE = 0.01, 0.15
"""Gap between two figures, at least, in lengths of the two; and between parts that are one above the other,
in heights of the taller: a head may float above its body."""

_ROW = 0.85
"""Share of the taller part's rows from which another is as high, and in its row: sprites of a sheet have
others beside them, and are not joined to those of the row below."""

_SAME_ROW = 0.5  # Share of the lower figure's rows from which two figures are numbered as one row

# Share of the narrower part's width below, or above, the other from which one is above the other
ALIGNED = 0.5


def figure_labels(alpha: NDArray[np.uint8]) -> Labels:
    """Number of the nearest figure at each pixel of a silhouette (h, w), from 1 and in reading order."""
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
    boxes = [box_around(np.isin(coarse, members)) for members in figures]
    number = np.zeros(count + 1, np.int32)
    for index, place in enumerate(_in_reading_order(boxes), 1):
        number[figures[place]] = index
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
    near = np.eye(len(candidates), dtype=np.bool_)
    found = scipy.ndimage.find_objects(parts)
    boxes = [found[part - 1] for part in candidates]
    in_row = [_is_in_row(boxes, place) for place in range(len(boxes))]
    for place, box in enumerate(boxes):
        for other in range(place + 1, len(boxes)):
            reach = _reach(box, boxes[other], in_row[place] and in_row[other])
            if _is_inside(box, boxes[other]):
                near[place, other] = True
            elif reach > 0:
                gap = _gap(parts, (candidates[place], candidates[other]), (box, boxes[other]), reach)
                near[place, other] = gap < reach
    count, group = scipy.sparse.csgraph.connected_components(near, directed=False)
    figures: list[list[int]] = [[] for _ in range(count)]
    for place, part in enumerate(candidates):
        figures[group[place]].append(part)
    return figures


def _in_reading_order(boxes: Sequence[_Box]) -> list[int]:
    """Places of boxes row by row, each from left to right."""
    rows: list[list[int]] = []
    shared = slice(0, 0)  # What all of the last row have in common
    for place in sorted(range(len(boxes)), key=lambda place: int(boxes[place][0].start)):
        own = boxes[place][0]
        if rows and _overlap(own, shared) >= _SAME_ROW * min(_length(own), _length(shared)):
            shared = slice(max(own.start, shared.start), min(own.stop, shared.stop))
            rows[-1].append(place)
        else:
            shared = own
            rows.append([place])
    ordered = (sorted(row, key=lambda place: int(boxes[place][1].start)) for row in rows)
    return list(itertools.chain.from_iterable(ordered))


def _is_in_row(boxes: list[_Box], place: int) -> bool:
    """Whether another of the boxes of parts lies in the same rows as one of them."""
    (rows, _), others = boxes[place], boxes[:place] + boxes[place + 1 :]
    return any(_overlap(rows, other[0]) >= _ROW * max(_length(rows), _length(other[0])) for other in others)


def _is_inside(box: _Box, other: _Box) -> bool:
    """Whether one of two boxes lies inside the other."""
    down, across = (_overlap(*sides) for sides in zip(box, other, strict=True))
    return down * across >= WITHIN * min(_length(a) * _length(b) for a, b in (box, other))


def _reach(box: _Box, other: _Box, of_sheet: bool) -> float:
    """Gap below which parts in two boxes are one figure; `of_sheet` if both have others in their row."""
    both = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(box, other, strict=True))
    beside = _BESIDE * max(_length(along) for along in both)
    lower, taller = sorted((_length(box[0]), _length(other[0])))
    is_above = _overlap(box[1], other[1]) >= ALIGNED * min(_length(box[1]), _length(other[1]))
    if is_above and not (of_sheet and lower >= _ROW * taller):
        return max(beside, ABOVE * taller)
    return beside


def _gap(parts: Labels, pair: tuple[int, int], boxes: tuple[_Box, _Box], reach: float) -> float:
    """Pixels between a pair of parts in two boxes; infinite from about `reach` on."""
    margin = int(reach) + 2
    around = tuple(slice(max(0, along.start - margin), along.stop + margin) for along in boxes[0])
    near = parts[around] == pair[1]
    if not near.any():
        return np.inf
    distance = scipy.ndimage.distance_transform_edt(parts[around] != pair[0])
    return float(distance[near].min()) - 1


def _overlap(along: slice, other: slice) -> int:
    return int(max(0, min(along.stop, other.stop) - max(along.start, other.start)))


def _length(along: slice) -> int:
    return int(along.stop - along.start)
