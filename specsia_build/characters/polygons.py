"""Polygons to triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory

Ints = NDArray[np.int64]

TRIANGLE_COST, VERTEX_COST, POLYGON_COST = 200, 150, 120
"""Bytes of memory, measured, that each takes from its being read until it is drawn."""


def triangulate(points: NDArray[np.floating], corners: Ints, first: Ints, keep: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Cut polygons: quads along their shorter diagonal, larger ones as a fan from their first corner.

    Args:
        points: (V, 3).
        corners: (C,) the point of each polygon corner, polygon after polygon.
        first: (P + 1,) where each polygon's corners begin in `corners`.
        keep: (P,) which polygons are wanted; those with fewer than three corners give nothing.

    Returns:
        Triangles (T, 3) as indices into `corners`, in polygon order, and the polygon (T,) that each comes from.
    """
    memory.ask(POLYGON_COST * len(keep))
    sides = np.diff(first)
    per_polygon = np.where(keep, np.maximum(sides - 2, 0), 0)
    memory.take(TRIANGLE_COST * int(per_polygon.sum()) + VERTEX_COST * len(points))
    polygon = np.repeat(np.arange(len(sides)), per_polygon)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(per_polygon) - per_polygon, per_polygon)
    start = first[:-1][polygon]
    triangles = np.stack([start, start + step + 1, start + step + 2], axis=1)

    quad = np.flatnonzero(keep & (sides == 4))
    corner = points[corners[first[quad][:, None] + np.arange(4)]].astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        fanned, other = (np.square(corner[:, k + 2] - corner[:, k]).sum(axis=1) for k in (0, 1))
    turned = np.zeros(len(sides), dtype=bool)
    turned[quad[other < fanned]] = True
    first_half, second_half = turned[polygon] & (step == 0), turned[polygon] & (step == 1)
    triangles[first_half] = start[first_half, None] + np.array([0, 1, 3])
    triangles[second_half] = start[second_half, None] + np.array([1, 2, 3])
    return triangles, polygon
