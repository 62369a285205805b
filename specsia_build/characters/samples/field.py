"""Signed distance of a solid made of smoothly joined primitives.

A solid is a table with one row per primitive (see `solid.Solid`), folded in order: each row joins what came before
with its own blend radius. Everything below runs on one thread and in a fixed order, so that its bytes never change.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined

ROUND_CONE, ELLIPSOID, FRUSTUM, BOX, TORUS = 0, 1, 2, 3, 4

KIND, CENTRE, AXES, PARAMS, BLEND, PART, REACH, COLUMNS = 0, 1, 4, 13, 19, 20, 21, 22
"""Columns of a row: kind, centre (3), local axes as rows (9), parameters (6), blend radius, part, enclosing radius."""

FLOOR_BLEND = 0.02
"""Rounding of the edge where the floor plane y = 0 cuts the soles, in units."""

FAR = 0.03
"""Distance between parts beyond which nobody asks for it, in units."""

_BLOCK = 6


@inlined
def _round_cone(x: float, y: float, z: float, height: float, low: float, high: float) -> float:
    radial = math.sqrt(x * x + z * z)
    slope = (low - high) / height
    if slope >= 1.0:
        return math.sqrt(radial * radial + y * y) - low
    if slope <= -1.0:
        return math.sqrt(radial * radial + (y - height) ** 2) - high
    cosine = math.sqrt(1.0 - slope * slope)
    along = -radial * slope + y * cosine
    if along < 0.0:
        return math.sqrt(radial * radial + y * y) - low
    if along > cosine * height:
        return math.sqrt(radial * radial + (y - height) ** 2) - high
    return radial * cosine + y * slope - low


@inlined
def _ellipsoid(x: float, y: float, z: float, a: float, b: float, c: float, power: float) -> float:
    u, v, w = abs(x) / a, abs(y) / b, abs(z) / c
    if power == 2.0:
        level = math.sqrt(u * u + v * v + w * w)
    else:
        level = (u**power + v**power + w**power) ** (1.0 / power)
    if level < 1e-6:
        return -min(a, b, c)
    e = power - 1.0
    gx, gy, gz = (u / level) ** e / a, (v / level) ** e / b, (w / level) ** e / c
    return (level - 1.0) / math.sqrt(gx * gx + gy * gy + gz * gz)


@inlined
def _frustum(x: float, y: float, z: float, half: float, low: float, high: float) -> float:
    radial = math.sqrt(x * x + z * z)
    rim = low if y < 0.0 else high
    ax, ay = radial - min(radial, rim), abs(y) - half
    k2x, k2y = high - low, 2.0 * half
    t = ((high - radial) * k2x + (half - y) * k2y) / (k2x * k2x + k2y * k2y)
    t = min(max(t, 0.0), 1.0)
    bx, by = radial - high + k2x * t, y - half + k2y * t
    sign = -1.0 if (bx < 0.0 and ay < 0.0) else 1.0
    return sign * math.sqrt(min(ax * ax + ay * ay, bx * bx + by * by))


@inlined
def _box(x: float, y: float, z: float, a: float, b: float, c: float) -> float:
    u, v, w = abs(x) - a, abs(y) - b, abs(z) - c
    out = math.sqrt(max(u, 0.0) ** 2 + max(v, 0.0) ** 2 + max(w, 0.0) ** 2)
    return out + min(max(u, max(v, w)), 0.0)


@inlined
def _primitive(row: NDArray[np.float64], px: float, py: float, pz: float) -> float:
    dx, dy, dz = px - row[1], py - row[2], pz - row[3]
    x = row[4] * dx + row[5] * dy + row[6] * dz
    y = row[7] * dx + row[8] * dy + row[9] * dz
    z = row[10] * dx + row[11] * dy + row[12] * dz
    kind = int(row[KIND])
    p0, p1, p2, p3, p4, p5 = row[13], row[14], row[15], row[16], row[17], row[18]
    d: float
    if kind == ROUND_CONE:
        d = _round_cone(x / p3, y, z / p4, p0, p1, p2) * min(p3, p4, 1.0)
    elif kind == ELLIPSOID:
        d = _ellipsoid(x, y, z, p0, p1, p2, p3)
    elif kind == FRUSTUM:
        d = (_frustum(x / p4, y, z / p5, p0, p1, p2) - p3) * min(p4, p5, 1.0)
    elif kind == BOX:
        d = _box(x, y, z, p0, p1, p2) - p3
    else:
        ring = math.sqrt((x / p2) ** 2 + (z / p3) ** 2) - p0
        d = (math.sqrt(ring * ring + (y / p4) ** 2) - p1) * min(p2, p3, p4, 1.0)
    return d


@inlined
def _fold(table: NDArray[np.float64], rows: NDArray[np.int64], px: float, py: float, pz: float) -> float:
    total = 1e9
    for index in rows:
        row = table[index]
        blend = row[BLEND]
        room = total + blend + row[REACH]
        if room < 0.0 or (px - row[1]) ** 2 + (py - row[2]) ** 2 + (pz - row[3]) ** 2 > room * room:
            continue
        d = _primitive(row, px, py, pz)
        overlap = max(blend - abs(total - d), 0.0)
        total = min(total, d) - (overlap * overlap / (4.0 * blend) if blend > 0.0 else 0.0)
    floor = -py
    overlap = max(FLOOR_BLEND - abs(total - floor), 0.0)
    return max(total, floor) + overlap * overlap / (4.0 * FLOOR_BLEND)


@compiled
def _within(
    table: NDArray[np.float64], px: float, py: float, pz: float, reach: float, kept: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows that can matter where the distance is below `reach` at a point, in order; `kept` is room to list them."""
    count = 0
    for index in range(len(table)):
        row = table[index]
        room = reach + row[BLEND] + row[REACH]
        if (px - row[1]) ** 2 + (py - row[2]) ** 2 + (pz - row[3]) ** 2 < room * room:
            kept[count] = index
            count += 1
    return kept[:count]


