"""The silhouette of a picture and how thick the figure is at each of its points.

Images and grids are indexed [row, column] with row 0 at the top. Lengths are in pixels of the picture in
`Silhouette`, in cells of the grid in `Grid`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.backends.inflate.blur import blurred
from specsia_build.errors import CharacterError
from specsia_build.jit import compiled
from specsia_build.rendering.layers import HALF_COVERED

Floats = NDArray[np.float64]

SPECK = 0.0005
"""Components and holes of less than this part of the foreground are noise of the matte, not shape."""

BLUR_PX = 0.7
"""Standard deviation in the picture's own pixels that turns a hard, stair-stepped matte into one with a straight
half-level contour."""

PAD_PX = 4
"""Empty pixels around the silhouette's box, so that the contour closes even where the picture cuts the character."""

MAX_RASTER = 768
"""Larger pictures are averaged down to at most this for the shape."""

CELLS = 2_450
"""Grid cells that the silhouette covers, whatever its size in pixels; the triangle count follows from it."""

MOST_NODES = 900
"""Nodes along the longer side of the silhouette's box, however little of it the silhouette covers."""


@dataclass(frozen=True)
class Silhouette:
    """The cleaned matte around the character.

    Attributes:
        distance: (h, w) float64 signed distance to the half-level contour, positive inside; the outermost are negative.
        corner: column and row of the picture at which `distance` starts, in its own pixels; may be negative.
        size: width of the whole picture in these pixels.
    """

    distance: Floats
    corner: tuple[int, int]
    size: float


@dataclass(frozen=True)
class Grid:
    """A lattice of nodes over the silhouette, about as fine for a small silhouette as for a large one.

    Attributes:
        distance: (h, w) float64 signed distance to the contour in cells, positive inside; outermost nodes negative.
        first: column and row of node [0, 0] in the picture's pixel coordinates (pixel centres at halves).
        cell: pixels from node to node.
        size: width of the picture in pixels.
    """

    distance: Floats
    first: tuple[float, float]
    cell: float
    size: float


