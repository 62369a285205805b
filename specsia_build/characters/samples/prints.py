"""Patterns that repeat over a garment, a fur or hair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_EDGE = 0.006


def _edge(distance: Array) -> Array:
    """1 where a distance is negative, 0 where positive, with a soft edge, in units."""
    return np.clip(0.5 - distance / _EDGE, 0.0, 1.0)


def _bands(along: Array, period: float, share: float) -> Array:
    return _edge((np.abs((along / period) % 1.0 - 0.5) - 0.5 * share) * period)


def coverage(kind: str, around: Array, along: Array, girth: float, period: float) -> Array:
    """How much of the pattern's second colour each point shows, 0-1.

    Args:
        kind: `plain`, `stripes`, `pinstripes`, `dots`, `checks`, `gradient`, `halves`, `seam`, `chest` or `hemline`.
        around: angle about the part's axis in radians, 0 in front.
        along: distance along the part's axis in units, 0 at its upper or inner end.
        girth: radius of the part, in units.
        period: of the pattern, in units.
    """
    turns = max(round(2 * np.pi * girth / period), 4)
    arc = around / (2 * np.pi) * turns
    if kind == "stripes":
        return _bands(along, period, 0.5)
    if kind == "pinstripes":
        return _bands(arc * period, period, 0.16)
    if kind == "checks":
        return 0.5 * _bands(along, period, 0.5) + 0.5 * _bands(arc * period, period, 0.5)
    if kind == "dots":
        row = np.floor(along / period)
        u = (arc + 0.5 * (row % 2)) % 1.0 - 0.5
        v = along / period - row - 0.5
        return _edge((np.hypot(u, v) - 0.26) * period)
    if kind == "gradient":
        return np.clip(along / (4.0 * period), 0.0, 1.0)
    if kind == "halves":
        return _edge(-np.sin(around) * girth)
    if kind == "seam":
        return _edge((np.abs(np.abs(around) - 0.5 * np.pi) - 0.16) * girth)
    if kind == "chest":
        return _edge(np.abs(along - 1.7 * period) - 0.5 * period)
    return np.zeros_like(around)


def strands(around: Array, along: Array, count: int) -> Array:
    """Fine light and dark streaks of hair or feathers, -1 to 1."""
    wave = around + 0.05 * np.sin(3.0 * along / 0.2)
    return np.asarray(0.6 * np.sin(count * wave) + 0.4 * np.sin(2.7 * count * wave + 1.3))


def mottle(points: Array) -> Array:
    """Slow variation that takes the flatness off a painted surface, -1 to 1."""
    x, y, z = points.T
    return np.asarray((np.sin(9.0 * x + 4.0 * y) + np.sin(11.0 * y - 5.0 * z) + np.sin(8.0 * z + 6.0 * x)) / 3.0)