@compiled
def distance(table: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed distance at points (N, 3), negative inside, in units; (N,). Exact at 0, a bound elsewhere."""
    rows = np.arange(len(table))
    out = np.empty(len(points))
    for i in range(len(points)):
        out[i] = _fold(table, rows, points[i, 0], points[i, 1], points[i, 2])
    return out


@compiled
def slope(
    table: NDArray[np.float64], points: NDArray[np.float64], step: float, near: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance (N,) and its gradient (N, 3) by central differences at points (N, 3) near the surface.

    The gradient points outwards and its length is about 1; `step` is that of the differences, and no point may lie
    farther than `near` outside, both in units.
    """
    kept = np.empty(len(table), np.int64)
    value, out = np.empty(len(points)), np.empty((len(points), 3))
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        rows = _within(table, x, y, z, near + step, kept)
        value[i] = _fold(table, rows, x, y, z)
        out[i, 0] = _fold(table, rows, x + step, y, z) - _fold(table, rows, x - step, y, z)
        out[i, 1] = _fold(table, rows, x, y + step, z) - _fold(table, rows, x, y - step, z)
        out[i, 2] = _fold(table, rows, x, y, z + step) - _fold(table, rows, x, y, z - step)
    return value, out / (2.0 * step)


@compiled
def nearest_part(
    table: NDArray[np.float64], points: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Part whose primitive is nearest to each point (N,), and how much farther the next part is, (N,) 0 to `FAR`."""
    parts = np.empty(len(points), np.int64)
    gaps = np.empty(len(points))
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        best, second, part = 1e9, 1e9, -1
        for row in table:
            room = min(second, best + FAR) + row[REACH]
            if room < 0.0 or (x - row[1]) ** 2 + (y - row[2]) ** 2 + (z - row[3]) ** 2 > room * room:
                continue
            d = _primitive(row, x, y, z)
            own = int(row[PART])
            if d < best:
                if own != part:
                    second = best
                best, part = d, own
            elif own != part and d < second:
                second = d
        parts[i], gaps[i] = part, min(second - best, FAR)
    return parts, gaps


@compiled
def sample_grid(
    table: NDArray[np.float64], origin: NDArray[np.float64], step: float, shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Signed distance at the nodes of a grid.

    Blocks far from the surface hold one value each: its sign is right, its size is not.

    Args:
        table: the solid.
        origin: (3,) position of node (0, 0, 0), in units.
        step: units between nodes.
        shape: nodes along x, y and z.
    """
    out = np.empty(shape)
    nx, ny, nz = shape
    every, kept = np.arange(len(table)), np.empty(len(table), np.int64)
    half = 0.5 * step * (_BLOCK - 1) * math.sqrt(3.0)
    for i0 in range(0, nx, _BLOCK):
        for j0 in range(0, ny, _BLOCK):
            for k0 in range(0, nz, _BLOCK):
                i1, j1, k1 = min(i0 + _BLOCK, nx), min(j0 + _BLOCK, ny), min(k0 + _BLOCK, nz)
                cx = origin[0] + step * 0.5 * (i0 + i1 - 1)
                cy = origin[1] + step * 0.5 * (j0 + j1 - 1)
                cz = origin[2] + step * 0.5 * (k0 + k1 - 1)
                middle = _fold(table, every, cx, cy, cz)
                if abs(middle) > 1.5 * half + 0.03:
                    out[i0:i1, j0:j1, k0:k1] = middle
                    continue
                rows = _within(table, cx, cy, cz, max(middle, 0.0) + 2.0 * half + 0.05, kept)
                for i in range(i0, i1):
                    for j in range(j0, j1):
                        for k in range(k0, k1):
                            out[i, j, k] = _fold(
                                table, rows, origin[0] + step * i, origin[1] + step * j, origin[2] + step * k
                            )
    return out