def clean_silhouette(alpha: NDArray[np.uint8]) -> Silhouette:
    """The matte's shape without specks and pinholes, lines of a pixel included.

    Args:
        alpha: (S, S) uint8 coverage.

    Raises:
        CharacterError: if nothing, or everything, is covered.
    """
    if not np.any(alpha >= HALF_COVERED):
        raise CharacterError("the picture shows no character: no pixel is covered by half or more")
    if np.all(alpha >= HALF_COVERED):
        raise CharacterError("the picture has no background: every pixel is covered, so there is no silhouette")
    shrink = -(-alpha.shape[0] // MAX_RASTER)
    whole = np.asarray(Image.fromarray(alpha).reduce(shrink))
    (first_row, first_column), box = _box(whole > 0)
    coverage = np.pad(whole[box] / 255.0, 2 * PAD_PX)
    coverage = blurred(coverage, BLUR_PX / shrink, 4.0)
    speck = SPECK * np.count_nonzero(coverage > 0.5)
    coverage[_small_parts(coverage > 0.5, speck)] = 0.0
    coverage[_small_parts(coverage <= 0.5, speck)] = 1.0
    inside = coverage > 0.5
    if not inside.any():
        raise CharacterError("the picture shows no character: what is covered is thinner than a pixel")
    drawn = np.pad(whole[box], 2 * PAD_PX)
    lines = _blurred_lines(drawn >= HALF_COVERED, inside, speck)
    coverage[lines] = drawn[lines] / 255.0
    (row, column), around = _box(inside | lines, PAD_PX)
    corner = (first_column + column - 2 * PAD_PX, first_row + row - 2 * PAD_PX)
    return Silhouette(signed_distance(coverage[around] - 0.5), corner, alpha.shape[0] / shrink)


def _box(mask: NDArray[np.bool_], margin: int = 0) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """First row and column of a box around all that is true, and the box; the margin around it lies within the mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]) - margin, int(columns[0]) - margin
    return (top, left), np.s_[top : int(rows[-1]) + 1 + margin, left : int(columns[-1]) + 1 + margin]


def _small_parts(mask: NDArray[np.bool_], area: float) -> NDArray[np.bool_]:
    labels, count = scipy.ndimage.label(mask)
    small = np.bincount(labels.ravel(), minlength=count + 1) < area
    small[0] = False
    return np.asarray(small[labels])


def _blurred_lines(drawn: NDArray[np.bool_], kept: NDArray[np.bool_], area: float) -> NDArray[np.bool_]:
    """What was drawn and is not kept, but leads away from that or lies apart: lines of a pixel, no fringe or specks."""
    lost = drawn & ~kept
    near = scipy.ndimage.binary_dilation(kept, iterations=2)
    if not (lost & ~near).any():
        return np.zeros_like(lost)
    labels, _ = scipy.ndimage.label(lost, structure=np.ones((3, 3)))
    long = np.bincount(labels.ravel()) >= area
    far = np.bincount(labels[lost & ~near], minlength=len(long)) > 0
    return np.asarray((long & far)[labels] & lost)


def lattice(silhouette: Silhouette) -> Grid:
    """Sample the signed distance of the half-level contour at `CELLS` nodes inside, or fewer for a wide, thin shape."""
    distance = silhouette.distance
    cell = max(float(np.sqrt(np.count_nonzero(distance > 0) / CELLS)), max(distance.shape) / MOST_NODES)
    height, width = (int(np.ceil((side - 1) / cell)) + 1 for side in distance.shape)
    rows, columns = np.arange(height) * cell, np.arange(width) * cell
    at = np.meshgrid(rows, columns, indexing="ij")
    # A cubic spline keeps the contour round where the lattice is finer than the pixels.
    nodes = scipy.ndimage.map_coordinates(distance, at, order=3, mode="nearest") / cell
    nodes = np.pad(nodes, 2, mode="edge")
    nodes[[0, 1, -2, -1], :] = np.minimum(nodes[[0, 1, -2, -1], :], -1.0)
    nodes[:, [0, 1, -2, -1]] = np.minimum(nodes[:, [0, 1, -2, -1]], -1.0)
    column, row = silhouette.corner
    return Grid(nodes, (column + 0.5 - 2 * cell, row + 0.5 - 2 * cell), cell, silhouette.size)


def signed_distance(level: Floats) -> Floats:
    """Distance from each node to the zero contour of a bilinear function, in nodes, positive where `level` > 0.

    Nodes beside the contour measure it along the lattice's lines; the rest follows by fast sweeping of the eikonal
    equation (Zhao, "A fast sweeping method for Eikonal equations", Math. Comp. 74, 2005).

    Args:
        level: (h, w) float64 with both signs.
    """
    distance = np.full(level.shape, np.inf)
    _crossings(level, distance)
    _sweep(distance)
    return np.where(level > 0, distance, -distance)


@compiled
def _crossings(level: Floats, distance: Floats) -> None:
    height, width = level.shape
    for r in range(height):
        for c in range(width):
            here = level[r, c]
            along_row = along_column = np.inf
            for step in (-1, 1):
                if 0 <= c + step < width and (level[r, c + step] > 0) != (here > 0):
                    along_row = min(along_row, here / (here - level[r, c + step]))
                if 0 <= r + step < height and (level[r + step, c] > 0) != (here > 0):
                    along_column = min(along_column, here / (here - level[r + step, c]))
            if along_row == 0.0 or along_column == 0.0:
                distance[r, c] = 0.0
            elif along_row < np.inf or along_column < np.inf:
                distance[r, c] = 1.0 / np.sqrt(1.0 / along_row**2 + 1.0 / along_column**2)


@compiled
def _sweep(distance: Floats) -> None:
    height, width = distance.shape
    fixed = distance < np.inf
    beside = np.full((2, width), np.inf)
    for sweep in range(8):
        step = 1 if sweep & 2 else -1
        for i in range(height):
            r = i if sweep & 1 else height - 1 - i
            row, held, nearest = distance[r], fixed[r], beside[0]
            above = distance[r - 1] if r > 0 else beside[1]
            below = distance[r + 1] if r + 1 < height else beside[1]
            for c in range(width):
                nearest[c] = min(above[c], below[c])
            first = 0 if step > 0 else width - 1
            # What was passed last, which is known without looking it up again.
            before = np.inf
            for j in range(width):
                c = first + step * j
                here, b = row[c], nearest[c]
                after = row[c + step] if j + 1 < width else np.inf
                a = min(before, after)
                before = here
                low, high = min(a, b), max(a, b)
                # What is found is farther than the nearer one by the root of a half at least.
                if held[c] or low + 0.7071 >= here or low == np.inf:
                    continue
                found = low + 1.0
                if high < found:
                    found = 0.5 * (low + high + np.sqrt(2.0 - (high - low) ** 2))
                if found < here:
                    row[c] = before = found


def poisson(distance: Floats) -> Floats:
    """Solve laplace(u) = -2 inside with u = 0 on the contour, in cells squared; u is 0 outside.

    The square root of u is exactly a half circle across a long straight limb, and 0.71 of the radius deep over a
    disc. Nodes beside the contour reach it at its true distance (Gibou et al., J. Comput. Phys. 176, 2002).

    Args:
        distance: (h, w) float64 signed distance in cells, negative on the border.
    """
    rows, columns = np.nonzero(distance > 0)
    weights = np.zeros((len(rows), 4))
    _contour_weights(distance, rows, columns, weights)
    u = np.zeros(distance.shape)
    radius = max(2.0, float(distance.max()))
    # The best relaxation for the slowest mode of a strip of that half width (Young 1954).
    relax = 2.0 / (1.0 + np.sin(np.pi / (2.0 * radius)))
    _relax(u, rows, columns, weights, relax, 1e-5 * radius**2, int(50 * radius))
    return u


@compiled
def _contour_weights(distance: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64], weights: Floats) -> None:
    steps = ((0, -1), (0, 1), (-1, 0), (1, 0))
    for n in range(len(rows)):
        here = distance[rows[n], columns[n]]
        for k in range(4):
            there = distance[rows[n] + steps[k][0], columns[n] + steps[k][1]]
            weights[n, k] = 1.0 if there > 0 else (here - there) / max(here, 0.05 * (here - there))


@compiled
def _relax(
    u: Floats,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: Floats,
    relax: float,
    tolerance: float,
    most: int,
) -> None:
    for _ in range(most):
        change = 0.0
        for n in range(len(rows)):
            r, c = rows[n], columns[n]
            total = weights[n, 0] + weights[n, 1] + weights[n, 2] + weights[n, 3]
            # Outside nodes hold 0, the value on the contour, so their weight only enters the divisor.
            around = u[r, c - 1] + u[r, c + 1] + u[r - 1, c] + u[r + 1, c]
            step = relax * ((2.0 + around) / total - u[r, c])
            u[r, c] += step
            change = max(change, abs(step))
        if change < tolerance:
            return
