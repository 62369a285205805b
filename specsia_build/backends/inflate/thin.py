"""Limbs that are thinner than a cell of the lattice, which falls through between its nodes.

Along the middle of such a limb, balls that are too large to be missed join the figure before it is meshed; after that
their surface is drawn in to the limb's own width. Where the lattice misses nothing, nothing is done. Limbs that lie
closer than a cell to each other or to the body are joined by a web, as their balls are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.inflate.shape import Grid, Silhouette
from specsia_build.backends.inflate.surface import Shell

Floats = NDArray[np.float64]

THIN = 0.6
"""Cells of half width up to which a limb may slip through between nodes."""

LENGTH = 2.0
"""Cells that a limb is long at least; the tips of corners are shorter."""

REACH = 0.85
"""Radius of the balls in cells. From 0.71 on those along a line hold a chain of nodes, which is meshed in one piece."""

AROUND = 1.5
"""Cells from the middle of a limb within which the mesher may have put the surface of its balls."""

BESIDE = 0.15
"""Cells beside a thicker part's contour within which a vertex belongs to it."""

INNER = 0.9
"""Share of a limb's half width within which the vertices lie that are not on its rim, so that no face is upright."""

LEAST_PX = 0.5
"""Half width in pixels of the thinnest line that a picture shows."""

STEPS = 4
"""Of a walk from a limb's middle to its contour, each as long as the contour is away."""


@dataclass(frozen=True)
class Limbs:
    """The thin limbs of a silhouette.

    Attributes:
        middle: (M, 2) float64 columns and rows in cells of the grid along the limbs, M at least 1.
        distance: (h, w) float64 signed distance of the silhouette's pixels to its contour, in cells.
        body: (h, w) bool, the pixels of thicker parts, with what lies just beside them.
        first: column and row in cells of the first pixel.
        cells: from pixel to pixel.
    """

    middle: Floats
    distance: Floats
    body: NDArray[np.bool_]
    first: Floats
    cells: float

    def blown_up(self, square: Floats) -> Floats:
        """The squared half thickness (h, w) in cells squared, with a tube of radius `REACH` around each limb."""
        rows, columns = np.indices(square.shape, np.float64)
        away, _ = self._nearest(np.column_stack([columns.ravel(), rows.ravel()]))
        return np.maximum(square, (REACH**2 - away**2).reshape(square.shape))

    def drawn_in(self, surface: Shell) -> Shell:
        """The surface over `blown_up` with its tubes as thin as the limbs, and round."""
        away, which = self._nearest(surface.points[:, :2])
        moved = np.isfinite(away)
        column, row = np.rint((surface.points[:, :2] - self.first) / self.cells).astype(np.int64).T
        height, width = self.body.shape
        moved &= ~self.body[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        points, middle = surface.points[moved], self.middle[which[moved]]
        offset = points[:, :2] - middle
        length = np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-9)
        radius = np.zeros_like(length)
        for _ in range(STEPS):
            radius += np.maximum(self._at(middle + offset * (radius / length)), 0.0)[:, None]
        # Towards the body there is no contour.
        radius = np.clip(radius, LEAST_PX * self.cells, REACH)
        on_rim = points[:, 2:] == 0.0
        share = np.where(on_rim, 1.0, np.minimum((length / REACH) ** 2, INNER))
        drawn = surface.points.copy()
        drawn[moved] = np.hstack(
            [middle + offset * (share * radius / length), np.sign(points[:, 2:]) * radius * np.sqrt(1.0 - share**2)]
        )
        return replace(surface, points=drawn)

    def _nearest(self, points: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """Distance (N,) to the nearest of the middles, infinite beyond `AROUND`, and its number."""
        away, which = scipy.spatial.cKDTree(self.middle).query(points, distance_upper_bound=AROUND)
        return np.asarray(away), np.asarray(which, np.int64)

    def _at(self, points: Floats) -> Floats:
        """Signed distance (N,) to the contour in cells."""
        rows_and_columns = ((points - self.first) / self.cells).T[::-1]
        return np.asarray(scipy.ndimage.map_coordinates(self.distance, rows_and_columns, order=1, mode="nearest"))


def thin_limbs(silhouette: Silhouette, grid: Grid) -> Limbs | None:
    """The limbs that the grid misses somewhere; None where there are none."""
    distance, cells = silhouette.distance / grid.cell, 1.0 / grid.cell
    first = (np.array(silhouette.corner) + 0.5 - np.array(grid.first)) * cells
    window = 2 * int(np.ceil(THIN * grid.cell)) + 1
    widest = scipy.ndimage.maximum_filter(distance, window)
    thin = (distance > 0) & (widest < THIN)
    if not thin.any():
        return None
    labels, count = scipy.ndimage.label(thin, structure=np.ones((3, 3)))
    rows, columns = np.nonzero(thin)
    at = [rows * cells + first[1], columns * cells + first[0]]
    missed = labels[rows, columns][scipy.ndimage.map_coordinates(grid.distance, at, order=1) <= 0]
    kept = np.bincount(missed, minlength=count + 1) > 0
    for number, (down, right) in enumerate(scipy.ndimage.find_objects(labels), 1):
        kept[number] &= np.hypot(down.stop - down.start, right.stop - right.start) * cells >= LENGTH
    if not kept.any():
        return None
    near = scipy.ndimage.maximum_filter(kept[labels], window)
    rows, columns = np.nonzero(near & (distance > 0) & (distance < THIN) & _ridge(distance))
    middle = np.column_stack([columns, rows]) * cells + first
    return Limbs(middle, distance, (widest >= THIN) & (distance > -BESIDE), first, cells)


def _ridge(distance: Floats) -> NDArray[np.bool_]:
    """Where a distance to the contour (h, w), negative on its border, is largest along a row or along a column."""
    across = scipy.ndimage.maximum_filter1d(distance, 3, axis=1)
    down = scipy.ndimage.maximum_filter1d(distance, 3, axis=0)
    return np.asarray(distance == np.minimum(across, down))
