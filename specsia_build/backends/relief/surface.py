"""A closed mesh from the silhouette of a drawing and the depths of its front and its back.

Two sheets over one lattice of the picture, the front and the back, share the vertices of their rim, which lie on the
silhouette's contour halfway between the depths there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.relief.drawing import SIZE, Crop

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NODES = 160
"""Cells along the longest side of the silhouette's box: about 2.4 pixels of a picture of 512."""

NEAR = 0.3
"""Cells from the contour within which a node is moved onto it."""

LOST = 0.01
"""Share of the silhouette that may be thinner than a cell; of more, the lattice is made finer."""

FINER, FINEST = 2.0, 1.0
"""By how much, and the pixels of its smallest cell."""


@dataclass(frozen=True)
class Surface:
    """A closed surface over a picture.

    Attributes:
        points: (V, 3) float64, column, row and height in pixels of the picture; height grows towards the viewer.
        faces: (F, 3) int64, counter-clockwise seen from outside when columns grow to the right and rows downwards.
        front: (F,) bool, whether the face belongs to the front.
    """

    points: Floats
    faces: NDArray[np.int64]
    front: Mask


def signed_distance(covered: Mask) -> Floats:
    """Distance (H, W) in pixels of each pixel's centre to the contour of a silhouette, positive inside."""
    inside = scipy.ndimage.distance_transform_edt(covered)
    outside = scipy.ndimage.distance_transform_edt(~covered)
    distance = np.where(covered, inside - 0.5, 0.5 - outside)
    return np.asarray(scipy.ndimage.gaussian_filter(distance, 0.7), np.float64)


def sampled(values: NDArray[np.floating], columns: NDArray[Any], rows: NDArray[Any]) -> Floats:
    """Values (H, W) between pixels, bilinearly, where the first pixel's centre is at (0.5, 0.5)."""
    at = [np.asarray(rows) - 0.5, np.asarray(columns) - 0.5]
    return np.asarray(scipy.ndimage.map_coordinates(values, at, order=1, mode="nearest"), np.float64)


def _lattice(covered: Mask, distance: Floats) -> tuple[Floats, Floats, float]:
    """Columns and rows (h, w) of the nodes of the coarsest lattice that keeps thin parts, and its cell in pixels."""
    shown = [np.flatnonzero(covered.any(axis=axis)) for axis in (0, 1)]
    cell = max(FINEST, max(int(np.ptp(at)) for at in shown) / NODES)
    while True:
        across, down = (np.arange(at[0] - 2 * cell, at[-1] + 1 + 3 * cell, cell) for at in shown)
        columns, rows = np.meshgrid(across, down)
        inside = sampled(distance, columns, rows) > NEAR * cell
        kept = np.zeros_like(covered)
        kept[rows[inside].astype(int), columns[inside].astype(int)] = True
        kept = scipy.ndimage.maximum_filter(kept, 2 * int(np.ceil(cell)) + 3)
        if cell <= FINEST or np.count_nonzero(covered & ~kept) <= LOST * np.count_nonzero(covered):
            return columns, rows, cell
        cell = max(FINEST, cell / FINER)


def surface_of(covered: Mask, crop: Crop, depth: NDArray[np.float32]) -> Surface:
    """The surface that fills a silhouette between two depths.

    Args:
        covered: (H, W) bool, the silhouette, which is not empty and keeps clear of the border.
        crop: that the depths are told of.
        depth: (SIZE, SIZE, 2) float32, front and back, heights towards the viewer in lengths of the figure.
    """
    distance = signed_distance(covered)
    columns, rows, cell = _lattice(covered, distance)
    inside = sampled(distance, columns, rows) > NEAR * cell
    rim = scipy.ndimage.binary_dilation(inside, np.ones((3, 3), np.bool_)) & ~inside
    down, right = (np.asarray(slope) for slope in np.gradient(distance))
    for _ in range(3):
        x, y = columns[rim], rows[rim]
        away = sampled(distance, x, y)
        gx, gy = sampled(right, x, y), sampled(down, x, y)
        norm = np.maximum(gx**2 + gy**2, 0.25)
        step = np.clip(away / norm, -cell, cell)
        columns[rim] -= step * gx
        rows[rim] -= step * gy
    across, down = ((at - first) * SIZE / crop.side for at, first in ((columns, crop.left), (rows, crop.top)))
    top, bottom = (sampled(depth[..., side], across, down) * crop.figure for side in (0, 1))
    middle = (top + bottom) / 2
    half = np.where(inside, np.maximum((top - bottom) / 2, 0.1), 0.0)
    return _sheets(columns, rows, middle, half, inside, rim)


def _sheets(columns: Floats, rows: Floats, middle: Floats, half: Floats, inside: Mask, rim: Mask) -> Surface:
    """Two sheets over the cells of a lattice (h, w) whose corners all are inside or on the rim."""
    used = inside | rim
    number = np.full(used.shape, -1)
    number[used] = np.arange(np.count_nonzero(used))
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    # Each cell is cut along the shorter diagonal in depth.
    falling = np.abs(middle[:-1, :-1] - middle[1:, 1:]) + np.abs(half[:-1, :-1] - half[1:, 1:])
    rising = np.abs(middle[:-1, 1:] - middle[1:, :-1]) + np.abs(half[:-1, 1:] - half[1:, :-1])
    cut = falling <= rising
    first = np.where(cut[..., None], np.stack([a, c, d], -1), np.stack([a, c, b], -1))
    second = np.where(cut[..., None], np.stack([a, d, b], -1), np.stack([b, c, d], -1))
    faces = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)])
    on_rim = rim[used]
    faces = faces[(faces >= 0).all(axis=1)]
    faces = faces[~on_rim[faces].all(axis=1)]
    x, y, z, t = columns[used], rows[used], middle[used], half[used]
    count = len(x)
    twin = np.arange(count)
    twin[~on_rim] = count + np.arange(np.count_nonzero(~on_rim))
    points = np.concatenate([np.column_stack([x, y, z + t]), np.column_stack([x, y, z - t])[~on_rim]])
    both = np.concatenate([faces, twin[faces][:, ::-1]])
    return Surface(points, both, np.arange(len(both)) < len(faces))
