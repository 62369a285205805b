"""Seeded smooth noise, resampling and signed distances of small images: what the damage of `fusion` is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.fusion.views import Floats
from specsia_build.jit import compiled

SPREAD = 0.479
"""Standard deviation of a bicubic B-spline whose coefficients are independent and of deviation 1: the mean over a cell
of the sum of its squared weights is 151/315 per axis, the square root of the product of two axes 0.479."""


@compiled
def _spline(grid, size, step):  # type: ignore[no-untyped-def]
    n = grid.shape[0]
    weights = np.empty((size, 4), np.float32)
    first = np.empty(size, np.int64)
    for i in range(size):
        at = i / step
        k = int(at)
        t = at - k
        first[i] = k
        weights[i, 0] = (1 - t) ** 3 / 6
        weights[i, 1] = (3 * t**3 - 6 * t**2 + 4) / 6
        weights[i, 2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
        weights[i, 3] = t**3 / 6
    out = np.empty((size, size), np.float32)
    row = np.empty(n, np.float32)
    for y in range(size):
        for j in range(n):
            total = np.float32(0)
            for k in range(4):
                total += weights[y, k] * grid[first[y] + k, j]
            row[j] = total
        for x in range(size):
            f = first[x]
            low = weights[x, 0] * row[f] + weights[x, 1] * row[f + 1]
            out[y, x] = low + weights[x, 2] * row[f + 2] + weights[x, 3] * row[f + 3]
    return out


def smooth_noise(generator: np.random.Generator, size: int, wavelength: float) -> Floats:
    """Noise (size, size) float32 of mean 0 and standard deviation 1, without detail finer than a wavelength in pixels.

    The coefficients lie half a wavelength apart.
    """
    step = wavelength / 2
    count = int((size - 1) / step) + 4
    coefficients = generator.standard_normal((count, count), dtype=np.float32)
    return np.asarray(_spline(coefficients, size, step) / np.float32(SPREAD))


def smooth_vectors(generator: np.random.Generator, size: int, wavelength: float) -> Floats:
    """Two independent fields of `smooth_noise`, (2, size, size) float32: across and down."""
    return np.stack([smooth_noise(generator, size, wavelength) for _ in range(2)])


@compiled
def warped(image, shift):  # type: ignore[no-untyped-def]
    """Bilinear image(p + shift(p)), the border repeated: (H, H, C) float32; shift (2, H, H) pixels, across and down."""
    size, channels = image.shape[0], image.shape[2]
    out = np.empty_like(image)
    last = np.float32(size - 1)
    for y in range(size):
        for x in range(size):
            u = min(max(x + shift[0, y, x], np.float32(0)), last)
            v = min(max(y + shift[1, y, x], np.float32(0)), last)
            i, j = min(int(u), size - 2), min(int(v), size - 2)
            s, t = u - i, v - j
            for c in range(channels):
                top = image[j, i, c] + s * (image[j, i + 1, c] - image[j, i, c])
                low = image[j + 1, i, c] + s * (image[j + 1, i + 1, c] - image[j + 1, i, c])
                out[y, x, c] = top + t * (low - top)
    return out


@compiled
def between(at, size):  # type: ignore[no-untyped-def]
    """The pixel before a place in pixels, whose centres lie at halves, and how far it lies towards the next, 0-1."""
    x = min(max(at - 0.5, 0.0), size - 1.0)
    i = min(int(x), size - 2)
    return i, x - i


@compiled
def blended(image, j, i, t, s):  # type: ignore[no-untyped-def]
    """The value of an image (H, H) `t` of the way from row `j` to the next, and `s` of that from column `i`."""
    top = image[j, i] + s * (image[j, i + 1] - image[j, i])
    low = image[j + 1, i] + s * (image[j + 1, i + 1] - image[j + 1, i])
    return top + t * (low - top)


@compiled
def bilinear(image, u, v):  # type: ignore[no-untyped-def]
    """A value of an image (H, H) at a column and a row in pixels, whose centres lie at halves."""
    i, s = between(u, image.shape[0])
    j, t = between(v, image.shape[0])
    return blended(image, j, i, t, s)


def signed_distance(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from each node to the zero contour of a bilinear function, in nodes, positive where `level` > 0.

    Nodes beside the contour measure it along the lattice's lines; the rest follows by fast sweeping of the eikonal
    equation (Zhao, "A fast sweeping method for Eikonal equations", Math. Comp. 74, 2005). Without both signs it is the
    width of `level` (h, w), or minus that.
    """
    if not (level > 0).any() or (level > 0).all():
        return np.full(level.shape, float(len(level)) if level[0, 0] > 0 else -float(len(level)))
    distance = np.full(level.shape, np.inf)
    _crossings(level, distance)
    _sweep(distance)
    return np.where(level > 0, distance, -distance)


@compiled
def _crossings(level: NDArray[np.float64], distance: NDArray[np.float64]) -> None:
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
def _sweep(distance: NDArray[np.float64]) -> None:
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
            # The value before, which need not be looked up again.
            before = np.inf
            for j in range(width):
                c = first + step * j
                here, b = row[c], nearest[c]
                after = row[c + step] if j + 1 < width else np.inf
                a = min(before, after)
                before = here
                low, high = min(a, b), max(a, b)
                # A new distance exceeds the nearer neighbour's by the root of a half at least.
                if held[c] or low + 0.7071 >= here or low == np.inf:
                    continue
                new = low + 1.0
                if high < new:
                    new = 0.5 * (low + high + np.sqrt(2.0 - (high - low) ** 2))
                if new < here:
                    row[c] = before = new
