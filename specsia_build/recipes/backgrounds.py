"""Backgrounds of gradients, clouds and flat shapes, which nobody holds rights to."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

CELLS = (3, 7, 15, 31)
"""Of the grids of random numbers that clouds are made of, each half as strong as the one before."""

MOST_SHAPES = 12


def background(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """A picture (height, width, 3), the same for the same numbers."""
    rng = np.random.default_rng([number, height, width])
    colours = rng.uniform(0, 255, (3, 3))
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    share, turn = rng.random(2)
    along = share * (x if turn < 0.5 else 1 - x) + (1 - share) * y
    picture = _mixed(colours[0], colours[1], along)
    picture = _mixed(picture, colours[2], rng.random() * _clouds(rng, y, x))
    for _ in range(rng.integers(MOST_SHAPES + 1)):
        picture = _mixed(picture, rng.uniform(0, 255, 3), rng.uniform(0.2, 1) * _shape(rng, y, x))
    return np.rint(picture).astype(np.uint8)


def _mixed(one: NDArray[np.float64], other: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    return one + (other - one) * share[..., None]


def _clouds(rng: np.random.Generator, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 0 to 1."""
    total = sum(
        scipy.ndimage.map_coordinates(rng.random((cells + 1, cells + 1)), [y * cells, x * cells], order=1) / 2**octave
        for octave, cells in enumerate(CELLS)
    )
    return np.asarray((total - total.min()) / max(float(np.ptp(total)), 1e-9), np.float64)


def _shape(rng: np.random.Generator, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 inside of a disc, a box or a band, 0 outside."""
    kind = rng.integers(3)
    row, column = rng.random(2)
    high, wide = rng.uniform(0.03, 0.4, 2)
    down, across = (y - row) / high, (x - column) / wide
    far = (down**2 + across**2, np.maximum(abs(down), abs(across)), abs(down + across))[kind]
    return np.where(far < 1, 1.0, 0.0)
